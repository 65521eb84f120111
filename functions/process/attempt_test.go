package process

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
)

// brokenError is an error whose message panics.
type brokenError struct{ message *string }

func (e *brokenError) Error() string { return *e.message }

func TestHandleRecordsWhyTheWorkerFailed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		work    func(ctx context.Context, t task.Task) error
		kind    task.Kind
		message string // the record's begins so
	}{
		{"an error", func(context.Context, task.Task) error { return errors.New("no luck") }, task.WorkerError, "no luck"},
		{"an error without a message", func(context.Context, task.Task) error { return errors.New("") }, task.WorkerError, "*errors.errorString without"},
		{"a permanent error", func(context.Context, task.Task) error { return task.Permanent(errors.New("never")) }, task.PermanentError, "never"},
		{
			"a wrapped permanent error",
			func(context.Context, task.Task) error {
				return fmt.Errorf("parse: %w", task.Permanent(errors.New("never")))
			},
			task.PermanentError, "parse: never",
		},
		{
			"a permanent error below another of the domain",
			func(context.Context, task.Task) error {
				return task.Errorf(task.Invalid, "parse: %w", task.Permanent(errors.New("never")))
			},
			task.PermanentError, "parse: never",
		},
		{
			"a kind that would use up no retry",
			func(context.Context, task.Task) error { return task.Errorf(task.Unavailable, "busy") },
			task.WorkerError, "busy",
		},
		{
			"a kind that is the host's",
			func(context.Context, task.Task) error { return task.Errorf(task.Interrupted, "cut off") },
			task.WorkerError, "cut off",
		},
		{"a panic", func(context.Context, task.Task) error { panic("at the disco") }, task.WorkerPanic, "panic: at the disco"},
		{"a panic of the error's own", func(context.Context, task.Task) error { return &brokenError{} }, task.WorkerPanic, "panic: runtime error"},
		{"an end of the goroutine", func(context.Context, task.Task) error { runtime.Goexit(); return nil }, task.WorkerPanic, "the worker ended its goroutine"},
		{
			"the end of its context",
			func(ctx context.Context, _ task.Task) error {
				<-ctx.Done()
				return fmt.Errorf("call: %w", ctx.Err())
			},
			task.WorkerTimeout, "call: context deadline exceeded",
		},
		{
			"the end of a shorter context of its own",
			func(ctx context.Context, _ task.Task) error {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				<-ctx.Done()
				return fmt.Errorf("call: %w", ctx.Err())
			},
			task.WorkerError, "call: context deadline exceeded",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.work)
				b.h.LeftBehind = func() { t.Error("the worker has returned and is said to be left behind") }
				b.want(input(0), result{Kind: tt.kind})
				b.want(input(0), result{Kind: tt.kind})
				if b.worker.calls.Load() != 1 {
					t.Errorf("the worker was called %d times, want 1", b.worker.calls.Load())
				}
				got := b.record()
				if got.Status != task.Failed || got.ErrorType != string(tt.kind) || !strings.HasPrefix(got.ErrorMessage, tt.message) {
					t.Errorf("got %s with %s: %q, want FAILED with %s: %q", got.Status, got.ErrorType, got.ErrorMessage, tt.kind, tt.message)
				}
			})
		})
	}
}

func TestFailureOfTellsATimeout(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want task.Kind
	}{
		{"its context's end", over, fmt.Errorf("call: %w", context.DeadlineExceeded), task.WorkerTimeout},
		{"another context's end", t.Context(), context.DeadlineExceeded, task.WorkerError},
		{"another error in the end", over, errors.New("no luck"), task.WorkerError},
		{"a permanent error in the end", over, task.Permanent(context.DeadlineExceeded), task.PermanentError},
	}
	for _, tt := range tests {
		if got := failureOf(tt.ctx, tt.err).Kind; got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestHandleLeavesAWorkerBehindInTimeToSaySo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		invocation, want time.Duration
	}{
		{"two seconds before a distant deadline", time.Minute, 58*time.Second + 200*time.Millisecond},
		{"a tenth before a near one", 10 * time.Second, 9*time.Second + 100*time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release, gone := make(chan struct{}), make(chan struct{})
				b := newBench(t, func(context.Context, task.Task) error {
					defer close(gone)
					<-release
					return nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), tt.invocation)
				defer cancel()
				var recorded task.Status
				b.h.LeftBehind = func() { recorded = b.record().Status }
				start := time.Now()
				_, err := b.h.Handle(ctx, input(0))
				if task.KindOf(err) != task.WorkerTimeout {
					t.Errorf("got %v, want a Timeout", err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("the worker had %v, want %v", got, tt.want)
				}
				before := b.record()
				if before.Status != task.Failed || before.ErrorType != "Timeout" {
					t.Errorf("got %s with %s, want FAILED with Timeout", before.Status, before.ErrorType)
				}
				if recorded != task.Failed {
					t.Errorf("it was said to be left behind when the record was %q, want FAILED", recorded)
				}
				close(release) // the zombie succeeds
				<-gone
				synctest.Wait()
				if got := b.record(); got.Status != before.Status || got.UpdatedAt != before.UpdatedAt {
					t.Errorf("the zombie changed the record to %s", got.Status)
				}
				b.want(input(0), result{Kind: task.WorkerTimeout})
			})
		})
	}
}

func TestHandleWhenTheHostShutsDown(t *testing.T) {
	t.Parallel()

	t.Run("records nothing of a worker that was cut off", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(ctx context.Context, _ task.Task) error {
				<-ctx.Done()
				return ctx.Err()
			})
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			time.AfterFunc(time.Second, cancel)
			if _, err := b.h.Handle(ctx, input(0)); task.KindOf(err) != task.Interrupted {
				t.Errorf("got %v, want Interrupted", err)
			}
			if got := b.record(); got.Status != task.Processing || got.Attempts[0].ErrorType != "" {
				t.Errorf("got %s with %+v, want PROCESSING with an open attempt", got.Status, got.Attempts)
			}
			next := *b.h
			next.Worker = &workerFunc{}
			b.h = &next // the zombie has the other
			b.want(input(0), result{Outcome: Processed})
			if got := b.record(); got.Retries != 0 {
				t.Errorf("the interruption used up a retry: got %d, want 0", got.Retries)
			}
		})
	})

	t.Run("records a success all the same", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			b := newBench(t, nil)
			b.h.Store = shutsDown{b.store, cancel}
			if out, err := b.h.Handle(ctx, input(0)); err != nil || out.Outcome != Processed {
				t.Errorf("got %q, %v, want processed", out.Outcome, err)
			}
			b.want(input(0), result{Outcome: Skipped})
		})
	})

	t.Run("is interrupted in its claim", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		b.store.FailAfter("Claim", context.Canceled)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.h.Handle(ctx, input(0)); task.KindOf(err) != task.Interrupted {
			t.Errorf("got %v, want Interrupted", err)
		}
		b.want(input(0), result{Outcome: Processed})
	})
}
