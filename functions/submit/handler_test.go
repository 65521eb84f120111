package submit

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/api"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

func newHandler(sendsItself bool) (*Handler, *tasktest.Store, *tasktest.Queue) {
	store, queue := tasktest.NewStore(), tasktest.NewQueue()
	if !sendsItself {
		store.Queue = queue
	}
	return &Handler{Store: store, Queue: queue, Log: slog.New(slog.DiscardHandler)}, store, queue
}

func post(answer string) api.Request {
	body, err := json.Marshal(map[string]string{"answer": answer})
	if err != nil {
		panic(err)
	}
	return api.Request{
		RouteKey: api.SubmitRoute, RawPath: "/local/tasks", Body: string(body),
		Headers: map[string]string{"content-type": "application/json"},
	}
}

var accepted = regexp.MustCompile(`^\{"taskId":"([0-9a-f-]{36})","status":"PENDING","message":"Task submitted successfully"\}$`)

func TestHandleAcceptsATask(t *testing.T) {
	t.Parallel()
	for name, sendsItself := range map[string]bool{"on a host that queues with the record": false, "on one that has to send": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, store, queue := newHandler(sendsItself)
				var want []task.Message
				for range 2 { // the same request twice is two tasks
					resp, err := h.Handle(t.Context(), post(" 42 <\x00> "))
					if err != nil || resp.StatusCode != 202 {
						t.Fatalf("got %d %s, %v, want 202", resp.StatusCode, resp.Body, err)
					}
					m := accepted.FindStringSubmatch(resp.Body)
					if m == nil {
						t.Fatalf("got the body %s", resp.Body)
					}
					id := task.ID(m[1])
					if got, want := resp.Headers["Location"], "/local/tasks/"+m[1]; got != want {
						t.Errorf("Location: got %q, want %q", got, want)
					}
					got, err := store.Get(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(task.New(id, " 42 <\x00> ", time.Now()), got); diff != "" {
						t.Errorf("record (-want +got):\n%s", diff)
					}
					want = append(want, task.Message{TaskID: id, Run: 1})
				}
				if diff := cmp.Diff(want, queue.Messages()); diff != "" {
					t.Errorf("queued (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestHandleAcceptsTheLongestAnswer(t *testing.T) {
	t.Parallel()
	h, _, _ := newHandler(true)
	if resp, _ := h.Handle(t.Context(), post(strings.Repeat("x", task.MaxAnswerBytes))); resp.StatusCode != 202 {
		t.Errorf("got %d, want 202", resp.StatusCode)
	}
}

func TestHandleLeavesAFailedSendToReconcile(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h, store, queue := newHandler(true)
	h.Log = slog.New(slog.NewJSONHandler(&log, nil))
	queue.FailBefore("Send", task.Errorf(task.Unavailable, "away"))
	resp, _ := h.Handle(t.Context(), post("the-answer"))
	m := accepted.FindStringSubmatch(resp.Body)
	if resp.StatusCode != 202 || m == nil {
		t.Fatalf("got %d %s, want 202", resp.StatusCode, resp.Body)
	}
	if _, err := store.Get(t.Context(), task.ID(m[1])); err != nil {
		t.Errorf("got %v, want the record", err)
	}
	if !strings.Contains(log.String(), `"level":"WARN"`) || !strings.Contains(log.String(), m[1]) || strings.Contains(log.String(), "the-answer") {
		t.Errorf("logged %q, want a warning with the id and without the answer", log.String())
	}
}

func TestHandleAcknowledgesNothingThatIsNotStored(t *testing.T) {
	t.Parallel()
	h, _, queue := newHandler(true)
	h.Store.(*tasktest.Store).FailBefore("Create", task.Errorf(task.Unavailable, "the disk is full"))
	resp, err := h.Handle(t.Context(), post("42"))
	if err != nil || resp.StatusCode != 503 || resp.Headers["Retry-After"] == "" {
		t.Errorf("got %d %v, %v, want 503 with Retry-After", resp.StatusCode, resp.Headers, err)
	}
	if len(queue.Messages()) != 0 {
		t.Error("a message was sent")
	}
	if resp, _ := h.Handle(t.Context(), post("42")); resp.StatusCode != 202 {
		t.Errorf("second: got %d, want 202", resp.StatusCode)
	}
}
