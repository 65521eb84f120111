package host

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

// A host with as many unfinished tasks as it may have accepts no more, whichever
// way they come, until some are finished.
func TestAFullBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 20
		release := make(chan struct{})
		worker := workerFunc(func(ctx context.Context, t task.Task) error {
			if t.Answer == "dead" && t.Run == 1 {
				return task.Permanent(errors.New("no"))
			}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		cfg := Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Worker: worker, MaxBacklog: limit}
		h := serveConfig(t, cfg)
		dead := h.submit("dead")
		pass(time.Second)
		h.want(dead, task.DLQ, 1)

		var accepted atomic.Int64
		var clients sync.WaitGroup
		for range 2 * limit { // at once; more than one time, because requests that are on their way count too
			clients.Go(func() {
				for range limit {
					switch w := h.do("POST", "/tasks", `{"answer":"x"}`); w.Code {
					case http.StatusAccepted:
						accepted.Add(1)
					case http.StatusTooManyRequests:
					default:
						t.Errorf("got %d %s, want 202 or 429", w.Code, w.Body)
					}
				}
			})
		}
		clients.Wait()
		if got := accepted.Load(); got != limit {
			t.Fatalf("accepted %d tasks, want %d", got, limit)
		}
		refused := func() {
			t.Helper()
			for _, w := range []*httptest.ResponseRecorder{
				h.do("POST", "/tasks", `{"answer":"x"}`),
				h.do("POST", "/tasks/batch", `{"tasks":[{"answer":"x"}]}`),
				h.do("POST", "/tasks/"+string(dead)+"/redrive", ""),
				h.do("POST", "/tasks/redrive", "{}"),
			} {
				var p api.Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != http.StatusTooManyRequests || w.Code != p.Status || w.Header().Get("Retry-After") == "" {
					t.Errorf("got %d %v %s, want a problem 429 with Retry-After", w.Code, w.Header(), w.Body)
				}
			}
			h.want(dead, task.DLQ, 1)
			if w := h.do("GET", "/tasks", ""); w.Code != http.StatusOK {
				t.Errorf("reading: got %d %s, want 200", w.Code, w.Body)
			}
		}
		refused()

		h.kill() // what is unfinished is known at once when it is back
		h = serveConfig(t, cfg)
		defer h.shutdown()
		refused()

		close(release)
		pass(time.Second)
		if w := h.do("POST", "/tasks/"+string(dead)+"/redrive", ""); w.Code != http.StatusAccepted {
			t.Errorf("redrive: got %d %s, want 202", w.Code, w.Body)
		}
		pass(time.Second)
		if w := h.do("POST", "/tasks/batch", `{"tasks":[{"answer":"x"}]}`); w.Code != http.StatusOK {
			t.Errorf("batch: got %d %s, want 200", w.Code, w.Body)
		}
		pass(time.Second)
		page, err := h.db.List(t.Context(), task.Query{Filter: task.Filter{Status: task.Processed}, Limit: 100})
		if err != nil || len(page.Tasks) != limit+2 || h.db.Backlog() != 0 {
			t.Errorf("got %d tasks processed and a backlog of %d, %v, want %d and 0", len(page.Tasks), h.db.Backlog(), err, limit+2)
		}
	})
}
