package host

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/taskdb"
)

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines.Write(p)
}

// count returns how many lines there are with the text in them.
func (b *logBuffer) count(text string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.lines.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func TestAnOutageOfTheFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var broken atomic.Bool
		h := serveConfig(t, Config{
			Database: filepath.Join(t.TempDir(), "tasks.db"),
			Log:      slog.New(slog.NewJSONHandler(&log, nil)),
			Worker: workerFunc(func(_ context.Context, t task.Task) error {
				if t.Answer == "dead" || len(t.Attempts) == 1 {
					return errors.New("no")
				}
				return nil
			}),
			Intercept: func(_ taskdb.Operation, do func() error) error {
				if broken.Load() {
					return task.Errorf(task.Unavailable, "disk I/O error")
				}
				return do()
			},
		})
		defer h.shutdown()
		var ids []task.ID
		for range 50 {
			ids = append(ids, h.submit("succeeds"), h.submit("dead"))
		}
		pass(time.Second)
		for _, id := range ids {
			h.want(id, task.Failed, 1)
		}

		broken.Store(true)
		for range 600 {
			w := h.do("POST", "/tasks", `{"answer":"x"}`)
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Send the request again") {
				t.Fatalf("got %d %v %s, want 503 with Retry-After and what to do", w.Code, w.Header(), w.Body)
			}
			pass(time.Second)
		}
		reconciled := log.count(`"function":"reconcile"`) // every minute
		if began := log.count("the database can't be used"); began != 1 || reconciled > 10 || log.count("") != began+reconciled {
			t.Errorf("want one line that says what is wrong in these ten minutes, and reconcile's:\n%s", log.lines.String())
		}

		broken.Store(false)
		pass(time.Minute)
		for i, id := range ids {
			want, attempts := task.Processed, 2
			if i%2 == 1 {
				want, attempts = task.DLQ, 3
			}
			h.want(id, want, attempts)
		}
		if ended, dead := log.count("the database can be used again"), log.count("DLQ_MESSAGE"); ended != 1 || dead != 50 || log.count("") != 52+reconciled {
			t.Errorf("after it %d lines say that it is over, %d that a task is dead, want 1 and 50:\n%s", ended, dead, log.lines.String())
		}
		id := h.submit("new")
		pass(10 * time.Second)
		h.want(id, task.Processed, 2)
	})
}

// TestAStartThatTheFileFails is made again soon, and does not count: its message is not
// to blame.
func TestAStartThatTheFileFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var failures atomic.Int64
		h := serveConfig(t, Config{
			Database: filepath.Join(t.TempDir(), "tasks.db"),
			Worker:   workerFunc(func(context.Context, task.Task) error { return nil }),
			Intercept: func(op taskdb.Operation, do func() error) error {
				if op.Name == "StartExecution" && failures.Add(1) <= 10 {
					return task.Errorf(task.Unavailable, "disk I/O error")
				}
				return do()
			},
		})
		defer h.shutdown()
		id := h.submit("x")
		pass(10*spareAfter + time.Second)
		h.want(id, task.Processed, 1)
	})
}

// TestAnOutcomeThatIsNotWritten has the file refuse each outcome of a task, and take the
// rest: the task dies of that, unless it could not have been saved anyway.
func TestAnOutcomeThatIsNotWritten(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outcome  error
		attempts int
		want     task.Kind
	}{
		"a success":           {nil, 3, task.Unrecorded},
		"a failure":           {errors.New("no"), 3, task.Unrecorded},
		"a permanent failure": {task.Permanent(errors.New("no")), 1, task.PermanentError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				began := 0
				h := serveTest(t, path, workerFunc(func(context.Context, task.Task) error {
					began++
					return test.outcome
				}))
				defer h.shutdown()
				change(t, path, `CREATE TRIGGER broken BEFORE UPDATE ON tasks WHEN NEW.status IN ('PROCESSED', 'FAILED') BEGIN SELECT RAISE(ABORT, 'broken'); END`)
				id := h.submit("x")
				pass(time.Minute)
				if got := h.want(id, task.DLQ, test.attempts); got.ErrorType != string(test.want) || began != test.attempts {
					t.Errorf("got %s: %s after %d calls of the worker, want %s after %d", got.ErrorType, got.ErrorMessage, began, test.want, test.attempts)
				}
			})
		})
	}
}

// TestALogThatCannotBeWritten has every record of the log fail, as on a full
// disk.
func TestALogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := serveConfig(t, Config{
			Database: filepath.Join(t.TempDir(), "tasks.db"),
			Log:      slog.New(slog.NewJSONHandler(fullDisk{}, nil)),
			Worker:   workerFunc(func(context.Context, task.Task) error { return task.Permanent(errors.New("no")) }),
		})
		defer h.shutdown()
		id := h.submit("x")
		pass(time.Second)
		h.want(id, task.DLQ, 1)
		if n, err := h.db.Metrics().Sum(t.Context(), task.DeadLettered, time.Time{}); n != 1 || err != nil {
			t.Errorf("%d dead-lettered tasks are counted, %v, want 1", n, err)
		}
	})
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
