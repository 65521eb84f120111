package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tasks/functions/process"
	"tasks/internal/api"
	"tasks/internal/api/apitest"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

// workerFunc is a worker.
type workerFunc func(ctx context.Context, t task.Task) error

func (f workerFunc) Work(ctx context.Context, t task.Task) error { return f(ctx, t) }

// succeeds is the worker of tests that need none: none has the one that is compiled in.
var succeeds = workerFunc(func(context.Context, task.Task) error { return nil })

// testHost is a host that serves, without a network, in a synctest bubble.
type testHost struct {
	*Host
	t      *testing.T
	stop   context.CancelFunc
	served chan error
}

// serveTest serves the file at path; tasks are retried by tasktest.Retries.
func serveTest(t *testing.T, path string, worker process.Worker) *testHost {
	t.Helper()
	return serveConfig(t, Config{Database: path, Worker: worker})
}

func serveConfig(t *testing.T, cfg Config) *testHost {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.Worker == nil {
		cfg.Worker = succeeds
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serveHost(t, h)
}

func serveHost(t *testing.T, h *Host) *testHost {
	t.Helper()
	if err := retryBy(h, tasktest.Retries); err != nil {
		t.Fatal(err)
	}
	return serveCompiledIn(t, h)
}

// serveCompiledIn serves with the retries of the workflow that is compiled in.
func serveCompiledIn(t *testing.T, h *Host) *testHost {
	ctx, stop := context.WithCancel(context.Background())
	th := &testHost{Host: h, t: t, stop: stop, served: make(chan error, 1)}
	go func() { th.served <- h.Serve(ctx, &idleListener{closed: make(chan struct{})}) }()
	return th
}

// shutdown stops the host as a signal does.
func (h *testHost) shutdown() {
	h.t.Helper()
	h.stop()
	if err := <-h.served; err != nil {
		h.t.Errorf("Serve: %v", err)
	}
}

// kill stops the host as kill -9 does: from now on nothing reaches the file.
func (h *testHost) kill() {
	h.db.Close()
	h.cancel()
	h.stop()
	<-h.served
}

func (h *testHost) do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost/local"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.front.ServeHTTP(w, r)
	apitest.Check(h.t, apitest.Exchange{
		Method: method, Path: path, RequestHeader: r.Header, RequestBody: body,
		Status: w.Code, Header: w.Header(), Body: w.Body.String(),
	})
	return w
}

func (h *testHost) submit(answer string) task.ID {
	h.t.Helper()
	return h.submitLater(answer, 0)
}

// submitLater submits a task that is delayed.
func (h *testHost) submitLater(answer string, delaySeconds int) task.ID {
	h.t.Helper()
	body, _ := json.Marshal(map[string]any{"answer": answer, "delaySeconds": delaySeconds})
	w := h.do("POST", "/tasks", string(body))
	var accepted api.Accepted
	if err := json.Unmarshal(w.Body.Bytes(), &accepted); err != nil || w.Code != http.StatusAccepted {
		h.t.Fatalf("submit: got %d %s", w.Code, w.Body)
	}
	return accepted.TaskID
}

