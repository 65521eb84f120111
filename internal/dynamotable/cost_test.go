package dynamotable_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/cost"
	"tasks/internal/dynamotable"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const retention = 30 * 24 * time.Hour

// execution is as long as the executions' ARNs are.
const execution = "arn:aws:states:eu-central-1:123456789012:execution:TaskStateMachine-AbCdEfGhIjKl:01939a3e-7c00-7000-8000-000000000001-1"

// succeed takes a task through its usual life: submitted, claimed, finished.
func succeed(t *testing.T, table *dynamotable.Table, answer string, retention time.Duration) task.Task {
	t.Helper()
	submitted := task.New(newID(t), answer, time.Now())
	if err := tasktest.Create(t.Context(), table, submitted); err != nil {
		t.Fatal(err)
	}
	_, claimed, err := table.Claim(t.Context(), task.ClaimRequest{
		Message: submitted.Message(), ExecutionID: execution, Token: "token", Now: task.At(time.Now()), Lease: time.Minute,
	})
	if err != nil || claimed.Answer != answer {
		t.Fatalf("Claim: got an answer of %d bytes, %v, want %d", len(claimed.Answer), err, len(answer))
	}
	err = table.Finish(t.Context(), task.FinishRequest{ID: submitted.ID, Token: "token", Now: task.At(time.Now()), Retention: retention})
	if err != nil {
		t.Fatal(err)
	}
	return submitted
}

func TestCostOfASuccess(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		answer string
		want   map[string]int
	}{
		{"three writes and no read", strings.Repeat("x", 200), map[string]int{"PutItem": 1, "UpdateItem": 2}},
		{"a large answer written once and read once", strings.Repeat("x", task.MaxAnswerBytes), map[string]int{"PutItem": 2, "UpdateItem": 2, "GetItem": 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			transport := &awstest.Transport{}
			table, client, name := open(t, transport)
			operations := []string{"PutItem", "UpdateItem", "GetItem", "Query", "BatchGetItem", "TransactWriteItems"}
			succeed(t, table, row.answer, retention) // the next one's claim knows what to expect
			before := map[string]int{}
			for _, operation := range operations {
				before[operation] = transport.Count(operation)
			}
			submitted := succeed(t, table, row.answer, retention)
			got := map[string]int{}
			for _, operation := range operations {
				if n := transport.Count(operation) - before[operation]; n > 0 {
					got[operation] = n
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("requests differ (-want +got):\n%s", diff)
			}
			// A write costs one unit for each begun KiB of the item.
			if size := sizeOf(getItem(t, client, name, string(submitted.ID))); size > 1024 {
				t.Errorf("the record has %d bytes, want at most 1,024", size)
			}
		})
	}
}

// TestUnits holds what package cost counts against what DynamoDB says that it was.
func TestUnits(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 100, 300, 400, 512, 513, 900, 1024, 1085, 1086, 4157, 4158, 20_000} {
		for failures := range 4 {
			m := &meter{}
			table, _, _ := open(t, &awstest.Transport{Edit: m.edit})
			answer := strings.Repeat("x", size)
			succeed(t, table, answer, retention) // the next one's claim knows what to expect
			m.write, m.read = 0, 0
			live(t, table, answer, failures)
			write, read := cost.Units(size, min(failures+1, 3), failures == 3)
			if write != m.write || read != m.read {
				t.Errorf("an answer of %d bytes, %d failures: counted %v write and %v read units, DynamoDB says %v and %v", size, failures, write, read, m.write, m.read)
			}
		}
	}
}

// live takes a task through a life with so many failed attempts; the third is its
// last.
func live(t *testing.T, table *dynamotable.Table, answer string, failures int) {
	t.Helper()
	now, token := task.At(time.Now()), strings.Repeat("T", 26)
	retry := task.RetryPolicy{MaxAttempts: 2, IntervalSeconds: 2, BackoffRate: 2}
	submitted := task.New(newID(t), answer, time.Now())
	if err := tasktest.Create(t.Context(), table, submitted); err != nil {
		t.Fatal(err)
	}
	for n := range min(failures, 2) + 1 {
		outcome, claimed, err := table.Claim(t.Context(), task.ClaimRequest{
			Message: submitted.Message(), ExecutionID: execution, RetryCount: n, Retry: retry, Token: token, Now: now, Lease: time.Minute,
		})
		if err != nil || outcome != task.ClaimRun {
			t.Fatalf("Claim: got %v, %v", outcome, err)
		}
		finish := task.FinishRequest{ID: submitted.ID, Token: token, Attempts: len(claimed.Attempts), Now: now, Retry: retry, Retention: retention}
		if n < failures {
			finish.Err = &task.Failure{Type: "WorkerError", Message: "simulated failure"}
		}
		if err := table.Finish(t.Context(), finish); err != nil {
			t.Fatal(err)
		}
		now = now.Plus(10 * time.Second)
	}
	if failures < 3 {
		return
	}
	letter := task.DeadLetter{Message: submitted.Message(), Error: "WorkerError", Cause: `{"errorMessage":"simulated failure","errorType":"WorkerError"}`, ExecutionID: execution}
	if outcome, _, err := table.MarkDead(t.Context(), task.MarkRequest{DeadLetter: letter, Now: now, Retention: retention}); err != nil || outcome != task.Marked {
		t.Fatalf("MarkDead: got %v, %v", outcome, err)
	}
}

// meter has DynamoDB say what each request consumes, and adds it up.
type meter struct {
	mu          sync.Mutex
	write, read float64
}

