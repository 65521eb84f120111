package functions_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"tasks/functions/count"
	"tasks/functions/monitor"
	"tasks/functions/poller"
	"tasks/functions/process"
	"tasks/functions/reconcile"
	"tasks/internal/api"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// eachEvent runs a subtest for each sample event of the function. Each has to be
// in want, by the part of its name that tells the path, and is handed over with
// what is wanted there; and each name in want has to have its event.
func eachEvent[Event, Want any](t *testing.T, function string, want map[string]Want, test func(t *testing.T, e Event, want Want)) {
	t.Helper()
	files, err := filepath.Glob("../events/" + function + "-*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(want) {
		t.Errorf("got the events %q, want %d", files, len(want))
	}
	for _, file := range files {
		path := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), function+"-"), ".json")
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var e Event
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			wanted, ok := want[path]
			if !ok {
				t.Fatal("the test does not know this event")
			}
			test(t, e, wanted)
		})
	}
}

// answers are the statuses of a request that is sent twice.
type answers [2]int

func answer(t *testing.T, req api.Request, want answers) {
	s := newSystem()
	for i, status := range want {
		if resp := s.serve(t, req); resp.StatusCode != status {
			t.Errorf("request %d: got %d %s, want %d", i+1, resp.StatusCode, resp.Body, status)
		}
	}
}

func TestSubmitEvents(t *testing.T) {
	t.Parallel()
	eachEvent(t, "submit", map[string]answers{
		"valid": {202, 202}, "base64": {202, 202}, "idempotency-key": {202, 202}, "batch": {200, 200},
		"broken-json": {400, 400}, "no-body": {400, 400},
		"wrong-content-type": {415, 415},
		"empty-answer":       {422, 422}, "number-answer": {422, 422}, "unknown-field": {422, 422},
	}, answer)
}

func TestStatusEvents(t *testing.T) {
	t.Parallel()
	eachEvent(t, "status", map[string]answers{
		"description": {200, 200}, "stats": {200, 200}, "list": {200, 200}, "list-page": {200, 200}, "get": {200, 200}, "history": {200, 200},
		"list-bad-limit": {400, 400},
		"get-unknown":    {404, 404}, "get-odd-id": {404, 404}, "unknown-path": {404, 404},
		"wrong-method": {405, 405},
	}, answer)
}

func TestRedriveEvents(t *testing.T) {
	t.Parallel()
	eachEvent(t, "redrive", map[string]answers{"all": {200, 200}, "dead": {202, 409}, "not-dead": {409, 409}, "unknown": {404, 404}}, answer)
}

func TestPollerEvents(t *testing.T) {
	t.Parallel()
	type want struct{ started, dead int } // dead: each time
	eachEvent(t, "poller", map[string]want{"one": {1, 0}, "batch": {3, 0}, "duplicate": {1, 0}, "malformed": {1, 3}},
		func(t *testing.T, e events.SQSEvent, want want) {
			executions, letters := tasktest.NewExecutions(), tasktest.NewDeadLetterQueue()
			h := &poller.Handler{Executions: executions, DeadLetterQueue: letters, Metrics: tasktest.NewMetrics(), Log: slog.New(slog.DiscardHandler)}
			for range 2 {
				if resp, err := h.Handle(t.Context(), e); err != nil || len(resp.BatchItemFailures) != 0 {
					t.Errorf("got %v, %v, want no failures", resp, err)
				}
			}
			if got := len(executions.Started()); got != want.started {
				t.Errorf("got %d executions, want %d", got, want.started)
			}
			if got := len(letters.Bodies()); got != 2*want.dead {
				t.Errorf("got %d dead letters, want %d", got, 2*want.dead)
			}
		})
}

// counter is a count.Counter.
type counter struct {
	tokens  []string
	changes map[task.Status]int
}

func (c *counter) AddCounts(_ context.Context, token string, changes map[task.Status]int, _ task.Time) error {
	c.tokens, c.changes = append(c.tokens, token), changes
	return nil
}

