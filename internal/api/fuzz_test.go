package api

import (
	"encoding/base64"
	"encoding/json"
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

// FuzzPageToken checks that a page token that is accepted is the one, and the
// only one, that a listing of its status gives for that task.
func FuzzPageToken(f *testing.F) {
	for _, status := range append([]task.Status{""}, task.Statuses...) {
		f.Add(pageToken(status, id), string(status))
	}
	f.Add(pageToken(task.DLQ, id)+"\n", "DLQ")
	f.Add(base64.StdEncoding.EncodeToString([]byte("1.DLQ."+id)), "DLQ")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, token, status string) {
		next, ok := parsePageToken(token, task.Status(status))
		if !ok {
			return
		}
		if _, err := task.ParseID(string(next)); err != nil {
			t.Errorf("%q goes on after %q: %v", token, next, err)
		}
		if again := pageToken(task.Status(status), next); again != token {
			t.Errorf("%q is taken for %q", token, again)
		}
	})
}
