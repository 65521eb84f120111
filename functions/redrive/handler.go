// Package redrive is the function behind POST /tasks/{taskId}/redrive: it gives
// a dead-lettered task a new run.
package redrive

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

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
}

// Handle serves one request. The error is always nil: what goes wrong is in the
// response.
func (h *Handler) Handle(ctx context.Context, req api.Request) (api.Response, error) {
	ctx, cancel := awslambda.Reserve(ctx)
	defer cancel()
	t, err := h.redrive(ctx, req)
	if err != nil {
		return api.Fail(ctx, h.Log, err), nil
	}
	resp := api.JSON(http.StatusAccepted, api.Accepted{
		TaskID: t.ID, Run: t.Run, Status: t.Status, Message: "Task redriven successfully",
	})
	resp.Headers["Location"] = strings.TrimSuffix(req.RawPath, "/redrive")
	return resp, nil
}

func (h *Handler) redrive(ctx context.Context, req api.Request) (task.Task, error) {
	id, err := api.TaskID(req)
	if err != nil {
		return task.Task{}, err
	}
	if _, err := api.Query(req); err != nil {
		return task.Task{}, err
	}
	if err := api.NoBody(req); err != nil {
		return task.Task{}, err
	}
	t, queued, err := h.Store.Redrive(ctx, id, task.At(time.Now()))
	if task.IsKind(err, task.Conflict) {
		return task.Task{}, api.Problemf(http.StatusConflict, "Only a task whose status is DLQ can be redriven, and this one's is another. GET the task to see it.")
	}
	if err != nil {
		return task.Task{}, err
	}
	if !queued {
		h.send(ctx, t.Message())
	}
	return t, nil
}

// send puts the task's message on the queue. If that fails the task is redriven
// all the same: reconcile sends the message later.
func (h *Handler) send(ctx context.Context, m task.Message) {
	if err := h.Queue.Send(ctx, m); err != nil {
		h.Log.WarnContext(ctx, "message not sent, left to reconcile", "taskId", m.TaskID, "run", m.Run, "error", err)
	}
}
