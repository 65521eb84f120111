package submit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"regexp"
	"slices"
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
	sent := map[task.ID]int{}
	for _, m := range queue.Messages() {
		sent[m.TaskID]++
	}
	if got := slices.Sorted(maps.Values(sent)); !slices.Equal(got, []int{1, 1, 3}) {
		t.Errorf("got %v messages of a task, want one for each request that was accepted: the one before may not have sent any", got)
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

// A request is the same if it asks for the same, whatever its JSON looks like.
func TestHandleComparesAllThatARequestWithAKeyAsksFor(t *testing.T) {
	t.Parallel()
	const first = `{"answer": "42", "delaySeconds": 60, "labels": {"team": "billing", "tier": "gold"}}`
	for _, row := range []struct {
		name string
		body string
		want int
	}{
		{"in another order", `{"labels": {"tier": "gold", "team": "billing"}, "delaySeconds": 60, "answer": "\u0034\u0032"}`, 202},
		{"another answer", `{"answer": "43", "delaySeconds": 60, "labels": {"team": "billing", "tier": "gold"}}`, 422},
		{"another label", `{"answer": "42", "delaySeconds": 60, "labels": {"team": "sales", "tier": "gold"}}`, 422},
		{"a label of another name", `{"answer": "42", "delaySeconds": 60, "labels": {"Team": "billing", "tier": "gold"}}`, 422},
		{"a label less", `{"answer": "42", "delaySeconds": 60, "labels": {"team": "billing"}}`, 422},
		{"no labels", `{"answer": "42", "delaySeconds": 60}`, 422},
		{"another delay", `{"answer": "42", "delaySeconds": 61, "labels": {"team": "billing", "tier": "gold"}}`, 422},
		{"no delay", `{"answer": "42", "labels": {"team": "billing", "tier": "gold"}}`, 422},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h, _, _ := newHandler(true)
			send := func(body string) api.Response {
				req := post("")
				req.Headers["idempotency-key"], req.Body = "k", body
				resp, _ := h.Handle(t.Context(), req)
				return resp
			}
			if got := send(first); got.StatusCode != 202 {
				t.Fatalf("the first: got %d %s, want 202", got.StatusCode, got.Body)
			}
			if got := send(row.body); got.StatusCode != row.want || (got.Headers["Idempotent-Replayed"] != "") != (row.want == 202) {
				t.Errorf("got %+v, want %d", got, row.want)
			}
		})
	}
}