func (m *meter) edit(operation string, _ *http.Request, body []byte, send send) (*http.Response, []byte, error) {
	body = append(bytes.TrimSuffix(body, []byte("}")), `,"ReturnConsumedCapacity":"INDEXES"}`...)
	resp, answer, err := send(body)
	var out struct {
		ConsumedCapacity *struct{ CapacityUnits float64 }
		Type             string `json:"__type"`
	}
	if err != nil || json.Unmarshal(answer, &out) != nil {
		return resp, answer, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case strings.HasSuffix(out.Type, "ConditionalCheckFailedException"):
		m.write++ // DynamoDB Local does not say it; DynamoDB charges the item that is there, which has no KiB here
	case out.ConsumedCapacity == nil:
	case operation == "GetItem":
		m.read += out.ConsumedCapacity.CapacityUnits
	default:
		m.write += out.ConsumedCapacity.CapacityUnits
	}
	return resp, answer, err
}

func TestLargeAnswerOutlivesItsRecord(t *testing.T) {
	t.Parallel()
	transport := &awstest.Transport{}
	table, client, name := open(t, transport)
	for _, days := range []int{1, 30, 79, 81, 365, 3650} {
		submitted := succeed(t, table, strings.Repeat("x", dynamotable.MaxInlineAnswer+1), time.Duration(days)*24*time.Hour)
		record := getItem(t, client, name, string(submitted.ID))["expiresAt"].(*types.AttributeValueMemberN).Value
		answer := getItem(t, client, name, "answer#"+string(submitted.ID))["expiresAt"].(*types.AttributeValueMemberN).Value
		if len(record) != len(answer) || answer <= record {
			t.Errorf("kept for %d days: the record expires at %s and its answer at %s", days, record, answer)
		}
	}
}

func TestQuarantineKeepsLongMessagesWhole(t *testing.T) {
	t.Parallel()
	table, client, name := open(t, nil)
	body := strings.Repeat("é", 1<<19) // the 1 MiB of SQS
	now := task.At(time.Now())
	err := table.Quarantine(t.Context(), task.Quarantined{MessageID: "m", Body: body, ReceivedAt: now, ExpiresAt: now.Plus(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for part := 1; ; part++ {
		it := getItem(t, client, name, quarantineKey("m", part))
		if it == nil {
			break
		}
		got.WriteString(it["body"].(*types.AttributeValueMemberS).Value)
	}
	if got.String() != body {
		t.Errorf("got %d bytes back, want %d", got.Len(), len(body))
	}
}

func TestDueReachesAllOfABacklog(t *testing.T) {
	t.Parallel()
	const size = 3 * dynamotable.PerShard
	for name, place := range map[string]int{"the oldest": 0, "one of the middle": size / 2, "the newest": size - 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, _, _ := open(t, nil)
			now := time.Now()
			backlog := tasksOfShard(t, 0, size, now, time.Hour)
			want := backlog[place].ID
			for _, b := range backlog {
				if b.ID != want {
					b.Defer(1, task.At(now))
				}
				if err := tasktest.Create(t.Context(), table, b); err != nil {
					t.Fatal(err)
				}
			}
			for range 200 { // each finds it by chance, one time in four or so
				due, err := table.Due(t.Context(), task.At(now), 10)
				if err != nil {
					t.Fatal(err)
				}
				if len(due) == 1 && due[0].ID == want {
					return
				}
				if len(due) > 0 {
					t.Fatalf("got %+v, want %s alone", due, want)
				}
			}
			t.Error("the only task that is due is never found")
		})
	}
}

func TestListOfUnevenShards(t *testing.T) {
	t.Parallel()
	table, _, _ := open(t, nil)
	now := time.Now()
	created := append(tasksOfShard(t, 0, 50, now, time.Hour), tasksOfShard(t, 1, 5, now.Add(-time.Minute), 10*time.Hour)...)
	var want []task.ID // newest first
	for _, c := range created {
		if err := tasktest.Create(t.Context(), table, c); err != nil {
			t.Fatal(err)
		}
		want = append(want, c.ID)
	}
	slices.Sort(want)
	slices.Reverse(want)
	var got []task.ID
	q := task.Query{Limit: 30}
	for pages := 1; pages == 1 || q.Before != ""; pages++ {
		page, err := table.List(t.Context(), q)
		if err != nil || pages > len(want) {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, listed := range page.Tasks {
			got = append(got, listed.ID)
		}
		q.Before = page.Next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the listing differs (-want +got):\n%s", diff)
	}
}

// tasksOfShard returns n tasks whose ids are all of one shard, oldest first: the
// last is one step older than now.
func tasksOfShard(t *testing.T, shard, n int, now time.Time, step time.Duration) []task.Task {
	t.Helper()
	var tasks []task.Task
	for len(tasks) < n {
		at := now.Add(time.Duration(len(tasks)-n) * step)
		if id := idAt(t, at); dynamotable.ShardOf(id) == shard {
			tasks = append(tasks, task.New(id, "an answer", at))
		}
	}
	return tasks
}

func quarantineKey(message task.ID, part int) string {
	return fmt.Sprintf("quarantine#%s#%d", message, part)
}

func getItem(t *testing.T, client *dynamodb.Client, table, pk string) map[string]types.AttributeValue {
	t.Helper()
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &table, ConsistentRead: aws.Bool(true), Key: key(pk),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

// sizeOf returns the size of an item by the rules of "DynamoDB item sizes and
// formats", rounding up.
func sizeOf(it map[string]types.AttributeValue) int {
	size := 0
	for name, value := range it {
		size += len(name) + sizeOfValue(value)
	}
	return size
}

func sizeOfValue(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value)/2 + 2
	case *types.AttributeValueMemberL:
		size := 3
		for _, e := range v.Value {
			size += 1 + sizeOfValue(e)
		}
		return size
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + sizeOf(v.Value)
	}
	return 1
}
