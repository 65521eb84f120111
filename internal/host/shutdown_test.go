package host

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

func TestShutdown(t *testing.T) {
	t.Parallel()
	work := func(d time.Duration) workerFunc {
		return func(ctx context.Context, _ task.Task) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	t.Run("lets finish what is in flight", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			h := serveTest(t, path, work(8*time.Second))
			id := h.submit("x")
			pass(time.Second)
			began := time.Now()
			h.shutdown()
			if took := time.Since(began); took != 7*time.Second {
				t.Errorf("took %v, want the 7 s that the worker needed", took)
			}
			h = serveTest(t, path, work(0))
			defer h.shutdown()
			h.want(id, task.Processed, 1)
		})
	})
	t.Run("cuts off what takes longer, to be run again", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			h := serveTest(t, path, work(time.Minute))
			id := h.submit("x")
			pass(time.Second)
			began := time.Now()
			h.shutdown()
			if took := time.Since(began); took != stopWithin {
				t.Errorf("took %v, want %v", took, stopWithin)
			}
			h = serveTest(t, path, work(0))
			defer h.shutdown()
			pass(time.Second)
			got := h.want(id, task.Processed, 2)
			if !got.Attempts[0].NotCounted {
				t.Errorf("the attempt that was cut off counts: %+v", got.Attempts[0])
			}
		})
	})
	t.Run("begins nothing new while something still runs", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var began []string
			cfg := Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Log: slog.New(slog.DiscardHandler)}
			cfg.Worker = workerFunc(func(_ context.Context, t task.Task) error {
				began = append(began, t.Answer)
				if len(t.Attempts) == 1 {
					return errors.New("once")
				}
				if t.Answer == "dies" {
					<-time.After(5 * time.Second)
					return task.Permanent(errors.New("no"))
				}
				return nil
			})
			one, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			one.executions.slots = newSlots(1)
			h := serveHost(t, one)
			dies := h.submit("dies")
			pass(100 * time.Millisecond)
			inLine := h.submit("in line")
			pass(1400 * time.Millisecond)
			retried := h.submit("retried")
			pass(time.Second)
			h.shutdown() // at 2.5 s; a retry is due at 3.5 s, and the slot is free at 7 s
			if diff := cmp.Diff([]string{"dies", "in line", "retried", "dies"}, began); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
			h = serveConfig(t, cfg)
			defer h.shutdown()
			pass(time.Second)
			h.want(dies, task.DLQ, 2)
			h.want(inLine, task.Processed, 2)
			h.want(retried, task.Processed, 2)
		})
	})
}
