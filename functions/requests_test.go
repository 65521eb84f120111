package functions_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/functions/redrive"
	"tasks/functions/status"
	"tasks/functions/submit"
	"tasks/internal/api"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// The tasks of the sample events; see events/README.md.
const (
	ordinary = task.ID("01939a3e-7c00-7000-8000-000000000001")
	dead     = task.ID("01939a3e-7c03-7000-8000-000000000004")
	unknown  = task.ID("01939a3e-7fff-7000-8000-0000000000ff")
)

// system is the HTTP functions and what they work on.
type system struct {
	store      *tasktest.Store
	queue      *tasktest.Queue
	executions *tasktest.Executions
	functions  map[string]func(context.Context, api.Request) (api.Response, error)
}

// newSystem has an ordinary task and a dead one.
func newSystem() *system {
	s := &system{store: tasktest.NewStore(), queue: tasktest.NewQueue(), executions: tasktest.NewExecutions()}
	log := slog.New(slog.DiscardHandler)
	s.functions = map[string]func(context.Context, api.Request) (api.Response, error){
		"submit":  (&submit.Handler{Store: s.store, Queue: s.queue, Log: log}).Handle,
		"status":  (&status.Handler{Store: s.store, Executions: s.executions, Log: log}).Handle,
		"redrive": (&redrive.Handler{Store: s.store, Queue: s.queue, Log: log}).Handle,
	}
	s.store.Put(task.New(ordinary, "42", time.Now()))
	d := task.New(dead, "43", time.Now())
	d.Run = 2
	d.DeadLetter(task.MarkRequest{DeadLetter: task.DeadLetter{Message: d.Message()}, Now: task.At(time.Now())})
	s.store.Put(d)
	return s
}

