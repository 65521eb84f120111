package redrive

import (
	"context"
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
	dead.MarkDead(task.MarkRequest{DeadLetter: task.DeadLetter{Message: dead.Message()}, Now: task.At(time.Now())})
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

func TestHandleRedrivesMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // time begins at 2000-01-01
		store, queue := tasktest.NewStore(), tasktest.NewQueue()
		h := &Handler{Store: store, Queue: queue, Log: slog.New(slog.DiscardHandler)}
		var ids []task.ID // newest first
		die := func(id task.ID, run int) {
			d := task.New(id, "42", time.Now())
			d.Run, d.Labels = run, map[string]string{"team": "billing"}
			d.MarkDead(task.MarkRequest{DeadLetter: task.DeadLetter{Message: d.Message(), Error: "WorkerError"}, Now: task.At(time.Now())})
			store.Put(d)
		}
		for range 5 {
			id, err := task.NewID()
			if err != nil {
				t.Fatal(err)
			}
			die(id, 1)
			ids = append([]task.ID{id}, ids...)
		}
		other, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		store.Put(task.New(other, "42", time.Now()))
		<-time.After(time.Second)
		order := func(body string) api.Redriven {
			t.Helper()
			resp, _ := h.Handle(t.Context(), api.Request{RouteKey: api.RedriveAllRoute, Body: body, Headers: map[string]string{"content-type": "application/json"}})
			var got api.Redriven
			if err := json.Unmarshal([]byte(resp.Body), &got); err != nil || resp.StatusCode != 200 {
				t.Fatalf("%s: got %d %s, %v", body, resp.StatusCode, resp.Body, err)
			}
			return got
		}
		runs := func(run int, ids ...task.ID) []task.Message {
			messages := []task.Message{}
			for _, id := range ids {
				messages = append(messages, task.Message{TaskID: id, Run: run})
			}
			return messages
		}
		const began = `"diedBefore": "2000-01-01T00:00:01.000Z"`

		for body, want := range map[string][]task.Message{
			`{"dryRun": true}`:                                              runs(1, ids...),
			`{"dryRun": true, "errorType": "Timeout"}`:                      runs(1),
			`{"dryRun": true, "label": "team:billing"}`:                     runs(1, ids...),
			`{"dryRun": true, "label": "team:sales"}`:                       runs(1),
			`{"dryRun": true, "createdAfter": "2000-01-01T00:00:00.001Z"}`:  runs(1),
			`{"dryRun": true, "diedBefore": "2000-01-01T00:00:00Z"}`:        runs(1),
			`{"dryRun": true, "diedBefore": "2000-01-01T00:00:00.001Z"}`:    runs(1, ids...),
			`{"dryRun": true, "createdBefore": "1999-12-31T23:59:59.999Z"}`: runs(1),
		} {
			if diff := cmp.Diff(want, order(body).Tasks); diff != "" {
				t.Errorf("%s (-want +got):\n%s", body, diff)
			}
		}
		if len(queue.Sent()) != 0 {
			t.Error("a dry run has sent messages")
		}

		first := order(`{"limit": 2}`)
		if diff := cmp.Diff(runs(2, ids[:2]...), first.Tasks); diff != "" || first.DryRun || first.DiedBefore.String() != "2000-01-01T00:00:01.000Z" || first.NextToken == "" {
			t.Fatalf("got %+v (-want +got):\n%s", first, diff)
		}
		<-time.After(time.Second)
		die(ids[0], 2) // again, after the order: not taken again, also when the first request is sent again
		if got := order(`{"limit": 2, ` + began + `}`); len(got.Tasks) != 2 || got.Tasks[0].TaskID != ids[2] {
			t.Errorf("got %+v, want the next two", got)
		}
		rest := order(`{"limit": 2, ` + began + `, "nextToken": "` + first.NextToken + `"}`)
		if diff := cmp.Diff(runs(2, ids[4]), rest.Tasks); diff != "" || rest.NextToken != "" {
			t.Errorf("got %+v (-want +got):\n%s", rest, diff)
		}
		if diff := cmp.Diff(runs(2, ids...), queue.Messages()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}

		die(ids[1], 2)
		<-time.After(time.Second)
		store.FailBefore("Redrive", task.Errorf(task.Unavailable, "away"))
		resp, _ := h.Handle(t.Context(), api.Request{RouteKey: api.RedriveAllRoute, Body: `{}`, Headers: map[string]string{"content-type": "application/json"}})
		if resp.StatusCode != 503 {
			t.Errorf("got %d %s, want 503", resp.StatusCode, resp.Body)
		}
	})
}

// busyStore is one where something becomes of the first task of a listing before the
// listing is answered.
type busyStore struct {
	*tasktest.Store
	meanwhile func(ctx context.Context, first task.Task)
}

