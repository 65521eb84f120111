package host

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

// heldWorker holds each task until it is let go.
type heldWorker struct {
	mu   sync.Mutex
	held map[task.ID]chan struct{}
}

func (w *heldWorker) hold(id task.ID) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[id] == nil {
		w.held[id] = make(chan struct{})
	}
	return w.held[id]
}

func (w *heldWorker) Work(ctx context.Context, t task.Task) error {
	select {
	case <-w.hold(t.ID):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestExecutions(t *testing.T) {
	t.Parallel()
	tasktest.ExerciseExecutions(t, func(t *testing.T) tasktest.ExecutionsUnderTest {
		worker := &heldWorker{held: map[task.ID]chan struct{}{}}
		h, err := New(Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Worker: worker, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			h.executions.stop()
			h.cancel()
			h.executions.running.Wait()
			h.Close()
		})
		return tasktest.ExecutionsUnderTest{
			Executions: h.executions,
			Prepare: func(t *testing.T, m task.Message) {
				if err := tasktest.Create(t.Context(), h.db, task.New(m.TaskID, "x", time.Now())); err != nil {
					t.Fatal(err)
				}
			},
			End: func(m task.Message) task.ExecutionOutcome {
				close(worker.hold(m.TaskID))
				return task.ExecutionOutcome{Status: task.ExecutionSucceeded}
			},
		}
	})
}

// The heap gives the timers in the order of their times, whatever the order in
// which they were set.
func TestTimers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		timers := newTimers()
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		var fired []time.Duration
		done := make(chan struct{})
		go func() {
			timers.run(ctx, func(x timer) {
				if late := time.Since(x.at); late != 0 {
					t.Errorf("fired %v late", late)
				}
				fired = append(fired, time.Since(began))
			})
			close(done)
		}()
		for _, s := range []int{5, 1, 9, 3} {
			timers.set(time.Duration(s)*time.Second, timer{ref: int64(s)})
		}
		pass(2 * time.Second)
		timers.set(500*time.Millisecond, timer{}) // earlier than the one that is waited for
		pass(10 * time.Second)
		stop()
		<-done
		want := []time.Duration{1e9, 2.5e9, 3e9, 5e9, 9e9}
		if len(fired) != len(want) {
			t.Fatalf("got %v, want %v", fired, want)
		}
		for i := range want {
			if fired[i] != want[i] {
				t.Errorf("got %v, want %v", fired, want)
				break
			}
		}
	})
}

// An execution whose journal this version can't replay does not keep its task
// open for ever.
func TestAnExecutionThatCannotBeResumed(t *testing.T) {
	t.Parallel()
	for name, journal := range map[string]string{
		"with an event that makes no sense": `{"k":"nonsense"}`,
		"without a beginning":               ``,
		"with half an event":                `{"k":"start","t":"2026-01-02T03:04:05Z","s":{"sd":7}}` + "\n" + `{"k":"ok"`,
		"with something after its events":   `{"k":"start","t":"2026-01-02T03:04:05Z","s":{"sd":7}}` + "\n" + `]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				worker := &heldWorker{held: map[task.ID]chan struct{}{}}
				h := serveTest(t, path, worker)
				id := h.submit("x")
				pass(time.Second)
				h.want(id, task.Processing, 1)
				m := task.Message{TaskID: id, Run: 1}
				if err := h.db.SaveExecution(t.Context(), taskdb.Execution{Message: m, Status: task.ExecutionRunning, Journal: []byte(journal)}); err != nil {
					t.Fatal(err)
				}
				h.kill()
				h = serveTest(t, path, worker)
				defer h.shutdown()
				pass(time.Hour)
				got := h.want(id, task.DLQ, 1)
				if got.ErrorType != string(task.Abandoned) || got.ErrorMessage == "" {
					t.Errorf("got error %q, %q, want one of type %s", got.ErrorType, got.ErrorMessage, task.Abandoned)
				}
				if w := h.do("GET", "/tasks/"+string(id)+"/history", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"source":"attempts"`) {
					t.Errorf("history: got %d %s, want what the attempts tell", w.Code, w.Body)
				}
			})
		})
	}
}

// A start waits for another one of the same execution, which waits for the file, no
// longer than its context lets it.
func TestASecondStartGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		h := serveConfig(t, Config{
			Database: filepath.Join(t.TempDir(), "tasks.db"), Worker: workerFunc(func(context.Context, task.Task) error { return nil }),
			Intercept: func(op taskdb.Operation, do func() error) error {
				if op.Name == "StartExecution" {
					<-held
				}
				return do()
			},
		})
		defer h.shutdown()
		id := h.submit("x")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.executions.Start(ctx, task.Message{TaskID: id, Run: 1}); !task.IsKind(err, task.Unavailable) {
			t.Errorf("got %v, want an error of kind %s", err, task.Unavailable)
		}
		close(held)
		synctest.Wait()
		h.want(id, task.Processed, 1)
	})
}

// crash is kill that leaves the file as kill -9 does: not closed.
func (h *testHost) crash(path string) {
	h.t.Helper()
	reader, err := sql.Open("sqlite", "file:"+path+"?mode=ro") // which can't close it either
	if err == nil {
		reader.SetMaxOpenConns(1)
		_, err = reader.Exec(`BEGIN; SELECT 1 FROM tasks`)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.kill()
	if err := reader.Close(); err != nil {
		h.t.Error(err)
	}
}

// A worker that kills its host whenever it runs ends in the DLQ, and the tasks beside it do
// not, whether they are shorter than its retries' waits or longer.
func TestAWorkerThatKillsItsHost(t *testing.T) {
	t.Parallel()
	for _, needs := range []time.Duration{2 * time.Second, 30 * time.Second} {
		t.Run(needs.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				kill := make(chan struct{})
				worker := workerFunc(func(ctx context.Context, t task.Task) error {
					done := time.After(needs)
					if t.Answer == "kill" {
						kill <- struct{}{}
						done = nil
					}
					select {
					case <-done:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				h := serveTest(t, path, worker)
				var beside []task.ID
				for range 10 {
					beside = append(beside, h.submit("takes its time"))
				}
				killer := h.submit("kill")
				for range 10 {
					beside = append(beside, h.submit("takes its time"))
				}
				for range 3 * task.MaxInterruptions {
					<-kill
					h.crash(path)
					h = serveTest(t, path, worker)
				}
				defer h.shutdown()
				pass(time.Hour)
				h.want(killer, task.DLQ, 3*task.MaxInterruptions)
				for _, id := range beside {
					if got := h.get(id); got.Status != task.Processed {
						t.Errorf("got %s: %s after %d attempts, want PROCESSED", got.Status, got.ErrorMessage, len(got.Attempts))
					}
				}
			})
		})
	}
}

// What a host that was stopped has cut off begins again at once, also the second time.
func TestAHostThatIsStoppedTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		worker := workerFunc(func(ctx context.Context, _ task.Task) error {
			select {
			case <-time.After(30 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		h := serveTest(t, path, worker)
		ids := []task.ID{h.submit("one"), h.submit("another")}
		for range task.MaxInterruptions - 1 {
			pass(time.Second)
			h.shutdown()
			h = serveTest(t, path, worker)
		}
		defer h.shutdown()
		pass(30 * time.Second)
		for _, id := range ids {
			h.want(id, task.Processed, task.MaxInterruptions)
		}
	})
}
