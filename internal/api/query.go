package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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

// ListQuery returns what the query parameters of a listing ask for. The error is a
// Problem.
func ListQuery(req Request) (task.Query, error) {
	values, err := Query(req, "status", "errorType", "label", "createdAfter", "createdBefore", "limit", "nextToken")
	if err != nil {
		return task.Query{}, err
	}
	q := task.Query{Limit: defaultPageTasks}
	if values.Has("status") {
		if q.Status = task.Status(values.Get("status")); !q.Status.Valid() {
			return task.Query{}, Problemf(http.StatusBadRequest, "There is no status %q. Use one of %v, or leave it out for all.", task.Cut(string(q.Status), 64), task.Statuses)
		}
	}
	if err := SetFilter(&q.Filter, http.StatusBadRequest, func(name string) (string, bool) { return values.Get(name), values.Has(name) }); err != nil {
		return task.Query{}, err
	}
	if values.Has("limit") {
		q.Limit, err = strconv.Atoi(values.Get("limit"))
		if err != nil || q.Limit < 1 || q.Limit > task.MaxPageTasks {
			return task.Query{}, Problemf(http.StatusBadRequest, "limit must be a whole number from 1 to %d.", task.MaxPageTasks)
		}
	}
	if values.Has("nextToken") {
		if q.Before, err = PageToken(values.Get("nextToken"), q.Filter, http.StatusBadRequest); err != nil {
			return task.Query{}, err
		}
	}
	return q, nil
}

// SetFilter sets what errorType, label, createdAfter and createdBefore say. The
// error is a Problem of a status.
func SetFilter(f *task.Filter, status int, get func(name string) (value string, given bool)) error {
	if value, given := get("errorType"); given {
		if f.ErrorType = value; value == "" || len(value) > task.MaxErrorTypeBytes {
			return Problemf(status, "errorType must have 1 to %d bytes. Leave it out for all.", task.MaxErrorTypeBytes)
		}
	}
	if value, given := get("label"); given {
		var ok bool
		f.Label, f.LabelValue, ok = strings.Cut(value, ":")
		if !ok || !task.ValidLabelKey(f.Label) || len(f.LabelValue) > task.MaxLabelValue {
			return Problemf(status, "label must be a label's name and value, such as team:billing.")
		}
	}
	for name, bound := range map[string]*task.Time{"createdAfter": &f.CreatedFrom, "createdBefore": &f.CreatedBefore} {
		value, given := get(name)
		if !given {
			continue
		}
		var err error
		if *bound, err = Time(value); err != nil {
			return Problemf(status, "%s must be a time of RFC 3339, such as 2026-01-31T12:00:00Z.", name)
		}
	}
	return nil
}

// Time reads a time of RFC 3339, to the millisecond, of a year that has an id.
func Time(s string) (task.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err == nil && (t.UTC().Year() < 1970 || t.UTC().Year() > 9999) {
		err = errors.New("the year is not from 1970 to 9999")
	}
	return task.At(t), err
}

// PageToken returns where a page that follows another begins. The error is a Problem
// of a status.
func PageToken(token string, f task.Filter, status int) (before task.ID, err error) {
	before, ok := parsePageToken(token, f)
	if !ok {
		return "", Problemf(status, "nextToken is not one of this listing. Send it as the last page gave it, with everything else as before, or leave it out to begin again.")
	}
	return before, nil
}

// NextToken returns the token of the page that follows a filter's page, or "" if it
// is the last.
func NextToken(f task.Filter, page task.Page) string {
	if page.Next == "" {
		return ""
	}
	return pageToken(f, page.Next)
}

// ListOf returns the page as the listing q shows it.
func ListOf(q task.Query, page task.Page) List {
	list := List{Tasks: make([]Summary, len(page.Tasks))}
	for i, t := range page.Tasks {
		list.Tasks[i] = SummaryOf(t)
	}
	list.NextToken = NextToken(q.Filter, page)
	return list
}

// TaskID returns the id in the request's path. The error is a Problem: what is
// no id names no task.
func TaskID(req Request) (task.ID, error) {
	id, err := task.ParseID(req.PathParameters["taskId"])
	if err != nil && len(methods(func(pattern string) bool { return pattern == pathOf(req) })) > 0 {
		return "", NoRoute(req) // such as GET /tasks/batch, which a route of GET /tasks/{taskId} takes
	}
	if err != nil {
		return "", Problemf(http.StatusNotFound, "There is no such task: %v.", err)
	}
	return id, nil
}
