package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"tasks/internal/task"
)

func post(body string) Request {
	return Request{Headers: map[string]string{"content-type": "application/json"}, Body: body}
}

// statusOf returns the status of a Problem, and 0 for nil.
func statusOf(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		t.Fatalf("got %v, want a Problem", err)
	}
	return p.Status
}

func TestObject(t *testing.T) {
	t.Parallel()
	const bad = http.StatusBadRequest
	tests := []struct {
		name, body string
		want       int
	}{
		{"an object", `{"a": 1, "b": {"c": [1, "\ud83d\ude00"]}}`, 0},
		{"an empty object", " {} \n", 0},
		{"an escaped backslash before u", `{"a": "\\ud800"}`, 0},
		{"nothing", "", bad},
		{"white space", " \n", bad},
		{"an open object", `{"a": 1`, bad},
		{"a second document", `{"a": 1} {}`, bad},
		{"a byte order mark", "\uFEFF{}", bad},
		{"Latin-1", "{\"a\": \"\xe9\"}", bad},
		{"a name twice", `{"a": 1, "a": 1}`, bad},
		{"a name twice, once escaped", `{"a": 1, "\u0061": 1}`, bad},
		{"a high surrogate", `{"a": "\ud83d"}`, bad},
		{"a high surrogate before another escape", `{"a": "\ud83d\n"}`, bad},
		{"a low surrogate", `{"a": "\\\ude00"}`, bad},
		{"surrogates the wrong way round", `{"a": "\ude00\ud83d"}`, bad},
		{"a deep document", strings.Repeat("[", 20_000), bad},
		{"an array", "[]", http.StatusUnprocessableEntity},
		{"a string", `"a"`, http.StatusUnprocessableEntity},
		{"null", "null", http.StatusUnprocessableEntity},
		{"the largest body", `{"a": "` + strings.Repeat("x", MaxBodyBytes-9) + `"}`, 0},
		{"a larger body", `{"a": "` + strings.Repeat("x", MaxBodyBytes-8) + `"}`, http.StatusRequestEntityTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plain, encoded := post(tt.body), post(base64.StdEncoding.EncodeToString([]byte(tt.body)))
			encoded.IsBase64Encoded = true
			for _, req := range []Request{plain, encoded} {
				object, err := Object(req)
				if got := statusOf(t, err); got != tt.want {
					t.Errorf("got %d (%v), want %d", got, err, tt.want)
				}
				if (object == nil) != (err != nil) {
					t.Errorf("got %v with %v", object, err)
				}
			}
		})
	}
	t.Run("broken base64", func(t *testing.T) {
		t.Parallel()
		req := post("{}")
		req.IsBase64Encoded = true
		if _, err := Object(req); statusOf(t, err) != bad {
			t.Errorf("got %v, want 400", err)
		}
	})
}

func TestObjectTakesJSONOnly(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]int{
		"application/json":                              0,
		"Application/JSON":                              0,
		"application/json; charset=utf-8":               0,
		`application/json;charset="UTF-8"`:              0,
		"":                                              http.StatusUnsupportedMediaType,
		"text/plain":                                    http.StatusUnsupportedMediaType,
		"application/json; charset=latin1":              http.StatusUnsupportedMediaType,
		"application/json; version=1":                   http.StatusUnsupportedMediaType,
		"application/json, application/json":            http.StatusUnsupportedMediaType,
		"application/json; charset=utf-8; charset=utf8": http.StatusUnsupportedMediaType,
		"application/problem+json":                      http.StatusUnsupportedMediaType,
		"application/x-www-form-urlencoded":             http.StatusUnsupportedMediaType,
	} {
		req := post("{}")
		req.Headers["content-type"] = contentType
		if _, err := Object(req); statusOf(t, err) != want {
			t.Errorf("%q: got %v, want %d", contentType, err, want)
		}
	}
}

// TestTheLongestAnswerFits escapes every byte of it.
func TestTheLongestAnswerFits(t *testing.T) {
	t.Parallel()
	object, err := Object(post(`{"answer": "` + strings.Repeat(`\u0041`, task.MaxAnswerBytes) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	var answer string
	if err := json.Unmarshal(object["answer"], &answer); err != nil || answer != strings.Repeat("A", task.MaxAnswerBytes) {
		t.Errorf("got %d bytes, %v, want %d", len(answer), err, task.MaxAnswerBytes)
	}
}
