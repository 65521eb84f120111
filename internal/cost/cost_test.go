package cost

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	tasks "tasks"
	"tasks/internal/asl"
	"tasks/internal/task/tasktest"
)

// The transitions of executions of the state machine as it is.
func TestTransitions(t *testing.T) {
	t.Parallel()
	all := tasks.Retries().MaxAttempts + 1
	for failures := range all + 1 {
		dead := failures == all
		attempts := min(failures+1, all)
		count, scheduled := 0.0, 0
		for _, h := range historyOf(t, failures) {
			switch {
			case strings.HasSuffix(h.Type, "StateEntered"):
				count++
				scheduled = 0
			case h.Type == "TaskScheduled":
				if scheduled++; scheduled > 1 { // a retry
					count++
				}
			}
		}
		if want := Transitions(attempts, dead); count != want {
			t.Errorf("after %d failures: counted %v, want the engine's %v", failures, want, count)
		}
	}
}

// historyOf runs an execution whose first attempts fail.
func historyOf(t *testing.T, failures int) (all []asl.HistoryEvent) {
	t.Helper()
	definition, err := tasks.Files.ReadFile("statemachine/task.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	machine, err := asl.Parse(definition)
	if err != nil {
		t.Fatal(err)
	}
	x := machine.NewExecution()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	next := []asl.Event{{Kind: asl.Start, Time: at, Start: &asl.StartInput{ExecutionID: "e", Input: json.RawMessage(`{"taskId":"01a20b0b-a542-7d64-8f66-00d0bafd16ca","run":1}`)}}}
	for len(next) > 0 {
		event := next[0]
		next = next[1:]
		commands, history, err := x.Step(event)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, history...)
		for _, c := range commands {
			switch c := c.(type) {
			case asl.SetTimer:
				at = c.At
				next = append(next, asl.Event{Kind: asl.TimerFired, Time: at, Ref: c.Ref})
			case asl.InvokeTask:
				answer := asl.Event{Kind: asl.TaskSucceeded, Time: at, Ref: c.Ref, Answer: json.RawMessage(`{}`)}
				if c.State == "Process" && failures > 0 {
					failures--
					answer = asl.Event{Kind: asl.TaskFailed, Time: at, Ref: c.Ref, Error: "WorkerError", Cause: `{"errorMessage":"simulated failure","errorType":"WorkerError"}`}
				}
				next = append(next, answer)
			}
		}
	}
	if x.Status() == asl.Running {
		t.Fatal("the execution has not ended")
	}
	return all
}

// The events at level ERROR of an execution that dies ("Log levels for Step Functions
// execution events"), as the state machine logs them: the engine's, with the names of
// a deployed stack, and the 26 bytes that CloudWatch Logs counts for each
// ("PutLogEvents").
func TestLoggedBytes(t *testing.T) {
	t.Parallel()
	const execution = "arn:aws:states:us-east-1:123456789012:express:TaskStateMachine-AbCdEfGhIjKl:01a20b0b-a542-7d64-8f66-00d0bafd16ca-1:01a20b0b-a542-7d64-8f66-00d0bafd16ca"
	bytes := map[string]int{}
	for _, h := range historyOf(t, tasks.Retries().MaxAttempts+1) {
		var event map[string]any
		text, err := json.Marshal(h)
		if err == nil {
			err = json.Unmarshal(text, &event)
		}
		if err != nil {
			t.Fatal(err)
		}
		for key, details := range event {
			if !strings.HasSuffix(key, "EventDetails") {
				continue
			}
			logged, err := json.Marshal(map[string]any{
				"details": details, "redrive_count": "0", "id": "10", "type": h.Type, "previous_event_id": "9",
				"event_timestamp": "1787541942901", "execution_arn": execution,
			})
			if err != nil {
				t.Fatal(err)
			}
			bytes[h.Type] = 26 + len(logged)
		}
	}
	for _, row := range []struct {
		name      string
		got, want int
	}{
		{"a failed attempt", bytes["TaskFailed"], failedEvent},
		{"an execution that fails", bytes["FailStateEntered"] + bytes["ExecutionFailed"], deadEvents},
	} {
		if row.got > row.want || row.got < row.want*9/10 {
			t.Errorf("%s logs %d bytes, which %d should be a little above", row.name, row.got, row.want)
		}
	}
}

