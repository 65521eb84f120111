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
		{"limit=100&status=DLQ", task.Query{Limit: 100, Filter: task.Filter{Status: task.DLQ}}},
		{"errorType=Lambda.Unknown&label=team:a:b", task.Query{Limit: 50, Filter: task.Filter{ErrorType: "Lambda.Unknown", Label: "team", LabelValue: "a:b"}}},
		{"label=team:", task.Query{Limit: 50, Filter: task.Filter{Label: "team"}}},
		{"createdAfter=2026-01-31T13:00:00%2B01:00&createdBefore=2026-01-31T12:00:00.0019Z", task.Query{Limit: 50, Filter: task.Filter{
			CreatedFrom: task.AtMilli(1769860800000), CreatedBefore: task.AtMilli(1769860800001),
		}}},
		{"nextToken=" + pageToken(task.Filter{}, id), task.Query{Limit: 50, Before: id}},
		{"status=FAILED&nextToken=" + pageToken(task.Filter{Status: task.Failed}, id), task.Query{Limit: 50, Filter: task.Filter{Status: task.Failed}, Before: id}},
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
	dead := task.Filter{Status: task.DLQ}
	prefix := tokenPrefix(dead)
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, token := range map[string]string{
		"nothing":              "",
		"no base64":            "!",
		"padding":              pageToken(dead, id) + "=",
		"a line break":         pageToken(dead, id) + "\n",
		"another status":       pageToken(task.Filter{Status: task.Failed}, id),
		"all statuses":         pageToken(task.Filter{}, id),
		"another label":        pageToken(task.Filter{Status: task.DLQ, Label: "team"}, id),
		"another version":      encode("1" + prefix[1:] + string(id)),
		"an odd id":            encode(prefix + "1"),
		"no id":                encode(prefix),
		"something after it":   encode(prefix + string(id) + "x"),
		"a plain id":           string(id),
		"what was put in once": prefix + string(id),
	} {
		if got, ok := parsePageToken(token, dead); ok {
			t.Errorf("%s: got %q, want it refused", name, got)
		}
	}
}