func TestCountEvents(t *testing.T) {
	t.Parallel()
	eachEvent(t, "count", map[string]map[task.Status]int{"batch": {task.Processed: 1, task.DLQ: -1}},
		func(t *testing.T, e events.DynamoDBEvent, want map[task.Status]int) {
			var c counter
			h := &count.Handler{Counter: &c}
			for range 2 {
				if _, err := h.Handle(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff(want, c.changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if len(c.tokens) != 2 || c.tokens[0] != c.tokens[1] {
				t.Errorf("got the tokens %q, want the same for the same batch", c.tokens)
			}
		})
}

// succeeds is a worker.
type succeeds struct{}

func (succeeds) Work(context.Context, task.Task) error { return nil }

func TestProcessEvents(t *testing.T) {
	t.Parallel()
	type want struct {
		first, second process.Outcome
		err           task.Kind
	}
	eachEvent(t, "process", map[string]want{
		"first-attempt": {first: process.Processed, second: process.Skipped},
		"first-retry":   {first: process.Processed, second: process.Skipped},
		"second-retry":  {first: process.Processed, second: process.Skipped},
		"old-run":       {first: process.Skipped, second: process.Skipped},
		"unknown-task":  {err: task.NotFound},
	}, func(t *testing.T, in process.Input, want want) {
		s := newSystem()
		// The attempts before this one have failed.
		for n := range in.RetryCount {
			now := task.At(time.Now().Add(-10 * time.Second))
			_, _, errClaim := s.store.Claim(t.Context(), task.ClaimRequest{Message: in.Message, ExecutionID: in.ExecutionID, RetryCount: n, Token: "token", Now: now, Lease: time.Minute})
			errFinish := s.store.Finish(t.Context(), task.FinishRequest{ID: in.TaskID, Token: "token", Now: now, Err: &task.Failure{Type: "WorkerError"}})
			if err := errors.Join(errClaim, errFinish); err != nil {
				t.Fatal(err)
			}
		}
		h := &process.Handler{Store: s.store, Worker: succeeds{}, Retention: time.Hour, Log: slog.New(slog.DiscardHandler)}
		for i, outcome := range []process.Outcome{want.first, want.second} {
			if out, err := h.Handle(t.Context(), in); out.Outcome != outcome || task.KindOf(err) != want.err {
				t.Errorf("invocation %d: got %q, %v, want %q, %q", i+1, out.Outcome, err, outcome, want.err)
			}
		}
		if want.first == process.Processed {
			rec, err := s.store.Get(t.Context(), in.TaskID)
			if err != nil || rec.Status != task.Processed || rec.Retries != in.RetryCount {
				t.Errorf("got %s after %d retries, %v, want PROCESSED after %d", rec.Status, rec.Retries, err, in.RetryCount)
			}
		}
	})
}

func TestMonitorEvents(t *testing.T) {
	t.Parallel()
	type want struct {
		errorType, errorMessage string // of the ordinary task
		quarantined             int
	}
	eachEvent(t, "monitor", map[string]want{
		"dead-letter": {"WorkerError", "simulated failure", 0},
		"permanent":   {"Permanent", "the answer is not a number", 0},
		"crash":       {"Lambda.Unknown", "The cause could not be determined", 0},
		"timeout":     {"States.Timeout", "the execution ended with States.Timeout", 0},
		"abandoned":   {"Abandoned", "the execution ended as ABORTED", 0},
		"raw-message": {"NotStarted", "the task's execution could not be started", 0},
		"malformed":   {"", "", 1},
		"batch":       {"WorkerError", "simulated failure", 1},
	}, func(t *testing.T, e events.SQSEvent, want want) {
		s := newSystem()
		h := &monitor.Handler{Store: s.store, Metrics: tasktest.NewMetrics(), Retention: time.Hour, Log: slog.New(slog.DiscardHandler)}
		for range 2 {
			if resp, err := h.Handle(t.Context(), e); err != nil || len(resp.BatchItemFailures) != 0 {
				t.Errorf("got %v, %v, want no failures", resp, err)
			}
			rec, err := s.store.Get(t.Context(), ordinary)
			if err != nil || rec.ErrorType != want.errorType || !strings.HasPrefix(rec.ErrorMessage, want.errorMessage) || (rec.Status == task.DLQ) != (want.errorType != "") {
				t.Errorf("got %s with %s: %q, %v, want %s: %q", rec.Status, rec.ErrorType, rec.ErrorMessage, err, want.errorType, want.errorMessage)
			}
			if got := len(s.store.Quarantined()); got != want.quarantined {
				t.Errorf("got %d messages in quarantine, want %d", got, want.quarantined)
			}
		}
	})
}

func TestReconcileEvents(t *testing.T) {
	t.Parallel()
	eachEvent(t, "reconcile", map[string][]task.Message{"schedule": {{TaskID: ordinary, Run: 1}}},
		func(t *testing.T, in reconcile.Input, want []task.Message) {
			s := newSystem()
			s.store.Put(task.New(ordinary, "42", time.Now().Add(-time.Hour)))
			h := &reconcile.Handler{
				Store: s.store, Queue: s.queue, DeadLetterQueue: tasktest.NewDeadLetterQueue(), Executions: s.executions,
				Metrics: tasktest.NewMetrics(), Log: slog.New(slog.DiscardHandler),
			}
			for range 2 {
				if _, err := h.Handle(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				if got := s.queue.Messages(); !slices.Equal(got, want) {
					t.Errorf("sent %v, want %v", got, want)
				}
			}
		})
}
