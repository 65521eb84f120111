package redrive

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"tasks/internal/api"
	"tasks/internal/task"
)

// order is what a request to redrive many tasks asks for.
type order struct {
	query  task.Query
	dryRun bool
}

// all gives new runs to the dead tasks that a filter selects, newest first, at most
// task.MaxBatch of them. One that dies again meanwhile is not taken twice: it died
// after the order's DiedBefore.
func (h *Handler) all(ctx context.Context, req api.Request) (api.Response, error) {
	if _, err := api.Query(req); err != nil {
		return api.Response{}, err
	}
	o, err := orderOf(req, h.Clock.Now())
	if err != nil {
		return api.Response{}, err
	}
	page, err := h.Store.List(ctx, o.query)
	if err != nil {
		return api.Response{}, err
	}
	answer := api.Redriven{DryRun: o.dryRun, Tasks: []task.Message{}, DiedBefore: o.query.UpdatedBefore}
	var messages []task.Outgoing
	for i, t := range page.Tasks {
		if o.dryRun {
			answer.Tasks = append(answer.Tasks, t.Message())
			continue
		}
		redriven, queued, err := h.Store.Redrive(ctx, t.Message(), h.Clock.Now())
		switch {
		case task.IsKind(err, task.Conflict), task.IsKind(err, task.NotFound):
			continue // somebody else was quicker
		case err != nil && len(answer.Tasks) == 0:
			return api.Response{}, err
		}
		if err != nil {
			api.ProblemOf(ctx, h.Log, err)
			page.Next = page.Tasks[i-1].ID // the rest by another request
			break
		}
		answer.Tasks = append(answer.Tasks, redriven.Message())
		if !queued {
			messages = append(messages, redriven.Outgoing(redriven.UpdatedAt))
		}
	}
	h.send(ctx, messages)
	answer.NextToken = api.NextToken(o.query.Filter, page)
	return api.JSON(http.StatusOK, answer), nil
}

// orderOf reads the body. The error is an api.Problem.
func orderOf(req api.Request, now task.Time) (order, error) {
	object, err := api.Object(req)
	if err != nil {
		return order{}, err
	}
	allowed := []string{"errorType", "label", "createdAfter", "createdBefore", "diedBefore", "limit", "dryRun", "nextToken"}
	values := map[string]string{}
	o := order{query: task.Query{Filter: task.Filter{Status: task.DLQ, UpdatedBefore: now}, Limit: task.MaxBatch}}
	for name, raw := range object {
		var target any
		switch {
		case !slices.Contains(allowed, name):
			return order{}, api.Problemf(http.StatusUnprocessableEntity, "There is no member %q. Use %s.", task.Cut(name, 64), strings.Join(allowed, ", "))
		case name == "limit":
			target = &o.query.Limit
		case name == "dryRun":
			target = &o.dryRun
		default:
			target = new(string)
		}
		if string(raw) == "null" || json.Unmarshal(raw, target) != nil {
			return order{}, api.Problemf(http.StatusUnprocessableEntity, `The member %q is of the wrong type: "limit" is a number, "dryRun" true or false, and the others are strings.`, name)
		}
		if s, ok := target.(*string); ok {
			values[name] = *s
		}
	}
	const status = http.StatusUnprocessableEntity
	if o.query.Limit < 1 || o.query.Limit > task.MaxBatch {
		return order{}, api.Problemf(status, "limit must be a whole number from 1 to %d.", task.MaxBatch)
	}
	get := func(name string) (string, bool) { value, given := values[name]; return value, given }
	if err := api.SetFilter(&o.query.Filter, status, get); err != nil {
		return order{}, err
	}
	if value, given := get("diedBefore"); given {
		if o.query.UpdatedBefore, err = api.Time(value); err != nil {
			return order{}, api.Problemf(status, "diedBefore must be a time of RFC 3339, such as 2026-01-31T12:00:00Z.")
		}
	}
	if value, given := get("nextToken"); given {
		o.query.Before, err = api.PageToken(value, o.query.Filter, status)
	}
	return o, err
}
