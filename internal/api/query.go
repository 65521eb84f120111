package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tasks/internal/task"
)

// defaultPageTasks is the limit of a listing that gives none.
const defaultPageTasks = 50

// Query returns the query parameters of a request that takes only those named,
// each at most once. The error is a Problem.
func Query(req Request, allowed ...string) (url.Values, error) {
	values, err := url.ParseQuery(req.RawQueryString)
	if err != nil {
		return nil, Problemf(http.StatusBadRequest, "The query string can't be read. Write it as name=value&name=value, with other characters percent-encoded.")
	}
	for name, vs := range values {
		if !slices.Contains(allowed, name) {
			if len(allowed) == 0 {
				return nil, Problemf(http.StatusBadRequest, "This path takes no query parameters. Leave out %q.", task.Cut(name, 64))
			}
			return nil, Problemf(http.StatusBadRequest, "There is no query parameter %q. Use %s.", task.Cut(name, 64), strings.Join(allowed, ", "))
		}
		if len(vs) > 1 {
			return nil, Problemf(http.StatusBadRequest, "The query parameter %s is there %d times. Give it once.", name, len(vs))
		}
	}
	return values, nil
}

// ListQuery returns what a listing asks for. The error is a Problem.
func ListQuery(req Request) (task.Query, error) {
	values, err := Query(req, "status", "limit", "nextToken")
	if err != nil {
		return task.Query{}, err
	}
	q := task.Query{Limit: defaultPageTasks}
	if values.Has("status") {
		if q.Status = task.Status(values.Get("status")); !q.Status.Valid() {
			return task.Query{}, Problemf(http.StatusBadRequest, "There is no status %q. Use one of %v, or leave it out for all.", task.Cut(string(q.Status), 64), task.Statuses)
		}
	}
	if values.Has("limit") {
		q.Limit, err = strconv.Atoi(values.Get("limit"))
		if err != nil || q.Limit < 1 || q.Limit > task.MaxPageTasks {
			return task.Query{}, Problemf(http.StatusBadRequest, "limit must be a whole number from 1 to %d.", task.MaxPageTasks)
		}
	}
	if values.Has("nextToken") {
		var ok bool
		if q.Before, ok = parsePageToken(values.Get("nextToken"), q.Status); !ok {
			return task.Query{}, Problemf(http.StatusBadRequest, "nextToken is not one of this listing. Send it as the last page gave it, with the same status, or leave it out to begin again.")
		}
	}
	return q, nil
}

// ListOf returns the page as the listing q shows it.
func ListOf(q task.Query, page task.Page) List {
	list := List{Tasks: make([]Summary, len(page.Tasks))}
	for i, t := range page.Tasks {
		list.Tasks[i] = SummaryOf(t)
	}
	if page.Next != "" {
		list.NextToken = pageToken(q.Status, page.Next)
	}
	return list
}

// TaskID returns the id in the request's path. The error is a Problem: what is
// no id names no task.
func TaskID(req Request) (task.ID, error) {
	id, err := task.ParseID(req.PathParameters["taskId"])
	if err != nil {
		return "", Problemf(http.StatusNotFound, "There is no such task: %v.", err)
	}
	return id, nil
}
