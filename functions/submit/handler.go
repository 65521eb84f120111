// Package submit is the function behind POST /tasks: it accepts a task.
package submit

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

// Handler accepts tasks. It answers 202 when the record is durable, and not
// before: from then on the task ends PROCESSED or DLQ. A client that sends its
// request twice has two tasks.
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
	t, err := h.accept(ctx, req)
	if err != nil {
		return api.Fail(ctx, h.Log, err), nil
	}
	resp := api.JSON(http.StatusAccepted, api.Accepted{
		TaskID: t.ID, Status: t.Status, Message: "Task submitted successfully",
	})
	resp.Headers["Location"] = strings.TrimSuffix(req.RawPath, "/") + "/" + string(t.ID)
	return resp, nil
}

func (h *Handler) accept(ctx context.Context, req api.Request) (task.Task, error) {
	if _, err := api.Query(req); err != nil {
		return task.Task{}, err
	}
	answer, err := answerOf(req)
	if err != nil {
		return task.Task{}, err
	}
	id, err := task.NewID()
	if err != nil {
		return task.Task{}, err
	}
	t := task.New(id, answer, time.Now())
	queued, err := h.Store.Create(ctx, t)
	if err != nil {
		return task.Task{}, err
	}
	if !queued {
		h.send(ctx, t.Message())
	}
	return t, nil
}

// send puts the task's message on the queue. If that fails the task is accepted
// all the same: reconcile sends the message later.
func (h *Handler) send(ctx context.Context, m task.Message) {
	if err := h.Queue.Send(ctx, m); err != nil {
		h.Log.WarnContext(ctx, "message not sent, left to reconcile", "taskId", m.TaskID, "run", m.Run, "error", err)
	}
}
