package api

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"
)

func TestTheTemplateHasOurRoutes(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^ +RouteKey: (.+?) *$`).FindAllSubmatch(template, -1) {
		got = append(got, string(m[1]))
	}
	want := append([]string{DefaultRoute}, Routes[:]...)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("template.yaml has the routes %q, want %q", got, want)
	}
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	tests := []struct {
		stage, method, path string
		want                int
		allow               string
	}{
		{"local", "DELETE", "/local/tasks", http.StatusMethodNotAllowed, "POST, GET"},
		{"local", "HEAD", "/local/tasks", http.StatusMethodNotAllowed, "POST, GET"},
		{"$default", "PUT", "/tasks/x", http.StatusMethodNotAllowed, "GET"},
		{"dev", "POST", "/dev/tasks/x/history", http.StatusMethodNotAllowed, "GET"},
		{"dev", "GET", "/dev/tasks/x/redrive", http.StatusMethodNotAllowed, "POST"},
		{"tasks", "PUT", "/tasks/tasks", http.StatusMethodNotAllowed, "POST, GET"},
		{"dev", "GET", "/dev", http.StatusNotFound, ""},
		{"dev", "GET", "/dev/", http.StatusNotFound, ""},
		{"dev", "GET", "/dev/tasks/", http.StatusNotFound, ""},
		{"dev", "PUT", "/dev/tasks//history", http.StatusNotFound, ""},
		{"dev", "GET", "/dev/tasks/x/y", http.StatusNotFound, ""},
		{"dev", "GET", "/development/tasks", http.StatusNotFound, ""},
		{"dev", "GET", "", http.StatusNotFound, ""},
	}
	for _, tt := range tests {
		req := Request{RawPath: tt.path}
		req.RequestContext.Stage, req.RequestContext.HTTP.Method = tt.stage, tt.method
		resp := Fail(t.Context(), nil, NoRoute(req))
		if resp.StatusCode != tt.want || resp.Headers["Allow"] != tt.allow {
			t.Errorf("%s %s: got %d, Allow %q, want %d, %q", tt.method, tt.path, resp.StatusCode, resp.Headers["Allow"], tt.want, tt.allow)
		}
	}
}