// What the bill takes from the template: the size of the API's line for a signed POST
// /tasks, with the 26 bytes of CloudWatch Logs, and how the count function is invoked.
func TestTemplate(t *testing.T) {
	t.Parallel()
	text, err := tasks.Files.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Properties map[string]any `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	format := template.Resources["ApiStage"].Properties["AccessLogSettings"].(map[string]any)["Format"].(string)
	values := map[string]string{
		"$context.requestId": "JKJaXmPLvHcESHA=", "$context.identity.sourceIp": "203.0.113.123",
		"$context.identity.userArn": "arn:aws:sts::123456789012:assumed-role/order-service/i-0abcd1234ef567890",
		"$context.routeKey":         "POST /tasks", "$context.path": "/dev/tasks", "$context.status": "202",
		"$context.responseLatency": "25", "$context.integrationErrorMessage": "-",
	}
	line := regexp.MustCompile(`\$context[.\w]+`).ReplaceAllStringFunc(format, func(name string) string {
		if values[name] == "" {
			t.Errorf("nobody knows how long %s is", name)
		}
		return values[name]
	})
	if !json.Valid([]byte(line)) {
		t.Errorf("the API logs %s, want JSON", line)
	}
	if got := 26 + len(line); got > accessLine || got < accessLine*9/10 {
		t.Errorf("the API logs %d bytes, which %d should be a little above", got, accessLine)
	}
	mapping := template.Resources["CountMapping"].Properties
	got := []any{mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"], template.Resources["CountFunction"].Properties["MemorySize"]}
	if want := []any{countBatch, int(countWindow / time.Second), countMB}; !slices.Equal(got, want) {
		t.Errorf("the count function: got %v, want the template's %v", want, got)
	}
}

func TestEveryItemHasAPrice(t *testing.T) {
	t.Parallel()
	list := List()
	if _, err := time.Parse(time.DateOnly, list.AsOf); err != nil || list.Region == "" {
		t.Errorf("the table is of %q, region %q", list.AsOf, list.Region)
	}
	if len(list.Prices) != len(Items) {
		t.Errorf("%d prices for %d items", len(list.Prices), len(Items))
	}
	for _, express := range []bool{false, true} {
		for item := range Of(Life{Attempts: make([]time.Duration, 3), Dead: true}, Setup{Express: express, MemoryMB: 128, Batch: 10}) {
			if list.Prices[item] <= 0 || !slices.Contains(Items, item) {
				t.Errorf("%q costs %v", item, list.Prices[item])
			}
		}
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	lives, shares := Failing(0.3, tasktest.Retries, 100, time.Second)
	attempts, dead, sum, waited := 0.0, 0.0, 0.0, 0.0
	for i, l := range lives {
		sum += shares[i]
		attempts += shares[i] * float64(len(l.Attempts))
		waited += shares[i] * l.Waited.Seconds()
		if l.Dead {
			dead += shares[i]
		}
	}
	for _, row := range []struct {
		name      string
		got, want float64
	}{{"all", sum, 1}, {"attempts", attempts, 1 + 0.3 + 0.09}, {"dead", dead, 0.027}, {"waited", waited, 0.3*2 + 0.09*4}} {
		if math.Abs(row.got-row.want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", row.name, row.got, row.want)
		}
	}
}

// Bills by hand, with a worker of 88 ms: a task that succeeds at once, in batches of
// ten, and one that dies, alone.
func TestOf(t *testing.T) {
	t.Parallel()
	l := Life{AnswerBytes: 100, Attempts: []time.Duration{88 * time.Millisecond}}
	want := map[string]float64{
		"API request": 1, "Lambda request": 1 + 0.1 + 1 + 0.003, "SQS request": 1.2, "state transition": 1,
		"DynamoDB write unit": 6 + 0.003*2, "DynamoDB read unit": 0, "log GB": 250e-9,
		"Lambda GB-second": (0.012+0.0012+0.1)/8 + 0.003*0.024/2,
	}
	compare(t, Of(l, Setup{MemoryMB: 128, Batch: 10}), want)
	if got := Of(l, Setup{Express: true, MemoryMB: 128, Batch: 10}); got["EXPRESS GB-second"] != 0.2*64/1024 || got["EXPRESS request"] != 1 {
		t.Errorf("EXPRESS: got %v, want 106 ms rounded up to 200 ms of 64 MB", got)
	}
	l = Life{AnswerBytes: 100, Attempts: []time.Duration{l.Attempts[0], l.Attempts[0], l.Attempts[0]}, Waited: 6 * time.Second, Dead: true}
	compare(t, Of(l, Setup{MemoryMB: 1024, Batch: 1}), map[string]float64{
		"API request": 1, "Lambda request": 1 + 1 + 3 + 1 + 2, "SQS request": 6, "state transition": 5,
		"DynamoDB write unit": 2 + 6 + 3 + 2*2, "DynamoDB read unit": 1 + 1 + 1, "metric request": 1,
		"log GB":           (250 + 3*470 + 1050 + 600) / 1e9,
		"Lambda GB-second": 0.012 + 0.012 + 3*0.1 + 0.018 + 2*0.024/2,
	})
}

func compare(t *testing.T, got Usage, want map[string]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for item, n := range want {
		if math.Abs(got[item]-n) > 1e-9 {
			t.Errorf("%s: got %v, want %v", item, got[item], n)
		}
	}
}
