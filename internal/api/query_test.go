package api

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

const id = task.ID("01939a3e-7c00-7000-8000-000000000001")

func TestListQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query string
		want  task.Query
	}{
		{"", task.Query{Limit: 50}},
		{"limit=1", task.Query{Limit: 1}},
		{"limit=100&status=DLQ", task.Query{Limit: 100, Status: task.DLQ}},
		{"nextToken=" + pageToken("", id), task.Query{Limit: 50, Before: id}},
		{"status=FAILED&nextToken=" + pageToken(task.Failed, id), task.Query{Limit: 50, Status: task.Failed, Before: id}},
	}
	for _, tt := range tests {
		got, err := ListQuery(Request{RawQueryString: tt.query})
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.query, diff)
		}
	}
}

func TestPageTokens(t *testing.T) {
	t.Parallel()
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, token := range map[string]string{
		"nothing":              "",
		"no base64":            "!",
		"padding":              pageToken(task.DLQ, id) + "=",
		"a line break":         pageToken(task.DLQ, id) + "\n",
		"another status":       pageToken(task.Failed, id),
		"all statuses":         pageToken("", id),
		"another version":      encode("2.DLQ." + string(id)),
		"an odd id":            encode("1.DLQ.1"),
		"no id":                encode("1.DLQ."),
		"something after it":   encode("1.DLQ." + string(id) + "x"),
		"a plain id":           string(id),
		"what was put in once": "1.DLQ." + string(id),
	} {
		if got, ok := parsePageToken(token, task.DLQ); ok {
			t.Errorf("%s: got %q, want it refused", name, got)
		}
	}
}
