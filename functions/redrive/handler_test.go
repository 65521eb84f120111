package redrive

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/api"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const id = task.ID("01939a3e-7c00-7000-8000-000000000001")

func newHandler() (*Handler, *tasktest.Store, *tasktest.Queue) {
	store, queue := tasktest.NewStore(), tasktest.NewQueue()
	dead := task.New(id, "42", time.Now())
	dead.DeadLetter(task.MarkRequest{DeadLetter: task.DeadLetter{Message: dead.Message()}, Now: task.At(time.Now())})
	store.Put(dead)
	return &Handler{Store: store, Queue: queue, Log: slog.New(slog.DiscardHandler)}, store, queue
}

func request() api.Request {
	return api.Request{
		RouteKey: api.RedriveRoute, RawPath: "/local/tasks/" + string(id) + "/redrive",
		PathParameters: map[string]string{"taskId": string(id)},
	}
}

func TestHandleRedrivesOnce(t *testing.T) {
	t.Parallel()
	for name, sendsItself := range map[string]bool{"on a host that queues with the record": false, "on one that has to send": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, store, queue := newHandler()
				if !sendsItself {
					store.Queue = queue
				}
				resp, err := h.Handle(t.Context(), request())
				if err != nil || resp.StatusCode != 202 || resp.Headers["Location"] != "/local/tasks/"+string(id) {
					t.Errorf("got %d %v, %v, want 202 with the task's Location", resp.StatusCode, resp.Headers, err)
				}
				var got map[string]any
				if err := json.Unmarshal([]byte(resp.Body), &got); err != nil {
					t.Fatal(err)
				}
				want := map[string]any{"taskId": string(id), "run": 2.0, "status": "PENDING", "message": "Task redriven successfully"}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("body (-want +got):\n%s", diff)
				}
				if resp, _ := h.Handle(t.Context(), request()); resp.StatusCode != 409 {
					t.Errorf("second: got %d, want 409", resp.StatusCode)
				}
				if diff := cmp.Diff([]task.Message{{TaskID: id, Run: 2}}, queue.Messages()); diff != "" {
					t.Errorf("queued (-want +got):\n%s", diff)
				}
				rec, err := store.Get(t.Context(), id)
				if err != nil || rec.Run != 2 || rec.Status != task.Pending || !rec.ExpiresAt.IsZero() {
					t.Errorf("got run %d, %s, expiry %q, %v, want run 2, PENDING, none", rec.Run, rec.Status, rec.ExpiresAt, err)
				}
			})
		})
	}
}

func TestHandleLeavesAFailedSendToReconcile(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h, _, queue := newHandler()
	h.Log = slog.New(slog.NewJSONHandler(&log, nil))
	queue.FailBefore("Send", task.Errorf(task.Unavailable, "away"))
	if resp, _ := h.Handle(t.Context(), request()); resp.StatusCode != 202 {
		t.Errorf("got %d %s, want 202", resp.StatusCode, resp.Body)
	}
	if !strings.Contains(log.String(), `"level":"WARN"`) || !strings.Contains(log.String(), string(id)) {
		t.Errorf("logged %q, want a warning with the id", log.String())
	}
}

func TestHandleWithoutTheStore(t *testing.T) {
	t.Parallel()
	h, store, _ := newHandler()
	store.FailBefore("Redrive", task.Errorf(task.Unavailable, "away"))
	if resp, _ := h.Handle(t.Context(), request()); resp.StatusCode != 503 || resp.Headers["Retry-After"] == "" {
		t.Errorf("got %d %v, want 503 with Retry-After", resp.StatusCode, resp.Headers)
	}
	if resp, _ := h.Handle(t.Context(), request()); resp.StatusCode != 202 {
		t.Errorf("second: got %d, want 202", resp.StatusCode)
	}
}
