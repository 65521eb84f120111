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
// request twice has two tasks, unless it gives it an Idempotency-Key.
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
	id, first, err := h.accept(ctx, req)
	if err != nil {
		return api.Fail(ctx, h.Log, err), nil
	}
	resp := api.JSON(http.StatusAccepted, api.Accepted{
		TaskID: id, Status: task.Pending, Message: "Task submitted successfully",
	})
	resp.Headers["Location"] = strings.TrimSuffix(req.RawPath, "/") + "/" + string(id)
	if !first {
		resp.Headers["Idempotent-Replayed"] = "true"
	}
	return resp, nil
}

// accept returns the id of the request's task, and whether it is a new one: not if
// an earlier request had the same idempotency key.
func (h *Handler) accept(ctx context.Context, req api.Request) (id task.ID, first bool, err error) {
	if _, err := api.Query(req); err != nil {
		return "", false, err
	}
	answer, err := answerOf(req)
	if err != nil {
		return "", false, err
	}
	key, err := keyOf(req, answer)
	if err != nil {
		return "", false, err
	}
	if id, err = task.NewID(); err != nil {
		return "", false, err
	}
	t := task.New(id, answer, time.Now())
	holder, queued := id, false
	if key == nil {
		queued, err = h.Store.Create(ctx, t)
	} else {
		holder, queued, err = h.Store.CreateOnce(ctx, t, *key)
	}
	if task.IsKind(err, task.KeyReused) {
		return "", false, api.Problemf(http.StatusUnprocessableEntity, "This Idempotency-Key was used for another request. Send that one again as it was, or use a new key.")
	}
	if err != nil {
		return "", false, err
	}
	if !queued {
		h.send(ctx, t.Message())
	}
	return holder, holder == id, nil
}

// send puts the task's message on the queue. If that fails the task is accepted
// all the same: reconcile sends the message later.
func (h *Handler) send(ctx context.Context, m task.Message) {
	if err := h.Queue.Send(ctx, m); err != nil {
		h.Log.WarnContext(ctx, "message not sent, left to reconcile", "taskId", m.TaskID, "run", m.Run, "error", err)
	}
}