func (h *testHost) get(id task.ID) task.Task {
	h.t.Helper()
	t, err := h.db.Get(context.Background(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}

// want fails the test unless the task has the status and so many attempts.
func (h *testHost) want(id task.ID, status task.Status, attempts int) task.Task {
	h.t.Helper()
	t := h.get(id)
	if t.Status != status || len(t.Attempts) != attempts {
		h.t.Fatalf("task %s: got %s with %d attempts, want %s with %d: %+v", id, t.Status, len(t.Attempts), status, attempts, t.Attempts)
	}
	return t
}

// idleListener accepts nothing.
type idleListener struct {
	closed chan struct{}
	once   sync.Once
}

func (l *idleListener) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l *idleListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *idleListener) Addr() net.Addr { return &net.TCPAddr{} }

// pass lets time go by, and everything settle that happens in it.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

func TestAWaitingRetryKeepsItsDueTime(t *testing.T) {
	t.Parallel()
	failOnce := workerFunc(func(_ context.Context, t task.Task) error {
		if len(t.Attempts) == 1 {
			return errors.New("once")
		}
		return nil
	})
	for _, down := range []time.Duration{time.Second, time.Hour} {
		t.Run(fmt.Sprintf("when the host is killed and down for %v", down), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				h := serveTest(t, path, failOnce)
				id := h.submit("x")
				pass(500 * time.Millisecond)
				failed := h.want(id, task.Failed, 1)
				h.kill()
				pass(down)
				up := time.Now()
				h = serveTest(t, path, failOnce)
				defer h.shutdown()
				pass(3 * time.Second)
				got := h.want(id, task.Processed, 2)
				want := failed.Attempts[0].FinishedAt.Add(2 * time.Second)
				if want.Before(up) {
					want = up // its time is long past: at once
				}
				if late := got.Attempts[1].StartedAt.Sub(want); late < 0 || late > 500*time.Millisecond {
					t.Errorf("the retry started %v late", late)
				}
			})
		})
	}
}

func TestAnInterruptedAttemptRunsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		slow := workerFunc(func(ctx context.Context, _ task.Task) error {
			select {
			case <-time.After(10 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		h := serveTest(t, path, slow)
		id := h.submit("x")
		for range task.MaxInterruptions - 1 {
			pass(time.Second)
			h.want(id, task.Processing, len(h.get(id).Attempts))
			h.kill()
			h = serveTest(t, path, slow)
		}
		// The interruptions so far used up no retry, and cost no time.
		pass(100 * time.Millisecond)
		got := h.want(id, task.Processing, task.MaxInterruptions)
		for i, a := range got.Attempts {
			if a.Number != 1 || i < task.MaxInterruptions-1 && (!a.NotCounted || a.ErrorType != string(task.Interrupted)) {
				t.Errorf("attempt %d: got %+v, want number 1, interrupted, not counted", i, a)
			}
		}
		// The last one counts: the next attempt is the first retry, 2 s later.
		h.kill()
		h = serveTest(t, path, slow)
		defer h.shutdown()
		pass(time.Second)
		got = h.want(id, task.Failed, task.MaxInterruptions)
		if got.Attempts[task.MaxInterruptions-1].NotCounted {
			t.Errorf("interruption %d does not count", task.MaxInterruptions)
		}
		pass(12 * time.Second)
		got = h.want(id, task.Processed, task.MaxInterruptions+1)
		if last := got.Attempts[task.MaxInterruptions]; last.Number != 2 || got.Retries != 1 {
			t.Errorf("got attempt number %d and %d retries, want 2 and 1", last.Number, got.Retries)
		}
	})
}

// A host that cannot take up all that an earlier one left ends what it has taken up.
func TestAHostThatCannotResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		begun := 0
		hangs := workerFunc(func(ctx context.Context, _ task.Task) error {
			begun++
			<-ctx.Done()
			return ctx.Err()
		})
		first := serveTest(t, path, hangs)
		id := first.submit("x")
		pass(time.Second)
		first.kill()
		second := serveConfig(t, Config{Database: path, Worker: hangs, Intercept: func(op taskdb.Operation, do func() error) error {
			err := do()
			if op.Name == "RunningExecutions" {
				pass(time.Second)
				err = task.Errorf(task.Unavailable, "disk I/O error")
			}
			return err
		}})
		if err := <-second.served; !task.IsKind(err, task.Unavailable) || begun != 2 {
			t.Fatalf("Serve: got %v after %d attempts, want the failure, and 2", err, begun)
		}
		third := serveTest(t, path, workerFunc(func(context.Context, task.Task) error { return nil }))
		pass(time.Second)
		third.want(id, task.Processed, 3)
		third.shutdown()
	})
}

