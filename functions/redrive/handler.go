// Package redrive is the function behind POST /tasks/{taskId}/redrive and POST
// /tasks/redrive: it gives dead-lettered tasks a new run.
package redrive

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"tasks/internal/api"
	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// Handler redrives tasks. The monitor has emptied the dead letter queue, so a
// redrive starts from the record. A second request finds the task no longer in
// the DLQ and changes nothing.
type Handler struct {
	Store task.Store
	Queue task.Queue
	Log   *slog.Logger
	Clock task.Clock
}

// Handle serves one request. The error is always nil: what goes wrong is in the
// response.
func (h *Handler) Handle(ctx context.Context, req api.Request) (api.Response, error) {
	ctx, cancel := awslambda.Reserve(ctx)
	defer cancel()
	serve := h.one
	if req.RouteKey == api.RedriveAllRoute {
		serve = h.all
	}
	resp, err := serve(ctx, req)
	if err != nil {
		return api.Fail(ctx, h.Log, err), nil
	}
	return resp, nil
}

// one gives a task a new run.
func (h *Handler) one(ctx context.Context, req api.Request) (api.Response, error) {
	id, err := api.TaskID(req)
	if err != nil {
		return api.Response{}, err
	}
	if _, err := api.Query(req); err != nil {
		return api.Response{}, err
	}
	if err := api.NoBody(req); err != nil {
		return api.Response{}, err
	}
	t, queued, err := h.Store.Redrive(ctx, task.Message{TaskID: id}, h.Clock.Now())
	if task.IsKind(err, task.Conflict) {
		return api.Response{}, api.Problemf(http.StatusConflict, "Only a task whose status is DLQ can be redriven, and this one's is another. GET the task to see it.")
	}
	if err != nil {
		return api.Response{}, err
	}
	if !queued {
		h.send(ctx, []task.Outgoing{t.Outgoing(t.UpdatedAt)})
	}
	resp := api.JSON(http.StatusAccepted, api.Accepted{
		TaskID: t.ID, Run: t.Run, Status: t.Status, Message: "Task redriven successfully",
	})
	resp.Headers["Location"] = strings.TrimSuffix(req.RawPath, "/redrive")
	return resp, nil
}

// send puts messages on the queue. If that fails the tasks are redriven all the
// same: reconcile sends the messages later.
func (h *Handler) send(ctx context.Context, messages []task.Outgoing) {
	if len(messages) == 0 {
		return
	}
	if err := h.Queue.Send(ctx, messages...); err != nil {
		h.Log.WarnContext(ctx, "messages not sent, left to reconcile", "taskId", messages[0].TaskID, "messages", len(messages), "error", err)
	}
}
