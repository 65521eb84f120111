package process

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"tasks/internal/task"
)

// shutsDown is a Store whose host shuts down when an outcome is about to be
// recorded. As those of the hosts, it does nothing in a context that has ended.
type shutsDown struct {
	task.Store
	host context.CancelFunc
}

func (s shutsDown) Finish(ctx context.Context, r task.FinishRequest) error {
	s.host()
	if err := ctx.Err(); err != nil {
		return task.Errorf(task.Unavailable, "finish: %w", err)
	}
	return s.Store.Finish(ctx, r)
}

var unavailable = task.Errorf(task.Unavailable, "the store is away")

func TestHandleWithoutTheStore(t *testing.T) {
	t.Parallel()
	luck := func(context.Context, task.Task) error { return nil }
	noLuck := func(context.Context, task.Task) error { return errors.New("no luck") }
	never := func(context.Context, task.Task) error { return task.Permanent(errors.New("never")) }
	processed, skipped := result{Outcome: Processed}, result{Outcome: Skipped}
	failure := func(kind task.Kind) result { return result{Kind: kind} }
	tests := []struct {
		name          string
		work          func(context.Context, task.Task) error
		op            string
		applied       bool // the operation was done, and its answer lost
		first, second result
		calls         int
	}{
		{"uses up nothing when it can't claim", luck, "Claim", false, failure(task.Unavailable), processed, 1},
		{"uses up nothing when it doesn't know of its claim", luck, "Claim", true, failure(task.Unavailable), processed, 1},
		{"runs the worker again when a success is not recorded", luck, "Finish", false, failure(task.Unrecorded), processed, 2},
		{"skips when a success was recorded after all", luck, "Finish", true, failure(task.Unrecorded), skipped, 1},
		{"runs the worker again when an error is not recorded", noLuck, "Finish", false, failure(task.Unrecorded), failure(task.WorkerError), 2},
		{"answers with the error when it was recorded after all", noLuck, "Finish", true, failure(task.Unrecorded), failure(task.WorkerError), 1},
		{"keeps a permanent error permanent", never, "Finish", false, failure(task.PermanentError), failure(task.PermanentError), 2},
		{"keeps a permanent error that was recorded after all", never, "Finish", true, failure(task.PermanentError), failure(task.PermanentError), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.work)
				if tt.applied {
					b.store.FailAfter(tt.op, unavailable)
				} else {
					b.store.FailBefore(tt.op, unavailable)
				}
				b.want(input(0), tt.first)
				b.want(input(0), tt.second)
				if int(b.worker.calls.Load()) != tt.calls {
					t.Errorf("the worker was called %d times, want %d", b.worker.calls.Load(), tt.calls)
				}
				if got := b.record().Retries; got != 0 {
					t.Errorf("got %d retries, want 0", got)
				}
			})
		})
	}
}

func TestHandleTellsTheOutcomeThatIsNotRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(context.Context, task.Task) error { return errors.New("no luck") })
	b.store.FailBefore("Finish", unavailable)
	_, err := b.invoke(input(0))
	if err == nil || !strings.Contains(err.Error(), "no luck") || !errors.Is(err, unavailable) {
		t.Errorf("got %v, want the worker's error and the store's in it", err)
	}
}

func TestHandleThatHasLostItsTask(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"succeeds": nil, "fails": errors.New("no luck")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var b *bench
				b = newBench(t, func(context.Context, task.Task) error {
					rec := b.record()
					rec.Owner = "another"
					b.store.Put(rec)
					return failure
				})
				b.want(input(0), result{Outcome: Superseded})
				if got := b.record(); got.Status != task.Processing || got.Owner != "another" {
					t.Errorf("got %s of %q, want the record as the other left it", got.Status, got.Owner)
				}
			})
		})
	}
}
