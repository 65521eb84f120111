package poller

import (
	"context"
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

type bench struct {
	executions *tasktest.Executions
	dead       *tasktest.DeadLetterQueue
	metrics    *tasktest.Metrics
	h          *Handler
}

func newBench() *bench {
	b := &bench{executions: tasktest.NewExecutions(), dead: tasktest.NewDeadLetterQueue(), metrics: tasktest.NewMetrics()}
	b.h = &Handler{Executions: b.executions, DeadLetterQueue: b.dead, Metrics: b.metrics, Log: slog.New(slog.DiscardHandler)}
	return b
}

// message returns the queue message of the nth task.
func message(n int) task.Message {
	return task.Message{TaskID: task.ID(fmt.Sprintf("01939a3e-7c00-7000-8000-%012d", n)), Run: 1}
}

// batchOf returns an event whose messages have the ids "1", "2" and so on.
func batchOf(bodies ...string) events.SQSEvent {
	var e events.SQSEvent
	for i, body := range bodies {
		e.Records = append(e.Records, events.SQSMessage{MessageId: fmt.Sprint(i + 1), Body: body})
	}
	return e
}

// poll handles the batch and returns the ids of the failed messages.
func (b *bench) poll(t *testing.T, e events.SQSEvent) []string {
	t.Helper()
	resp, err := b.h.Handle(t.Context(), e)
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

// started returns the executions that were started, each counted once.
func (b *bench) started() []task.Message {
	all := b.executions.Started()
	slices.SortFunc(all, func(x, y task.Message) int { return strings.Compare(string(x.TaskID), string(y.TaskID)) })
	return all
}

func TestHandle(t *testing.T) {
	t.Parallel()
	unavailable := task.Errorf(task.Unavailable, "throttled")
	one := message(1)
	ended := func(b *bench) {
		if err := b.executions.Start(context.Background(), one); err != nil {
			panic(err)
		}
		b.executions.End(one, task.ExecutionOutcome{Status: task.ExecutionFailed})
	}
	tests := []struct {
		name          string
		prepare       func(b *bench)
		body          string
		first, second []string // the failed messages
		started       []task.Message
		dead          []string
		failedStarts  int
	}{
		{name: "starts an execution once", body: one.Body(), started: []task.Message{one}},
		{name: "is content with an execution that has ended", prepare: ended, body: one.Body(), started: []task.Message{one}},
		{
			name: "reports a start that failed", prepare: func(b *bench) { b.executions.FailBefore("Start", unavailable) },
			body: one.Body(), first: []string{"1"}, started: []task.Message{one}, failedStarts: 1,
		},
		{
			name: "starts nothing twice when the answer got lost", prepare: func(b *bench) { b.executions.FailAfter("Start", unavailable) },
			body: one.Body(), first: []string{"1"}, started: []task.Message{one}, failedStarts: 1,
		},
		{
			name: "reports an error of no kind", prepare: func(b *bench) { b.executions.FailBefore("Start", errors.New("odd")) },
			body: one.Body(), first: []string{"1"}, started: []task.Message{one}, failedStarts: 1,
		},
		{name: "dead-letters what is no message, as it is", body: `{"taskId": 42}`, dead: []string{`{"taskId": 42}`, `{"taskId": 42}`}},
		{
			name: "reports what is no message and can't be dead-lettered", prepare: func(b *bench) { b.dead.FailBefore("Send", unavailable) },
			body: "hello", first: []string{"1"}, dead: []string{"hello"}, failedStarts: 1,
		},
		{
			name: "does not fail for a metric",
			prepare: func(b *bench) {
				b.executions.FailBefore("Start", unavailable)
				b.metrics.FailBefore("Count", unavailable)
			},
			body: one.Body(), first: []string{"1"}, started: []task.Message{one},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			if tt.prepare != nil {
				tt.prepare(b)
			}
			if got := b.poll(t, batchOf(tt.body)); !slices.Equal(got, tt.first) {
				t.Errorf("first: got failures %q, want %q", got, tt.first)
			}
			if got := b.poll(t, batchOf(tt.body)); !slices.Equal(got, tt.second) {
				t.Errorf("second: got failures %q, want %q", got, tt.second)
			}
			if diff := cmp.Diff(tt.started, b.started()); diff != "" {
				t.Errorf("started (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.dead, b.dead.Bodies()); diff != "" {
				t.Errorf("dead-lettered (-want +got):\n%s", diff)
			}
			if got := b.metrics.Total(task.FailedStarts); got != tt.failedStarts {
				t.Errorf("FailedStarts: got %d, want %d", got, tt.failedStarts)
			}
		})
	}
}

// choosy are Executions that refuse or hang at some tasks.
type choosy struct {
	*tasktest.Executions
	refuse, hang task.ID
}

func (c choosy) Start(ctx context.Context, m task.Message) error {
	switch m.TaskID {
	case c.refuse:
		return task.Errorf(task.Unavailable, "throttled")
	case c.hang:
		<-ctx.Done()
		return task.Errorf(task.Unavailable, "start: %w", ctx.Err())
	}
	return c.Executions.Start(ctx, m)
}

func TestHandleFailsNoMessageForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.h.Executions = choosy{b.executions, message(3).TaskID, message(4).TaskID}
		bodies := []string{message(1).Body(), "hello"}
		want := []task.Message{message(1)}
		for n := 3; n <= 3*concurrency; n++ {
			bodies = append(bodies, message(n).Body())
			if n > 4 {
				want = append(want, message(n))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		for range 2 {
			resp, err := b.h.Handle(ctx, batchOf(bodies...))
			if err != nil {
				t.Fatal(err)
			}
			if ctx.Err() != nil {
				t.Error("the batch was not answered in time")
			}
			failures := []events.SQSBatchItemFailure{{ItemIdentifier: "3"}, {ItemIdentifier: "4"}}
			if diff := cmp.Diff(failures, resp.BatchItemFailures); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, b.started()); diff != "" {
				t.Errorf("started (-want +got):\n%s", diff)
			}
		}
		if got := b.metrics.Total(task.FailedStarts); got != 4 {
			t.Errorf("FailedStarts: got %d, want 4", got)
		}
	})
}

// silent are Metrics that never answer.
type silent struct{ *tasktest.Metrics }

func (silent) Count(ctx context.Context, _ task.Metric, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// A batch whose answer is late comes again whole, with what was started.
func TestHandleWaitsForNoMetric(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.h.Executions = choosy{b.executions, "", message(2).TaskID}
		b.h.Metrics = silent{b.metrics}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		resp, err := b.h.Handle(ctx, batchOf(message(1).Body(), message(2).Body()))
		if err != nil || len(resp.BatchItemFailures) != 1 || ctx.Err() != nil {
			t.Errorf("got the failures %v, %v, and the time was up: %v; want one failure, in time", resp.BatchItemFailures, err, ctx.Err())
		}
	})
}

func TestHandleReportsWhatItHadNoTimeFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := newBench()
	b.h.Executions = choosy{b.executions, "", message(1).TaskID}
	resp, err := b.h.Handle(ctx, batchOf(slices.Repeat([]string{message(1).Body()}, 3*concurrency)...))
	if err != nil || len(resp.BatchItemFailures) != 3*concurrency {
		t.Errorf("got %d failures, %v, want all %d", len(resp.BatchItemFailures), err, 3*concurrency)
	}
}
