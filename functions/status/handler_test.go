package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	openapi "tasks/api"
	"tasks/internal/api"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

type bench struct {
	t          *testing.T
	store      *tasktest.Store
	executions *tasktest.Executions
	h          *Handler
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, store: tasktest.NewStore(), executions: tasktest.NewExecutions()}
	b.h = &Handler{Store: b.store, Executions: b.executions, Log: slog.New(slog.DiscardHandler)}
	return b
}

func idOf(n int) task.ID { return task.ID(fmt.Sprintf("01939a3e-7c00-7000-8000-%012d", n)) }

// get sends a request twice, compares the answers, and returns the status and
// the body's JSON.
func (b *bench) get(route, taskID, query string) (int, map[string]any) {
	b.t.Helper()
	req := api.Request{RouteKey: route, RawQueryString: query, PathParameters: map[string]string{"taskId": taskID}}
	resp, err := b.h.Handle(b.t.Context(), req)
	again, errAgain := b.h.Handle(b.t.Context(), req)
	if diff := cmp.Diff(resp, again); diff != "" || err != nil || errAgain != nil {
		b.t.Errorf("%v, %v, the second answer differs:\n%s", err, errAgain, diff)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(resp.Body), &body); err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, body
}

// failed returns the nth task, FAILED after one attempt.
func failed(n int) task.Task {
	t := task.New(idOf(n), fmt.Sprintf("answer %d", n), time.Now())
	t.Claim(task.ClaimRequest{Message: t.Message(), ExecutionID: "execution", Token: "token", Now: task.At(time.Now()), Lease: time.Minute})
	if _, err := t.Finish(task.FinishRequest{Token: "token", Now: task.At(time.Now().Add(time.Second)), Err: &task.Failure{Type: "WorkerError", Message: "no luck"}}); err != nil {
		panic(err)
	}
	return t
}

func TestHandleLists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // time begins at 2000-01-01
		b := newBench(t)
		if status, body := b.get(api.ListRoute, "", ""); status != 200 || cmp.Diff(map[string]any{"tasks": []any{}}, body) != "" {
			t.Errorf("got %d %v, want an empty list", status, body)
		}
		b.store.Put(task.New(idOf(1), "answer 1", time.Now()))
		b.store.Put(failed(2))
		want := map[string]any{"tasks": []any{
			map[string]any{
				"taskId": string(idOf(2)), "answer": "answer 2", "status": "FAILED", "retries": 0.0,
				"createdAt": "2000-01-01T00:00:00.000Z", "updatedAt": "2000-01-01T00:00:01.000Z", "errorType": "WorkerError", "errorMessage": "no luck",
			},
			map[string]any{
				"taskId": string(idOf(1)), "answer": "answer 1", "status": "PENDING", "retries": 0.0,
				"createdAt": "2000-01-01T00:00:00.000Z", "updatedAt": "2000-01-01T00:00:00.000Z", "errorType": "", "errorMessage": "",
			},
		}}
		status, body := b.get(api.ListRoute, "", "")
		if diff := cmp.Diff(want, body); diff != "" || status != 200 {
			t.Errorf("status %d, body (-want +got):\n%s", status, diff)
		}
	})
}

func TestHandlePages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range 120 {
		rec := task.New(idOf(n), "42", time.Now())
		if n%2 == 1 {
			rec.Status = task.DLQ
		}
		b.store.Put(rec)
	}
	for _, tt := range []struct {
		query string
		pages []int
	}{
		{"", []int{50, 50, 20}},
		{"limit=100", []int{100, 20}},
		{"status=DLQ&limit=40", []int{40, 20}},
		{"status=PROCESSED", []int{0}},
	} {
		seen := map[any]bool{}
		query := tt.query
		for i, want := range tt.pages {
			status, body := b.get(api.ListRoute, "", query)
			tasks := body["tasks"].([]any)
			if status != 200 || len(tasks) != want {
				t.Fatalf("%q: got %d with %d tasks, want %d", query, status, len(tasks), want)
			}
			for _, rec := range tasks {
				seen[rec.(map[string]any)["taskId"]] = true
			}
			token, more := body["nextToken"].(string)
			if more != (i < len(tt.pages)-1) {
				t.Fatalf("%q: got nextToken %q", query, token)
			}
			query = tt.query + "&nextToken=" + url.QueryEscape(token)
		}
		total := 0
		for _, n := range tt.pages {
			total += n
		}
		if len(seen) != total {
			t.Errorf("%q: got %d different tasks, want %d", tt.query, len(seen), total)
		}
	}
}