func (s *busyStore) List(ctx context.Context, q task.Query) (task.Page, error) {
	page, err := s.Store.List(ctx, q)
	if len(page.Tasks) > 0 {
		s.meanwhile(ctx, page.Tasks[0])
	}
	return page, err
}

func TestHandleRedrivesOfManyOnlyWhatItHasSeenDead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		meanwhile func(ctx context.Context, store *tasktest.Store, first task.Task) error
		run       int // of the first task in the end
	}{
		{"one was redriven", func(ctx context.Context, store *tasktest.Store, first task.Task) error {
			_, _, err := store.Redrive(ctx, first.Message(), task.At(time.Now()))
			return err
		}, 2},
		{"one was redriven, and died again", func(ctx context.Context, store *tasktest.Store, first task.Task) error {
			again, _, err := store.Redrive(ctx, first.Message(), task.At(time.Now()))
			if err == nil {
				_, _, err = store.MarkDead(ctx, task.MarkRequest{DeadLetter: task.DeadLetter{Message: again.Message()}, Now: task.At(time.Now())})
			}
			return err
		}, 2},
		{"one has expired", func(_ context.Context, store *tasktest.Store, first task.Task) error {
			store.FailBefore("Redrive", task.Errorf(task.NotFound, "there is no task %s", first.ID))
			return nil
		}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, queue := tasktest.NewStore(), tasktest.NewQueue()
				var ids []task.ID // newest first
				for range 3 {
					id, err := task.NewID()
					if err != nil {
						t.Fatal(err)
					}
					dead := task.New(id, "42", time.Now())
					dead.MarkDead(task.MarkRequest{DeadLetter: task.DeadLetter{Message: dead.Message()}, Now: task.At(time.Now())})
					store.Put(dead)
					ids = append([]task.ID{id}, ids...)
				}
				<-time.After(time.Second)
				busy := &busyStore{store, func(ctx context.Context, first task.Task) {
					if err := row.meanwhile(ctx, store, first); err != nil || first.ID != ids[0] {
						t.Errorf("listed %s first, %v", first.ID, err)
					}
				}}
				h := &Handler{Store: busy, Queue: queue, Log: slog.New(slog.DiscardHandler)}
				resp, _ := h.Handle(t.Context(), api.Request{RouteKey: api.RedriveAllRoute, Body: `{}`, Headers: map[string]string{"content-type": "application/json"}})
				var got api.Redriven
				if err := json.Unmarshal([]byte(resp.Body), &got); err != nil || resp.StatusCode != 200 {
					t.Fatalf("got %d %s, %v, want 200", resp.StatusCode, resp.Body, err)
				}
				want := []task.Message{{TaskID: ids[1], Run: 2}, {TaskID: ids[2], Run: 2}}
				if diff := cmp.Diff(want, got.Tasks); diff != "" || got.NextToken != "" {
					t.Errorf("got %+v (-want +got):\n%s", got, diff)
				}
				if diff := cmp.Diff(want, queue.Messages()); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if first, err := store.Get(t.Context(), ids[0]); err != nil || first.Run != row.run {
					t.Errorf("the first is in run %d, %v, want %d", first.Run, err, row.run)
				}
			})
		})
	}
}

// TestHandleRedrivesManyUntilTheStoreIsAway tells what is done, and where to go on.
func TestHandleRedrivesManyUntilTheStoreIsAway(t *testing.T) {
	t.Parallel()
	h, store, _ := newHandler()
	second, err := task.NewID()
	if err != nil {
		t.Fatal(err)
	}
	dead := task.New(second, "42", time.Now().Add(-time.Hour))
	dead.MarkDead(task.MarkRequest{DeadLetter: task.DeadLetter{Message: dead.Message()}, Now: task.At(time.Now().Add(-time.Minute))})
	store.Put(dead)
	store.FailBefore("Redrive", nil) // the first works
	store.FailBefore("Redrive", task.Errorf(task.Unavailable, "away"))
	send := func(body string) (got api.Redriven) {
		resp, _ := h.Handle(t.Context(), api.Request{RouteKey: api.RedriveAllRoute, Body: body, Headers: map[string]string{"content-type": "application/json"}})
		if err := json.Unmarshal([]byte(resp.Body), &got); err != nil || resp.StatusCode != 200 {
			t.Fatalf("got %d %s, %v", resp.StatusCode, resp.Body, err)
		}
		return got
	}
	before := `"diedBefore": "` + task.At(time.Now().Add(time.Minute)).String() + `"`
	first := send(`{` + before + `}`)
	if len(first.Tasks) != 1 || first.Tasks[0].TaskID != second || first.NextToken == "" {
		t.Fatalf("got %+v, want the first of two, and where to go on", first)
	}
	if rest := send(`{` + before + `, "nextToken": "` + first.NextToken + `"}`); len(rest.Tasks) != 1 || rest.Tasks[0].TaskID != id || rest.NextToken != "" {
		t.Errorf("got %+v, want the second", rest)
	}
}
