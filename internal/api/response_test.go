package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

func TestFail(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.1:443: refused")
	tests := []struct {
		name   string
		err    error
		status int
		header map[string]string
		logged bool
	}{
		{"a problem", fmt.Errorf("submit: %w", Problemf(422, "Send %s.", "text")), 422, nil, false},
		{"a task that is not there", task.Errorf(task.NotFound, "no item"), 404, nil, false},
		{"a store that is away", fmt.Errorf("get: %w", task.Errorf(task.Unavailable, "get: %w", secret)), 503, map[string]string{"Retry-After": "5"}, true},
		{"another kind", task.Errorf(task.Fenced, "x: %w", secret), 500, nil, true},
		{"no kind", secret, 500, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			resp := Fail(t.Context(), slog.New(slog.NewJSONHandler(&log, nil)), tt.err)
			if strings.Contains(resp.Body, "10.0.0.1") || strings.Contains(resp.Body, "no item") {
				t.Errorf("the client is told %s", resp.Body)
			}
			if (log.Len() > 0) != tt.logged {
				t.Errorf("logged %q, want something: %t", log.String(), tt.logged)
			}
			var got Problem
			if err := json.Unmarshal([]byte(resp.Body), &got); err != nil {
				t.Fatal(err)
			}
			if got.Type != "about:blank" || got.Title != http.StatusText(tt.status) || got.Status != tt.status || got.Detail == "" {
				t.Errorf("got %+v, want a problem of status %d", got, tt.status)
			}
			want := map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
			for k, v := range tt.header {
				want[k] = v
			}
			if diff := cmp.Diff(want, resp.Headers); diff != "" || resp.StatusCode != tt.status {
				t.Errorf("status %d, headers (-want +got):\n%s", resp.StatusCode, diff)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	resp := JSON(202, map[string]string{"answer": "a < b & c"})
	if resp.StatusCode != 202 || resp.Body != `{"answer":"a < b & c"}` || resp.Headers["Content-Type"] != "application/json" {
		t.Errorf("got %+v", resp)
	}
}

// TestTheLargestPageFits fills a page with what takes the most room in JSON,
// within JSON.
func TestTheLargestPageFits(t *testing.T) {
	t.Parallel()
	const maxLambdaResponse = 6 << 20 // invocation payload, synchronous: 6 MB
	page := task.Page{Next: id}
	for range task.MaxPageTasks {
		page.Tasks = append(page.Tasks, task.Task{
			ID: id, Status: task.Processing, Answer: strings.Repeat("\x01", task.MaxPageBytes/task.MaxPageTasks),
			ErrorMessage: strings.Repeat("\x01", task.MaxErrorBytes),
		})
	}
	b, err := json.Marshal(JSON(200, ListOf(task.Query{}, page)))
	if err != nil || len(b) > maxLambdaResponse {
		t.Errorf("got %d bytes, %v, want at most %d", len(b), err, maxLambdaResponse)
	}
}