func TestWorkersThatMisbehave(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		worker   workerFunc
		within   time.Duration
		attempts int
		wantType task.Kind
		wantText string
	}{
		{"a panic is retried", func(context.Context, task.Task) error { panic("boom") }, 10 * time.Second, 3, task.WorkerPanic, "panic: boom"},
		{"a permanent error is not retried", func(context.Context, task.Task) error { return task.Permanent(errors.New("no such user")) }, time.Second, 1, task.PermanentError, "no such user"},
		{"nor is one that is wrapped", func(context.Context, task.Task) error {
			return fmt.Errorf("send: %w", task.Permanent(errors.New("no such user")))
		}, time.Second, 1, task.PermanentError, "send: no such user"},
		{"a wrapped error is retried", func(context.Context, task.Task) error { return fmt.Errorf("send: %w", io.ErrUnexpectedEOF) }, 10 * time.Second, 3, task.WorkerError, "send: unexpected EOF"},
		{"one that ignores its deadline is left behind", func(context.Context, task.Task) error { select {} }, 200 * time.Second, 3, task.WorkerTimeout, "the worker had not returned when its time was up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				worker := tt.worker
				if tt.wantType == task.WorkerTimeout {
					worker = func(context.Context, task.Task) error { <-end; return nil } // a bubble must end
				}
				h := serveTest(t, filepath.Join(t.TempDir(), "tasks.db"), worker)
				id := h.submit("x")
				pass(tt.within)
				got := h.want(id, task.DLQ, tt.attempts)
				if got.ErrorType != string(tt.wantType) || got.ErrorMessage != tt.wantText {
					t.Errorf("got error %q, %q, want %q, %q", got.ErrorType, got.ErrorMessage, tt.wantType, tt.wantText)
				}
				close(end)
				h.shutdown()
			})
		})
	}
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		worker := workerFunc(func(_ context.Context, t task.Task) error {
			if t.Run == 1 {
				return task.Permanent(errors.New("not yet"))
			}
			return nil
		})
		h := serveTest(t, filepath.Join(t.TempDir(), "tasks.db"), worker)
		defer h.shutdown()
		id := h.submit("x")
		pass(time.Second)
		h.want(id, task.DLQ, 1)
		if w := h.do("POST", "/tasks/"+string(id)+"/redrive", ""); w.Code != http.StatusAccepted {
			t.Fatalf("redrive: got %d %s", w.Code, w.Body)
		}
		pass(time.Second)
		got := h.want(id, task.Processed, 2)
		if got.Run != 2 || got.ErrorMessage != "" {
			t.Errorf("got run %d with error %q, want run 2 without one", got.Run, got.ErrorMessage)
		}
		if w := h.do("POST", "/tasks/"+string(id)+"/redrive", ""); w.Code != http.StatusConflict {
			t.Errorf("second redrive: got %d, want 409", w.Code)
		}
	})
}

func TestHistoryIsTheEngines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := serveTest(t, filepath.Join(t.TempDir(), "tasks.db"), workerFunc(func(context.Context, task.Task) error { return errors.New("no") }))
		defer h.shutdown()
		id := h.submit("x")
		pass(10 * time.Second)
		w := h.do("GET", "/tasks/"+string(id)+"/history", "")
		var history struct {
			Source string
			Events []struct{ Type string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &history); err != nil || w.Code != http.StatusOK {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		var types []string
		for _, e := range history.Events {
			types = append(types, e.Type)
		}
		want := "ExecutionStarted TaskStateEntered " + strings.Repeat("TaskScheduled TaskStarted TaskFailed ", 3) +
			"TaskStateExited TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited FailStateEntered ExecutionFailed"
		if got := strings.Join(types, " "); got != want || history.Source != "execution" {
			t.Errorf("got source %q and events\n%s\nwant\n%s", history.Source, got, want)
		}
	})
}
