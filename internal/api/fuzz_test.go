package api

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"tasks/internal/task"
)

// FuzzObject checks that a body is refused with a client's error or taken as
// encoding/json reads it, with nothing replaced.
func FuzzObject(f *testing.F) {
	for _, body := range []string{`{"answer": "42"}`, `{"a": "\ud83d\ude00", "b": [{}]}`, `[]`, `{"a":1}{"a":1}`, "\xff", `{"a":1,"a":2}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		object, err := Object(post(body))
		if err != nil {
			if s := statusOf(t, err); s < 400 || s > 499 || len(err.Error()) > 400 {
				t.Errorf("got %d (%v), want a client's error, and a short one", s, err)
			}
			return
		}
		var all map[string]any
		if err := json.Unmarshal([]byte(body), &all); err != nil || len(all) != len(object) {
			t.Errorf("took what encoding/json reads as %v, %v", all, err)
		}
		if strings.Count(body, "\uFFFD")+strings.Count(strings.ToLower(body), `\ufffd`) == 0 {
			for _, v := range all {
				if s, ok := v.(string); ok && strings.Contains(s, "\uFFFD") {
					t.Errorf("a replacement character was put into %q", s)
				}
			}
		}
	})
}

// FuzzListQuery checks that a query string is refused with a short 400 or says
// what the listing asks for, within its bounds.
func FuzzListQuery(f *testing.F) {
	for _, query := range []string{
		"", "status=DLQ&limit=7", "limit=%31&nextToken=" + pageToken(task.Filter{}, id), "status=DLQ&nextToken=" + pageToken(task.Filter{Status: task.DLQ}, id), "limit=1&limit=2", "limit=+1", "limit=9223372036854775808",
		"status=dlq", "status=", "errorType=WorkerError&label=team:billing", "label=", "label=team", "createdAfter=2026-01-31T12:00:00Z&createdBefore=9999-12-31T23:59:59.999%2B14:00", "%zz", "a;b", "limit=1%00", "&&", "\xff=1", strings.Repeat("a", 1000),
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := ListQuery(Request{RawQueryString: query})
		if err != nil {
			if s := statusOf(t, err); s != 400 || len(err.Error()) > 600 {
				t.Errorf("%q: got %d (%v), want 400, and a short reason", query, s, err)
			}
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil || q.Limit < 1 || q.Limit > task.MaxPageTasks || string(q.Status) != values.Get("status") || q.Status != "" && !q.Status.Valid() {
			t.Errorf("%q: got %+v, %v", query, q, err)
		}
		if token := values.Get("nextToken"); token != "" && pageToken(q.Filter, q.Before) != token || token == "" && q.Before != "" {
			t.Errorf("%q goes on before %q", query, q.Before)
		}
	})
}

// FuzzPageToken checks that a page token that is accepted is the one, and the
// only one, that a listing of its status gives for that task.
func FuzzPageToken(f *testing.F) {
	for _, status := range append([]task.Status{""}, task.Statuses...) {
		f.Add(pageToken(task.Filter{Status: status}, id), string(status))
	}
	f.Add(pageToken(task.Filter{Status: task.DLQ}, id)+"\n", "DLQ")
	f.Add(base64.StdEncoding.EncodeToString([]byte("1.DLQ."+id)), "DLQ")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, token, status string) {
		next, ok := parsePageToken(token, task.Filter{Status: task.Status(status)})
		if !ok {
			return
		}
		if _, err := task.ParseID(string(next)); err != nil {
			t.Errorf("%q goes on after %q: %v", token, next, err)
		}
		if again := pageToken(task.Filter{Status: task.Status(status)}, next); again != token {
			t.Errorf("%q is taken for %q", token, again)
		}
	})
}
