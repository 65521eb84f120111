package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tasks/internal/api"
)

func TestProxy(t *testing.T) {
	t.Parallel()
	var sent string
	forward := func(_ context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
		if path == "/tasks/down" {
			return nil, errors.New("no server at https://example.test")
		}
		sent = strings.Join([]string{method, path, header.Get("Content-Type"), header.Get("Idempotency-Key"), header.Get("Authorization") + header.Get("Cookie"), string(body)}, "|")
		return &http.Response{StatusCode: 202, Header: http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {"a=b"}}, Body: io.NopCloser(strings.NewReader(`{"taskId":"1"}`))}, nil
	}
	p := NewProxy(New(stats, time.Second), forward)
	for _, tt := range []struct {
		method, host, path, origin, body string
		want                             int
		sent                             string
	}{
		{"GET", "localhost:3001", "/", "", "", 200, ""},
		{"GET", "127.0.0.1:3001", "/local/tasks?limit=1&label=a%3Ab", "", "", 202, "GET|/tasks?limit=1&label=a%3Ab||||"},
		{"GET", "[::1]:3001", "/local/tasks/a%2Fb", "", "", 202, "GET|/tasks/a%2Fb||||"},
		{"POST", "localhost:3001", "/local/tasks", "http://localhost:3001", `{"answer":"42"}`, 202, `POST|/tasks|application/json|k||{"answer":"42"}`},
		{"POST", "localhost:3001", "/local/tasks", "https://evil.example", `{"answer":"42"}`, 403, ""},
		{"GET", "evil.example:3001", "/local/tasks", "", "", 421, ""},
		{"GET", "localhost.evil.example", "/", "", "", 421, ""},
		{"GET", "0.0.0.0:3001", "/", "", "", 421, ""},
		{"GET", "localhost", "/local/tasks/down", "", "", 502, ""},
		{"POST", "localhost", "/local/tasks", "", strings.Repeat("x", api.MaxBodyBytes+1), 413, ""},
		{"GET", "localhost", "/nowhere", "", "", 404, ""},
		{"GET", "localhost", "/local", "", "", 404, ""},
		{"POST", "localhost", "/", "", "", 404, ""},
	} {
		sent = ""
		r := httptest.NewRequest(tt.method, "http://localhost"+tt.path, strings.NewReader(tt.body))
		r.Host = tt.host
		r.Header.Set("Authorization", "Bearer of another")
		r.Header.Set("Cookie", "a=b")
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		if tt.body != "" {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "k")
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != tt.want || sent != tt.sent || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s %s of %s: got %d %s, sent %q, want %d, %q", tt.method, tt.path, tt.host, w.Code, w.Body, sent, tt.want, tt.sent)
		}
		if w.Code == 202 && w.Body.String() != `{"taskId":"1"}` {
			t.Errorf("%s %s: got %s", tt.method, tt.path, w.Body)
		}
	}
}
