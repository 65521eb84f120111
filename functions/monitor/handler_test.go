package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const (
	id        = task.ID("01939a3e-7c00-7000-8000-000000000001")
	execution = "execution-1"
	retention = 30 * 24 * time.Hour
)

var unavailable = task.Errorf(task.Unavailable, "away")

type bench struct {
	store   *tasktest.Store
	metrics *tasktest.Metrics
	log     *bytes.Buffer
	h       *Handler
}

func newBench() *bench {
	b := &bench{store: tasktest.NewStore(), metrics: tasktest.NewMetrics(), log: &bytes.Buffer{}}
	b.h = &Handler{Store: b.store, Metrics: b.metrics, Retention: retention, Log: slog.New(slog.NewJSONHandler(b.log, nil))}
	return b
}

// records returns the DLQ_MESSAGE records that were logged since the last call.
func (b *bench) records(t *testing.T) []map[string]any {
	t.Helper()
	var records []map[string]any
	dec := json.NewDecoder(b.log)
	for dec.More() {
		var r map[string]any
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r["eventType"] == "DLQ_MESSAGE" {
			delete(r, "time")
			records = append(records, r)
		}
	}
	return records
}

// monitor handles the messages and returns the ids of the failed ones.
func (b *bench) monitor(t *testing.T, messages ...events.SQSMessage) []string {
	t.Helper()
	resp, err := b.h.Handle(t.Context(), events.SQSEvent{Records: messages})
	if err != nil {
		t.Fatal(err)
	}
	if resp.BatchItemFailures == nil {
		t.Error("batchItemFailures is null, want a list")
	}
	var failed []string
	for _, f := range resp.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

// received returns a message that was received count times.
func received(messageID, body string, count int) events.SQSMessage {
	return events.SQSMessage{MessageId: messageID, Body: body, Attributes: map[string]string{
		"ApproximateReceiveCount": fmt.Sprint(count), "SentTimestamp": "1733459610000",
	}}
}

// failed returns a record that is FAILED after two attempts.
func failed() task.Task {
	t := task.New(id, "the-answer", time.Now())
	for n := range 2 {
		now := task.At(time.Now())
		t.Claim(task.ClaimRequest{Message: t.Message(), ExecutionID: execution, RetryCount: n, Token: "token", Now: now, Lease: time.Minute})
		if _, err := t.Finish(task.FinishRequest{Token: "token", Now: now, Err: &task.Failure{Type: "WorkerError", Message: "no luck"}}); err != nil {
			panic(err)
		}
	}
	return t
}

func TestHandle(t *testing.T) {
	t.Parallel()
	letter := task.DeadLetter{
		Message: task.Message{TaskID: id, Run: 1}, Error: "WorkerError",
		Cause: `{"errorMessage":"no luck","errorType":"WorkerError"}`, ExecutionID: execution,
	}
	raw := task.DeadLetter{Message: letter.Message}
	pending := func() task.Task { return task.New(id, "the-answer", time.Now()) }
	with := func(change func(*task.Task)) func() task.Task {
		return func() task.Task {
			t := failed()
			change(&t)
			return t
		}
	}
	tests := []struct {
		name          string
		record        func() task.Task
		letter        task.DeadLetter
		first, second task.MarkOutcome
		status        task.Status
		errorType     string
		counted       int
	}{
		{"marks a FAILED task", failed, letter, task.Marked, task.Duplicate, task.DLQ, "WorkerError", 2},
		{"marks a PENDING task that was never started", pending, raw, task.Marked, task.Duplicate, task.DLQ, "NotStarted", 2},
		{"knows a task in the DLQ", with(func(t *task.Task) { t.Status = task.DLQ }), letter, task.Duplicate, task.Duplicate, task.DLQ, "WorkerError", 1},
		{"leaves a PROCESSED task", with(func(t *task.Task) { t.Status = task.Processed }), letter, task.Stale, task.Stale, task.Processed, "WorkerError", 0},
		{"leaves a later run", with(func(t *task.Task) { t.Run = 2 }), letter, task.Stale, task.Stale, task.Failed, "WorkerError", 1},
		{"leaves an earlier run", with(func(t *task.Task) { t.Run = 0 }), letter, task.Stale, task.Stale, task.Failed, "WorkerError", 0},
		{"leaves a task that was started after all", failed, raw, task.Stale, task.Stale, task.Failed, "NotStarted", 0},
		{"has no such task", with(func(t *task.Task) { t.ID = "01939a3e-7fff-7000-8000-0000000000ff" }), letter, task.Stale, task.Stale, "", "WorkerError", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				b.store.Put(tt.record())
				for i, outcome := range []task.MarkOutcome{tt.first, tt.second} {
					if got := b.monitor(t, received("m", tt.letter.Body(), i+1)); got != nil {
						t.Errorf("got failures %q, want none", got)
					}
					records := b.records(t)
					if len(records) != 1 || records[0]["outcome"] != string(outcome) || records[0]["errorType"] != tt.errorType {
						t.Errorf("delivery %d: got records %v, want one that says %s, %s", i+1, records, outcome, tt.errorType)
					}
				}
				if got := b.metrics.Total(task.DeadLettered); got != tt.counted {
					t.Errorf("DeadLettered: got %d, want %d", got, tt.counted)
				}
				got, err := b.store.Get(t.Context(), id)
				if tt.status == "" {
					if task.KindOf(err) != task.NotFound {
						t.Errorf("got %v, want no record", err)
					}
					return
				}
				if got.Status != tt.status {
					t.Errorf("got %s, want %s", got.Status, tt.status)
				}
				if tt.first == task.Marked && (got.ErrorType != tt.errorType || got.ExpiresAt != task.At(time.Now().Add(retention))) {
					t.Errorf("got %s until %v, want %s for %v", got.ErrorType, got.ExpiresAt, tt.errorType, retention)
				}
			})
		})
	}
}