// What a version has written the next one compares with: a client may send its request
// again across a deployment.
func TestTheDigestOfARequestStaysAsItIs(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"answer": "42"}`: "9dae92a5923166547eb68ff4a57df8c333e067cb66ba4883d30d6081d1173994",
		`{"answer": "<é>", "delaySeconds": 60, "labels": {"team": "billing", "a": ""}}`: "83173525946c91341d1260123da136b6d731c7e75d82c910d3d68fd7c7866259",
	} {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &object); err != nil {
			t.Fatal(err)
		}
		s, err := submissionOf(object, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		key, err := keyNamed("k", s, 400, "The key")
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(key.Request[:]); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

func TestHandleDelaysAndLabels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, store, queue := newHandler(true)
		req := post("")
		req.Body = `{"answer": "42", "delaySeconds": 900, "labels": {"team": "billing", "azAZ09.-_": ""}}`
		resp, _ := h.Handle(t.Context(), req)
		m := accepted.FindStringSubmatch(resp.Body)
		if resp.StatusCode != 202 || m == nil {
			t.Fatalf("got %d %s, want 202", resp.StatusCode, resp.Body)
		}
		want := task.New(task.ID(m[1]), "42", time.Now())
		want.Labels = map[string]string{"team": "billing", "azAZ09.-_": ""}
		want.NextAttemptAt = task.At(time.Now().Add(15 * time.Minute))
		want.NextCheckAt = want.NextAttemptAt.Plus(task.FirstCheckAfter)
		got, err := store.Get(t.Context(), want.ID)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("record, %v (-want +got):\n%s", err, diff)
		}
		if diff := cmp.Diff([]task.Outgoing{{Message: want.Message(), Delay: 15 * time.Minute}}, queue.Sent()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

func TestHandleAcceptsABatch(t *testing.T) {
	t.Parallel()
	send := func(t *testing.T, h *Handler, body string) (int, []api.BatchResult) {
		t.Helper()
		req := post("")
		req.RouteKey, req.Body = api.BatchRoute, body
		resp, _ := h.Handle(t.Context(), req)
		var batch api.Batch
		if err := json.Unmarshal([]byte(resp.Body), &batch); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, batch.Results
	}
	const body = `{"tasks": [
		{"answer": "a", "idempotencyKey": "k"}, {"answer": ""}, "c", {"answer": "d", "labels": {"team": "billing"}, "delaySeconds": 1},
		{"answer": "e", "idempotencyKey": ""}, {"answer": "a", "idempotencyKey": "k"}, {"answer": "g", "idempotencyKey": "k"}, {"answer": "h", "priority": 1}
	]}`
	t.Run("each for itself", func(t *testing.T) {
		t.Parallel()
		h, store, queue := newHandler(true)
		status, first := send(t, h, body)
		_, again := send(t, h, body)
		if status != 200 || len(first) != 8 || len(again) != 8 {
			t.Fatalf("got %d %+v", status, first)
		}
		for i, want := range []int{202, 422, 422, 202, 422, 202, 422, 422} {
			for _, got := range []api.BatchResult{first[i], again[i]} {
				_, err := store.Get(t.Context(), got.TaskID)
				if got.Status != want || (want == 202) != (err == nil) || (want == 202) != (got.Detail == "") {
					t.Errorf("task %d: got %+v, want %d; in the store: %v", i, got, want, err)
				}
			}
		}
		if first[0].Replayed || !first[5].Replayed || !again[0].Replayed || first[5].TaskID != first[0].TaskID || again[0].TaskID != first[0].TaskID {
			t.Errorf("got %+v and %+v, want one task for the key", first, again)
		}
		if first[3].TaskID == again[3].TaskID {
			t.Error("the task without a key was not created again")
		}
		sent := map[task.ID]int{}
		for _, m := range queue.Sent() {
			sent[m.TaskID]++
		}
		if sent[first[0].TaskID] != 4 || sent[first[3].TaskID] != 1 || sent[again[3].TaskID] != 1 {
			t.Errorf("got the messages %v, want one for each 202", sent)
		}
	})
	t.Run("of as many as may be", func(t *testing.T) {
		t.Parallel()
		h, _, queue := newHandler(false)
		_, results := send(t, h, `{"tasks": [`+strings.Repeat(`{"answer": "42"},`, task.MaxBatch-1)+`{"answer": "42"}]}`)
		if len(results) != task.MaxBatch || results[99].Status != 202 || len(queue.Sent()) != task.MaxBatch {
			t.Errorf("got %d results, the last %+v, and %d messages", len(results), results[len(results)-1], len(queue.Sent()))
		}
	})
	t.Run("of which every task is refused, without asking the store for anything", func(t *testing.T) {
		t.Parallel()
		h, store, queue := newHandler(true)
		creates := &countedCreates{Store: store}
		h.Store = creates
		status, results := send(t, h, `{"tasks": [{"answer": ""}, {}, 7, {"answer": "d", "delaySeconds": 901}]}`)
		if status != 200 || len(results) != 4 || creates.n != 0 || len(queue.Sent()) != 0 {
			t.Errorf("got %d with %d results, %d calls of Create and %d messages, want 200 with 4, and none", status, len(results), creates.n, len(queue.Sent()))
		}
		for i, got := range results {
			if got.Status != 422 || got.Detail == "" || got.TaskID != "" {
				t.Errorf("task %d: got %+v, want 422 and why", i, got)
			}
		}
	})
	t.Run("or says of each that the store is away", func(t *testing.T) {
		t.Parallel()
		h, store, queue := newHandler(true)
		store.FailBefore("Create", task.Errorf(task.Unavailable, "away"))
		_, results := send(t, h, body)
		if results[0].Status != 503 || results[1].Status != 422 || results[3].Status != 503 || len(queue.Sent()) != 0 {
			t.Errorf("got %+v and %d messages", results, len(queue.Sent()))
		}
	})
}

// countedCreates counts the calls of Create.
type countedCreates struct {
	task.Store
	n int
}

func (s *countedCreates) Create(ctx context.Context, submissions ...task.Submission) []task.Created {
	s.n++
	return s.Store.Create(ctx, submissions...)
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