func TestHandleRefusesTheTokenOfAnotherListing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.store.Put(failed(1))
	b.store.Put(failed(2))
	_, body := b.get(api.ListRoute, "", "limit=1&status=FAILED")
	token := url.QueryEscape(body["nextToken"].(string))
	for query, want := range map[string]int{"status=FAILED": 200, "status=DLQ": 400, "": 400} {
		if status, body := b.get(api.ListRoute, "", query+"&nextToken="+token); status != want {
			t.Errorf("%q: got %d %v, want %d", query, status, body, want)
		}
	}
}

func TestHandleShowsATask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.store.Put(failed(1))
		b.store.Put(task.New(idOf(2), "42", time.Now()))
		want := map[string]any{
			"taskId": string(idOf(1)), "answer": "answer 1", "status": "FAILED", "retries": 0.0,
			"createdAt": "2000-01-01T00:00:00.000Z", "updatedAt": "2000-01-01T00:00:01.000Z", "errorMessage": "no luck",
			"run": 1.0, "errorType": "WorkerError", "executionId": "execution",
			"attempts": []any{map[string]any{
				"number": 1.0, "run": 1.0, "retryCount": 0.0, "errorType": "WorkerError", "errorMessage": "no luck",
				"startedAt": "2000-01-01T00:00:00.000Z", "finishedAt": "2000-01-01T00:00:01.000Z", "durationMillis": 1000.0,
			}},
		}
		status, body := b.get(api.GetRoute, string(idOf(1)), "")
		if diff := cmp.Diff(want, body); diff != "" || status != 200 {
			t.Errorf("status %d, body (-want +got):\n%s", status, diff)
		}
		if _, body := b.get(api.GetRoute, string(idOf(2)), ""); cmp.Diff([]any{}, body["attempts"]) != "" {
			t.Errorf("got the attempts %v, want an empty list", body["attempts"])
		}
	})
}

func TestHandleDescribesTheAPI(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]api.Response{
		"":            api.Text(200, "application/yaml", openapi.Description),
		"format=json": api.Fail(t.Context(), slog.New(slog.DiscardHandler), api.Problemf(400, "This path takes no query parameters. Leave out \"format\".")),
	} {
		got, err := newBench(t).h.Handle(t.Context(), api.Request{RouteKey: api.DescriptionRoute, RawQueryString: query})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v, the answer (-want +got):\n%s", query, err, diff)
		}
	}
}

func TestHandleWithoutItsHost(t *testing.T) {
	t.Parallel()
	away := task.Errorf(task.Unavailable, "away")
	b := newBench(t)
	b.store.Put(failed(1))
	for _, tt := range []struct {
		name, route string
		faults      *tasktest.Faults
		op          string
		err         error
		want        int
	}{
		{"no listing", api.ListRoute, &b.store.Faults, "List", away, 503},
		{"no record", api.GetRoute, &b.store.Faults, "Get", away, 503},
		{"no record to tell the history of", api.HistoryRoute, &b.store.Faults, "Get", away, 503},
		{"no history", api.HistoryRoute, &b.executions.Faults, "History", away, 503},
		{"an error of no kind", api.HistoryRoute, &b.executions.Faults, "History", errors.New("AccessDenied: arn:aws:states"), 500},
	} {
		tt.faults.FailBefore(tt.op, tt.err)
		tt.faults.FailBefore(tt.op, tt.err)
		status, body := b.get(tt.route, string(idOf(1)), "")
		if status != tt.want || strings.Contains(fmt.Sprint(body), "arn:") {
			t.Errorf("%s: got %d %v, want %d", tt.name, status, body, tt.want)
		}
	}
}
