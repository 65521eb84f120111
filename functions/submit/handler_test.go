package submit

import (
	"encoding/json"
	"log/slog"
	"maps"
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

func TestHandleAcceptsARequestWithAKeyOnce(t *testing.T) {
	t.Parallel()
	h, store, queue := newHandler(true)
	send := func(key, body string) api.Response {
		t.Helper()
		req := post("")
		req.Headers["idempotency-key"], req.Body = key, body
		resp, err := h.Handle(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	first := send("order 4711", `{"answer": "42"}`)
	if first.StatusCode != 202 || first.Headers["Idempotent-Replayed"] != "" {
		t.Fatalf("got %+v, want 202 for a new task", first)
	}
	for _, body := range []string{`{"answer": "42"}`, ` { "answer" : "\u0034\u0032" } `} { // the same request
		want := first
		want.Headers = maps.Clone(first.Headers)
		want.Headers["Idempotent-Replayed"] = "true"
		if diff := cmp.Diff(want, send("order 4711", body)); diff != "" {
			t.Errorf("%s again (-want +got):\n%s", body, diff)
		}
	}
	if got := send("order 4711", `{"answer": "43"}`); got.StatusCode != 422 || !strings.Contains(got.Body, "idempotency key") {
		t.Errorf("another request with the key: got %d %s, want 422", got.StatusCode, got.Body)
	}
	if got := send("order 4712", `{"answer": "42"}`); got.StatusCode != 202 || got.Body == first.Body {
		t.Errorf("the request with another key: got %d %s, want 202 for another task", got.StatusCode, got.Body)
	}
	store.FailAfter("Create", task.Errorf(task.Unavailable, "away")) // it is durable, and nobody is told
	if got := send("order 4713", `{"answer": "42"}`); got.StatusCode != 503 {
		t.Errorf("got %d, want 503", got.StatusCode)
	}
	if got := send("order 4713", `{"answer": "42"}`); got.StatusCode != 202 || got.Headers["Idempotent-Replayed"] != "true" {
		t.Errorf("sent again: got %+v, want 202 for the task of the request before", got)
	}
	if got := len(queue.Messages()); got != 2 {
		t.Errorf("got %d messages, want one for each task whose request knew of it", got)
	}
	for key, status := range map[string]int{
		" ~": 202, strings.Repeat("k", 255): 202,
		"": 400, strings.Repeat("k", 256): 400, "a\tb": 400, "a\x7f": 400, "é": 400,
	} {
		if got := send(key, `{"answer": "42"}`); got.StatusCode != status {
			t.Errorf("the key %q: got %d %s, want %d", key, got.StatusCode, got.Body, status)
		}
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