// serve takes a request to its function, as API Gateway does.
func (s *system) serve(t *testing.T, req api.Request) api.Response {
	t.Helper()
	function := "status"
	switch req.RouteKey {
	case api.SubmitRoute:
		function = "submit"
	case api.RedriveRoute:
		function = "redrive"
	}
	resp, err := s.functions[function](t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// state is all that a request can change.
func (s *system) state(t *testing.T) any {
	t.Helper()
	page, err := s.store.List(t.Context(), task.Query{Limit: task.MaxPageTasks})
	if err != nil {
		t.Fatal(err)
	}
	return []any{page, s.queue.Messages(), s.executions.Started()}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	submitted := func(body string) api.Request {
		return api.Request{RouteKey: api.SubmitRoute, RawPath: "/local/tasks", Headers: map[string]string{"content-type": "application/json"}, Body: body}
	}
	typed := func(contentType string) api.Request {
		req := submitted(`{"answer": "42"}`)
		req.Headers = map[string]string{"content-type": contentType}
		return req
	}
	untyped, base64 := submitted(`{"answer": "42"}`), submitted("not base64!")
	untyped.Headers, base64.IsBase64Encoded = nil, true
	list := func(query string) api.Request {
		return api.Request{RouteKey: api.ListRoute, RawPath: "/local/tasks", RawQueryString: query}
	}
	of := func(route string, id task.ID) api.Request {
		return api.Request{RouteKey: route, PathParameters: map[string]string{"taskId": string(id)}}
	}
	with := func(req api.Request, change func(*api.Request)) api.Request {
		change(&req)
		return req
	}
	unrouted := func(method, path string) api.Request {
		req := api.Request{RouteKey: api.DefaultRoute, RawPath: path}
		req.RequestContext.Stage, req.RequestContext.HTTP.Method = "local", method
		return req
	}
	query := func(req *api.Request) { req.RawQueryString = "verbose=1" }
	const (
		malformed     = http.StatusBadRequest
		unprocessable = http.StatusUnprocessableEntity
		tooLarge      = http.StatusRequestEntityTooLarge
		unsupported   = http.StatusUnsupportedMediaType
		notFound      = http.StatusNotFound
		notAllowed    = http.StatusMethodNotAllowed
	)
	tests := []struct {
		name   string
		req    api.Request
		want   int
		detail string // part of it
	}{
		{"no body", submitted(""), malformed, "no body"},
		{"broken JSON", submitted(`{"answer": "42"`), malformed, "one JSON document"},
		{"a second document", submitted(`{"answer": "42"} {"answer": "43"}`), malformed, "after the closing brace"},
		{"invalid UTF-8", submitted("{\"answer\": \"\xff\"}"), malformed, "UTF-8"},
		{"half a surrogate pair", submitted(`{"answer": "\ud83d"}`), malformed, "surrogate"},
		{"a name twice", submitted(`{"answer": "42", "answer": "43"}`), malformed, `"answer" twice`},
		{"broken base64", base64, malformed, "base64"},
		{"a query parameter of submit", with(submitted(`{"answer": "42"}`), query), malformed, `"verbose"`},
		{"an array", submitted(`["42"]`), unprocessable, "JSON object"},
		{"null", submitted(`null`), unprocessable, "JSON object"},
		{"an unknown field", submitted(`{"answer": "42", "priority": 1}`), unprocessable, `"priority"`},
		{"another case", submitted(`{"Answer": "42"}`), unprocessable, `"answer" is missing`},
		{"no answer", submitted(`{}`), unprocessable, `"answer" is missing`},
		{"an empty answer", submitted(`{"answer": ""}`), unprocessable, "blank"},
		{"a blank answer", submitted(`{"answer": " \t\n\u00a0"}`), unprocessable, "blank"},
		{"a null answer", submitted(`{"answer": null}`), unprocessable, "string"},
		{"a number", submitted(`{"answer": 42}`), unprocessable, "string"},
		{"an object as answer", submitted(`{"answer": {"answer": "42"}}`), unprocessable, "string"},
		{"an answer of 300 KiB", submitted(`{"answer": "` + strings.Repeat("x", 300<<10) + `"}`), tooLarge, "262144"},
		{"an answer of too many bytes in few characters", submitted(`{"answer": "` + strings.Repeat("é", task.MaxAnswerBytes/2) + `x"}`), tooLarge, "262144"},
		{"a body of 20 MiB", submitted(strings.Repeat("x", 20<<20)), tooLarge, "2097152"},
		{"another content type", typed("text/plain"), unsupported, "application/json"},
		{"another charset", typed("application/json; charset=utf-16"), unsupported, "UTF-8"},
		{"no content type", untyped, unsupported, "application/json"},

		{"an unknown status", list("status=DONE"), malformed, "PROCESSED"},
		{"a status in lower case", list("status=dlq"), malformed, "PENDING"},
		{"an empty status", list("status="), malformed, "leave it out"},
		{"limit 0", list("limit=0"), malformed, "1 to 100"},
		{"limit 101", list("limit=101"), malformed, "1 to 100"},
		{"a limit that is no number", list("limit=ten"), malformed, "1 to 100"},
		{"an empty limit", list("limit="), malformed, "1 to 100"},
		{"a made-up page token", list("nextToken=MQ"), malformed, "nextToken"},
		{"an empty page token", list("nextToken="), malformed, "nextToken"},
		{"an unknown parameter", list("state=DLQ"), malformed, "status, limit, nextToken"},
		{"a parameter twice", list("limit=1&limit=2"), malformed, "once"},
		{"a query string that can't be read", list("limit=%zz"), malformed, "percent-encoded"},

		{"an unknown task", of(api.GetRoute, unknown), notFound, "GET /tasks"},
		{"an odd task id", of(api.GetRoute, "42"), notFound, "UUID of version 7"},
		{"a task id in upper case", of(api.GetRoute, task.ID(strings.ToUpper(string(ordinary)))), notFound, "lower case"},
		{"a long task id", of(api.GetRoute, task.ID(strings.Repeat("x", 10_000))), notFound, "UUID of version 7"},
		{"a query parameter of get", with(of(api.GetRoute, ordinary), query), malformed, `"verbose"`},
		{"the history of an unknown task", of(api.HistoryRoute, unknown), notFound, "GET /tasks"},
		{"the history of an odd task id", of(api.HistoryRoute, "42"), notFound, "UUID of version 7"},

		{"a redrive of an unknown task", of(api.RedriveRoute, unknown), notFound, "GET /tasks"},
		{"a redrive of an odd task id", of(api.RedriveRoute, "42"), notFound, "UUID of version 7"},
		{"a redrive of a task that is not in the DLQ", of(api.RedriveRoute, ordinary), http.StatusConflict, "DLQ"},
		{"a redrive with a body", with(of(api.RedriveRoute, dead), func(r *api.Request) { r.Body = "{}" }), malformed, "no body"},
		{"a redrive with a query", with(of(api.RedriveRoute, dead), query), malformed, `"verbose"`},

		{"an unknown path", unrouted("GET", "/local/jobs"), notFound, "/tasks/{taskId}"},
		{"a wrong method", unrouted("DELETE", "/local/tasks"), notAllowed, "Use POST, GET"},
		{"HEAD", unrouted("HEAD", "/local/tasks"), notAllowed, "Use POST, GET"},
		{"a GET of redrive", unrouted("GET", "/local/tasks/"+string(dead)+"/redrive"), notAllowed, "Use POST"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSystem()
			before := s.state(t)
			for range 2 {
				resp := s.serve(t, tt.req)
				var got api.Problem
				if err := json.Unmarshal([]byte(resp.Body), &got); err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != tt.want || got.Status != tt.want || got.Title != http.StatusText(tt.want) || got.Type != "about:blank" {
					t.Errorf("got %d %s, want %d", resp.StatusCode, resp.Body, tt.want)
				}
				if got := resp.Headers["Content-Type"]; got != "application/problem+json" {
					t.Errorf("Content-Type: got %q", got)
				}
				if !strings.Contains(got.Detail, tt.detail) || len(got.Detail) > 400 {
					t.Errorf("detail: got %q, want it short and with %q", got.Detail, tt.detail)
				}
				if allow := resp.Headers["Allow"]; (allow != "") != (tt.want == notAllowed) {
					t.Errorf("Allow: got %q", allow)
				}
			}
			if diff := cmp.Diff(before, s.state(t)); diff != "" {
				t.Errorf("the request changed something (-before +after):\n%s", diff)
			}
		})
	}
}
