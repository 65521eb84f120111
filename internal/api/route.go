package api

import (
	"net/http"
	"slices"
	"strings"

	"tasks/internal/task"
)

// The route keys, as template.yaml declares them.
const (
	SubmitRoute     = "POST /tasks"
	BatchRoute      = "POST /tasks/batch"
	ListRoute       = "GET /tasks"
	StatsRoute      = "GET /tasks/stats"
	GetRoute        = "GET /tasks/{taskId}"
	HistoryRoute    = "GET /tasks/{taskId}/history"
	RedriveRoute    = "POST /tasks/{taskId}/redrive"
	RedriveAllRoute = "POST /tasks/redrive"
	// DescriptionRoute is api/openapi.yaml.
	DescriptionRoute = "GET /openapi.yaml"
	// DefaultRoute takes every request that no other route takes.
	DefaultRoute = "$default"
)

// Routes are all route keys but the default.
var Routes = [...]string{
	SubmitRoute, BatchRoute, ListRoute, StatsRoute, GetRoute, HistoryRoute, RedriveRoute, RedriveAllRoute, DescriptionRoute,
}

// NoRoute returns the problem of a request that no route takes: 405 if its path
// exists with other methods, and 404 if not. HEAD is such a method.
func NoRoute(req Request) *Problem {
	path, method := pathOf(req), req.RequestContext.HTTP.Method
	allow := methods(func(pattern string) bool { return pattern == path })
	if len(allow) == 0 { // a path without parameters is none with them
		allow = methods(func(pattern string) bool { return matches(pattern, path) })
	}
	if len(allow) == 0 || slices.Contains(allow, method) {
		return Problemf(http.StatusNotFound, "There is nothing at this path. GET /openapi.yaml, below the stage's path, describes what there is: /tasks, /tasks/{taskId}, /tasks/{taskId}/history and /tasks/{taskId}/redrive.")
	}
	allowed := strings.Join(allow, ", ")
	return Problemf(http.StatusMethodNotAllowed, "This path does not take %s. Use %s.", task.Cut(method, 64), allowed).With("Allow", allowed)
}

// methods returns the methods of the routes whose pattern is one of those that has
// says.
func methods(has func(pattern string) bool) (methods []string) {
	for _, route := range Routes {
		if method, pattern, _ := strings.Cut(route, " "); has(pattern) {
			methods = append(methods, method)
		}
	}
	return methods
}

// pathOf returns the path that routes are matched with. RawPath begins with the
// stage, unless that is the default one.
func pathOf(req Request) string {
	return strings.TrimPrefix(req.RawPath, "/"+req.RequestContext.Stage)
}

// matches tells whether path has the segments of pattern, in which {name}
// stands for any one segment.
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(w, g string) bool {
		return w == g || strings.HasPrefix(w, "{") && g != ""
	})
}
