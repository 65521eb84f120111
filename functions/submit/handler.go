// Package submit is the function behind POST /tasks and POST /tasks/batch: it
// accepts tasks.
package submit

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"tasks/internal/api"
	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// Handler accepts tasks. It answers 202 when the record is durable, and not
// before: from then on the task ends PROCESSED or DLQ. A client that sends its
// request twice has two tasks, unless it gives it an idempotency key.
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
	if req.RouteKey == api.BatchRoute {
		serve = h.batch
	}
	resp, err := serve(ctx, req)
	if err != nil {
		return api.Fail(ctx, h.Log, err), nil
	}
	return resp, nil
}

// one accepts a task.
func (h *Handler) one(ctx context.Context, req api.Request) (api.Response, error) {
	if _, err := api.Query(req); err != nil {
		return api.Response{}, err
	}
	object, err := api.Object(req)
	if err != nil {
		return api.Response{}, err
	}
	s, err := submissionOf(object, h.Clock.Now().Time)
	if err != nil {
		return api.Response{}, err
	}
	if name, given := req.Headers["idempotency-key"]; given {
		if s.Key, err = keyNamed(name, s, http.StatusBadRequest, "The header Idempotency-Key"); err != nil {
			return api.Response{}, err
		}
	}
	created := h.accept(ctx, []task.Submission{s})[0]
	if created.Err != nil {
		return api.Response{}, created.Err
	}
	resp := api.JSON(http.StatusAccepted, api.Accepted{
		TaskID: created.ID, Status: task.Pending, Message: "Task submitted successfully",
	})
	resp.Headers["Location"] = strings.TrimSuffix(req.RawPath, "/") + "/" + string(created.ID)
	if created.ID != s.ID {
		resp.Headers["Idempotent-Replayed"] = "true"
	}
	return resp, nil
}

// batch accepts those tasks of a batch that it can, and tells of each what became
// of it.
func (h *Handler) batch(ctx context.Context, req api.Request) (api.Response, error) {
	if _, err := api.Query(req); err != nil {
		return api.Response{}, err
	}
	if _, given := req.Headers["idempotency-key"]; given {
		return api.Response{}, api.Problemf(http.StatusBadRequest, `A batch has no Idempotency-Key. Give each task its own, as "idempotencyKey" beside its answer.`)
	}
	items, err := batchOf(req)
	if err != nil {
		return api.Response{}, err
	}
	results := make([]api.BatchResult, len(items))
	refused := func(i int, err error) {
		p := api.ProblemOf(ctx, h.Log, err)
		results[i] = api.BatchResult{Status: p.Status, Detail: p.Detail}
	}
	var submissions []task.Submission
	var places []int // of the submissions in the batch
	for i, raw := range items {
		s, err := itemOf(raw, h.Clock.Now().Time)
		if err != nil {
			refused(i, err)
			continue
		}
		submissions, places = append(submissions, s), append(places, i)
	}
	for n, created := range h.accept(ctx, submissions) {
		if created.Err != nil {
			refused(places[n], created.Err)
			continue
		}
		results[places[n]] = api.BatchResult{Status: http.StatusAccepted, TaskID: created.ID, Replayed: created.ID != submissions[n].ID}
	}
	return api.JSON(http.StatusOK, api.Batch{Results: results}), nil
}

// accept creates tasks and queues their messages. The error of one is an
// api.Problem where the client is at fault.
func (h *Handler) accept(ctx context.Context, submissions []task.Submission) []task.Created {
	if len(submissions) == 0 {
		return nil
	}
	all := h.Store.Create(ctx, submissions...)
	var messages []task.Outgoing
	for i := range all {
		switch created := &all[i]; {
		case task.IsKind(created.Err, task.KeyReused):
			created.Err = api.Problemf(http.StatusUnprocessableEntity, "This idempotency key was used for another request. Send that one again as it was, or use a new key.")
		case created.Err == nil && !created.Queued:
			s := &submissions[i]
			m := s.Outgoing(h.Clock.Now())
			if created.ID != s.ID { // whoever created it may not have come to send its message
				m = s.Outgoing(s.CreatedAt)
				m.TaskID = created.ID
			}
			messages = append(messages, m)
		}
	}
	h.send(ctx, messages)
	return all
}

// send puts messages on the queue. If that fails the tasks are accepted all the
// same: reconcile sends the messages later.
func (h *Handler) send(ctx context.Context, messages []task.Outgoing) {
	if len(messages) == 0 {
		return
	}
	if err := h.Queue.Send(ctx, messages...); err != nil {
		h.Log.WarnContext(ctx, "messages not sent, left to reconcile", "taskId", messages[0].TaskID, "messages", len(messages), "error", err)
	}
}