func TestTheLogRecordOfADeadLetter(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.store.Put(failed())
	letter := task.DeadLetter{Message: task.Message{TaskID: id, Run: 1}, Error: "Lambda.Unknown", Cause: "it\ndied", ExecutionID: execution}
	b.monitor(t, received("m", letter.Body(), 1))
	if strings.Contains(b.log.String(), "the-answer") {
		t.Error("the answer was logged")
	}
	want := []map[string]any{{
		"level": "WARN", "msg": "dead letter",
		"eventType": "DLQ_MESSAGE", "outcome": "marked", "messageId": "m", "receiveCount": 1.0, "sentAt": "2024-12-06T04:33:30.000Z",
		"taskId": string(id), "run": 1.0, "errorType": "Lambda.Unknown", "errorMessage": "it\ndied",
		"retryCount": 1.0, "attempts": 2.0, "executionId": execution,
	}}
	if diff := cmp.Diff(want, b.records(t)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestHandleKeepsAMalformedMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		body := "\x1b[2J{\"eventType\":\"DLQ_MESSAGE\"}\n\xff" + strings.Repeat("x", 2000)
		for i := range 2 {
			if got := b.monitor(t, received("m", body, i+1)); got != nil {
				t.Errorf("got failures %q, want none", got)
			}
			want := []map[string]any{{
				"level": "WARN", "msg": "dead letter",
				"eventType": "DLQ_MESSAGE", "outcome": "malformed", "messageId": "m", "receiveCount": float64(i + 1), "sentAt": "2024-12-06T04:33:30.000Z",
				"bodyBytes":  float64(len(body)),
				"bodySha256": "e75ec54ceec7f1336dbe57bc2100a043d26a4a40dc907129cc9aafd0f043695f",
				"bodyStart":  `"\x1b[2J{\"eventType\":\"DLQ_MESSAGE\"}\n\xff` + strings.Repeat("x", 1024-33) + `"`,
			}}
			if diff := cmp.Diff(want, b.records(t)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		}
		now := task.At(time.Now())
		want := []task.Quarantined{{MessageID: "m", Body: body, ReceivedAt: now, ExpiresAt: now.Plus(retention)}}
		if diff := cmp.Diff(want, b.store.Quarantined()); diff != "" {
			t.Errorf("quarantined (-want +got):\n%s", diff)
		}
		if got := b.metrics.Total(task.DeadLettered); got != 2 {
			t.Errorf("DeadLettered: got %d, want 2", got)
		}
	})
}

func TestHandleReportsWhatItCouldNotDo(t *testing.T) {
	t.Parallel()
	dead := task.DeadLetter{Message: task.Message{TaskID: id, Run: 1}, Error: "WorkerError", ExecutionID: execution}
	stale := dead
	stale.Run = 7
	tests := []struct {
		name            string
		prepare         func(b *bench)
		failed, records []string
		counted         int // after the second delivery
	}{
		{
			"a mark", func(b *bench) { b.store.FailBefore("MarkDead", unavailable) },
			[]string{"dead"}, []string{"malformed", "stale"}, 3,
		},
		{
			"a mark whose answer got lost", func(b *bench) { b.store.FailAfter("MarkDead", errors.New("odd")) },
			[]string{"dead"}, []string{"malformed", "stale"}, 3,
		},
		{
			"a quarantine", func(b *bench) { b.store.FailBefore("Quarantine", unavailable) },
			[]string{"malformed"}, []string{"dead", "stale"}, 3,
		},
		{
			"a metric, for the messages that it counts", func(b *bench) { b.metrics.FailBefore("Count", unavailable) },
			[]string{"dead", "malformed"}, []string{"dead", "malformed", "stale"}, 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			b.store.Put(failed())
			tt.prepare(b)
			deliver := func(count int) []string {
				return b.monitor(t, received("dead", dead.Body(), count), received("malformed", "hello", count), received("stale", stale.Body(), count))
			}
			if got := deliver(1); !slices.Equal(got, tt.failed) {
				t.Errorf("got failures %q, want %q", got, tt.failed)
			}
			var records []string
			for _, r := range b.records(t) {
				records = append(records, r["messageId"].(string))
			}
			if !slices.Equal(records, tt.records) {
				t.Errorf("got records of %q, want %q", records, tt.records)
			}
			if got := deliver(2); got != nil {
				t.Errorf("second delivery: got failures %q, want none", got)
			}
			if got := b.metrics.Total(task.DeadLettered); got != tt.counted {
				t.Errorf("DeadLettered: got %d, want %d", got, tt.counted)
			}
			if got, err := b.store.Get(t.Context(), id); err != nil || got.Status != task.DLQ {
				t.Errorf("got %s, %v, want DLQ", got.Status, err)
			}
			if got := len(b.store.Quarantined()); got != 1 {
				t.Errorf("got %d messages in quarantine, want 1", got)
			}
		})
	}
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	load := func(days string) (Config, error) {
		return LoadConfig(func(name string) string { return map[string]string{"RETENTION_DAYS": days}[name] })
	}
	if got, err := load("30"); err != nil || got.Retention != retention {
		t.Errorf("got %v, %v, want %v", got.Retention, err, retention)
	}
	for _, days := range []string{"", "0", "-1", "3651", "1.5", "a month"} {
		if _, err := load(days); err == nil || !strings.Contains(err.Error(), "RETENTION_DAYS") {
			t.Errorf("%q: got %v, want an error that names RETENTION_DAYS", days, err)
		}
	}
}
