// Package status is the function behind every GET, of tasks, a task, its history
// and the API's description, and behind every request that no route takes.
package status

import (
	"context"
	"log/slog"
	"net/http"

	openapi "tasks/api"
	"tasks/internal/api"
	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// Handler answers questions about tasks. It changes nothing.
type Handler struct {
	Store      task.Store
	Executions task.Executions
	Log        *slog.Logger
}

// Handle serves one request. The error is always nil: what goes wrong is in the
// response.
func (h *Handler) Handle(ctx context.Context, req api.Request) (api.Response, error) {
	ctx, cancel := awslambda.Reserve(ctx)
	defer cancel()
	if req.RouteKey == api.DescriptionRoute {
		return h.description(ctx, req), nil
	}
	body, err := h.answer(ctx, req)
	if err != nil {
		return api.Fail(ctx, h.Log, err), nil
	}
	return api.JSON(http.StatusOK, body), nil
}

// description answers with the API's description. It needs no store.
func (h *Handler) description(ctx context.Context, req api.Request) api.Response {
	if _, err := api.Query(req); err != nil {
		return api.Fail(ctx, h.Log, err)
	}
	return api.Text(http.StatusOK, "application/yaml", openapi.Description)
}

func (h *Handler) answer(ctx context.Context, req api.Request) (any, error) {
	switch req.RouteKey {
	case api.ListRoute:
		return h.list(ctx, req)
	case api.StatsRoute:
		return h.stats(ctx, req)
	case api.GetRoute:
		t, err := h.get(ctx, req)
		if err != nil {
			return nil, err
		}
		return api.DetailOf(t), nil
	case api.HistoryRoute:
		t, err := h.get(ctx, req)
		if err != nil {
			return nil, err
		}
		return h.history(ctx, t)
	}
	return nil, api.NoRoute(req)
}

func (h *Handler) list(ctx context.Context, req api.Request) (any, error) {
	q, err := api.ListQuery(req)
	if err != nil {
		return nil, err
	}
	page, err := h.Store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	return api.ListOf(q, page), nil
}

func (h *Handler) stats(ctx context.Context, req api.Request) (any, error) {
	if _, err := api.Query(req); err != nil {
		return nil, err
	}
	counts, err := h.Store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	return api.StatsOf(counts), nil
}

// get returns the task that the request's path names.
func (h *Handler) get(ctx context.Context, req api.Request) (task.Task, error) {
	id, err := api.TaskID(req)
	if err != nil {
		return task.Task{}, err
	}
	if _, err := api.Query(req); err != nil {
		return task.Task{}, err
	}
	return h.Store.Get(ctx, id)
}
