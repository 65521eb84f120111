package functions_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"tasks/functions/redrive"
	"tasks/functions/status"
	"tasks/functions/submit"
	"tasks/internal/api"
	"tasks/internal/api/apitest"
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
	d.MarkDead(task.MarkRequest{DeadLetter: task.DeadLetter{Message: d.Message()}, Now: task.At(time.Now())})
	s.store.Put(d)
	return s
}

// serve takes a request to its function, as API Gateway does, and holds the answer
// against the API's description.
func (s *system) serve(t *testing.T, req api.Request) api.Response {
	t.Helper()
	function := "status"
	switch req.RouteKey {
	case api.SubmitRoute, api.BatchRoute:
		function = "submit"
	case api.RedriveRoute, api.RedriveAllRoute:
		function = "redrive"
	}
	resp, err := s.functions[function](t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	apitest.Check(t, apitest.OfFunction(req, resp))
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
