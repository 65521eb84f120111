package host

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tasks/internal/api"
	"tasks/internal/api/apitest"
	"tasks/internal/task"
)

// newTestHost returns a host that does not serve: what is posted stays PENDING.
func newTestHost(t *testing.T, token string) *testHost {
	t.Helper()
	h, err := New(Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Token: token, Worker: succeeds, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return &testHost{Host: h, t: t}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	h := newTestHost(t, "")
	id := string(h.submit("x"))
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/local/tasks", 200},
		{"GET", "/local/tasks?limit=1&status=PENDING", 200},
		{"GET", "/local/tasks/" + id, 200},
		{"GET", "/local/tasks/" + id + "/history", 200},
		{"GET", "/local/openapi.yaml", 200},
		{"POST", "/local/tasks/" + id + "/redrive", 409},
		{"GET", "/local/tasks/", 404},
		{"GET", "/local/tasks/" + id + "/", 404},
		{"GET", "/local/tasks/%2e%2e", 404},
		{"GET", "/local/tasks/" + strings.ToUpper(id), 404},
		{"GET", "/local/tasks/01939a3e-7c00-7000-8000-000000000001", 404},
		{"DELETE", "/local/tasks", 405},
		{"PUT", "/local/tasks/" + id, 405},
		{"GET", "/local/tasks/" + id + "/redrive", 405},
		{"PUT", "/local/openapi.yaml", 405},
		{"GET", "/openapi.yaml", 404},
		{"GET", "/tasks", 404},
		{"POST", "/", 404},
		{"GET", "/index.html", 404},
		{"GET", "/localtasks", 404},
		{"GET", "/local//tasks", 404},
	} {
		w := httptest.NewRecorder()
		h.front.ServeHTTP(w, httptest.NewRequest(tt.method, "http://localhost"+tt.path, nil))
		if path, ok := strings.CutPrefix(tt.path, "/local"); ok {
			apitest.Check(t, apitest.Exchange{Method: tt.method, Path: path, Status: w.Code, Header: w.Header(), Body: w.Body.String()})
		}
		if w.Code != tt.want {
			t.Errorf("%s %s: got %d %s, want %d", tt.method, tt.path, w.Code, w.Body, tt.want)
		}
		if tt.want < 400 {
			continue
		}
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != tt.want || p.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: got %s %s, want a problem", tt.method, tt.path, w.Header(), w.Body)
		}
	}
}

func TestWhoIsServed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, token, host, authorization string
		want                             int
	}{
		{"localhost", "", "localhost:3000", "", 200},
		{"a loopback address", "", "127.0.0.1:3000", "", 200},
		{"the loopback address of IPv6", "", "[::1]:3000", "", 200},
		{"any address of this machine's own", "", "127.8.9.10", "", 200},
		{"localhost in capitals", "", "LOCALHOST:3000", "", 200},
		{"no name", "", "", "", 421},
		{"all addresses", "", "0.0.0.0:3000", "", 421},
		{"a name that begins as a loopback one does", "", "localhost.evil.example", "", 421},
		{"a name that a web page made resolve to this machine", "", "evil.example:3000", "", 421},
		{"an address of another network", "", "192.168.1.7:3000", "", 421},
		{"the right token, by any name", "secret", "tasks.example", "Bearer secret", 200},
		{"a wrong token", "secret", "localhost:3000", "Bearer secreT", 401},
		{"a part of the token", "secret", "localhost:3000", "Bearer secre", 401},
		{"more than the token", "secret", "localhost:3000", "Bearer secrets", 401},
		{"the token without its scheme", "secret", "localhost:3000", "secret", 401},
		{"no token", "secret", "localhost:3000", "", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newTestHost(t, tt.token)
			r := httptest.NewRequest("GET", "http://localhost/local/tasks", nil)
			r.Host = tt.host
			if tt.authorization != "" {
				r.Header.Set("Authorization", tt.authorization)
			}
			w := httptest.NewRecorder()
			h.front.ServeHTTP(w, r)
			if w.Code != tt.want || (w.Header().Get("WWW-Authenticate") == "Bearer") != (tt.want == 401) {
				t.Errorf("got %d %v %s, want %d", w.Code, w.Header(), w.Body, tt.want)
			}
		})
	}
}

// TestWebPages sends what browsers send for pages: Sec-Fetch-Site, or Origin
// alone if they are old.
func TestWebPages(t *testing.T) {
	t.Parallel()
	const redrive = "/local/tasks/01939a3e-7c00-7000-8000-000000000001/redrive" // no such task
	h, guarded := newTestHost(t, ""), newTestHost(t, "secret")
	for _, tt := range []struct {
		name, method, path, fetchSite, origin string
		want                                  int
	}{
		{"a program", "POST", redrive, "", "", 404},
		{"a page of this server", "POST", redrive, "same-origin", "http://localhost:3000", 404},
		{"a page of this server in an old browser", "POST", redrive, "", "http://localhost:3000", 404},
		{"the address bar", "POST", redrive, "none", "", 404},
		{"a page elsewhere", "POST", redrive, "cross-site", "https://evil.example", 403},
		{"a page elsewhere in an old browser", "POST", redrive, "", "https://evil.example", 403},
		{"a page of another server of this machine", "POST", redrive, "same-site", "http://localhost:8080", 403},
		{"the same in an old browser", "POST", redrive, "", "http://localhost:8080", 403},
		{"a file, or a frame in a sandbox", "POST", redrive, "", "null", 403},
		{"a page elsewhere that submits a form", "POST", "/local/tasks", "cross-site", "https://evil.example", 403},
		{"a page elsewhere, by another method", "DELETE", "/local/tasks", "cross-site", "https://evil.example", 403},
		{"a page elsewhere that reads, and is not shown what", "GET", "/local/tasks", "cross-site", "https://evil.example", 200},
		{"a page elsewhere that asks whether it may", "OPTIONS", "/local/tasks", "cross-site", "https://evil.example", 405},
	} {
		for _, h := range []*testHost{h, guarded} {
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(""))
			r.Host = "localhost:3000"
			r.Header.Set("Authorization", "Bearer secret")
			if tt.fetchSite != "" {
				r.Header.Set("Sec-Fetch-Site", tt.fetchSite)
			}
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			w := httptest.NewRecorder()
			h.front.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%s: got %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: got %v, which lets another page read", tt.name, w.Header())
				}
			}
		}
	}
}

// listen serves a host's front on a real listener.
func listen(t *testing.T, h *testHost) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := h.front.server()
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

func TestHugeBodiesAreNotRead(t *testing.T) {
	t.Parallel()
	h := newTestHost(t, "")
	address := listen(t, h)
	for _, tt := range []struct {
		name   string
		header string
		body   io.Reader
	}{
		{"with a length", fmt.Sprintf("Content-Length: %d", 20<<20), strings.NewReader("{")}, // the rest is never sent
		{"in chunks", "Transfer-Encoding: chunked", strings.NewReader(strings.Repeat("10000\r\n"+strings.Repeat("x", 0x10000)+"\r\n", 40))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(c, "POST /local/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n\r\n", tt.header)
			go io.Copy(c, tt.body)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %s, %v, want a problem 413", resp.Status, resp.Header)
			}
		})
	}
	if page, err := h.db.List(t.Context(), task.Query{Limit: 1}); err != nil || len(page.Tasks) != 0 {
		t.Errorf("got tasks %v, %v, want none", page.Tasks, err)
	}
}

// TestTooLargeBodiesAreAnswered: to clients that send all of it before they look too.
func TestTooLargeBodiesAreAnswered(t *testing.T) {
	t.Parallel()
	address := listen(t, newTestHost(t, ""))
	for _, size := range []int{api.MaxBodyBytes + 1, api.MaxBodyBytes + 300_000, 2 * api.MaxBodyBytes} {
		for _, header := range []string{fmt.Sprintf("Content-Length: %d", size), "Transfer-Encoding: chunked"} {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			body := strings.Repeat("x", size)
			if strings.HasPrefix(header, "Transfer") {
				body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body)
			}
			if _, err := fmt.Fprintf(c, "POST /local/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n\r\n%s", header, body); err != nil {
				t.Errorf("%d bytes, %s: %v", size, header, err)
				continue
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
				t.Errorf("%d bytes, %s: got %v, %v, want 413 and the connection closed", size, header, resp, err)
			}
		}
	}
}

func TestAFileThatCannotBeWrittenAnswers503(t *testing.T) {
	t.Parallel()
	h := newTestHost(t, "")
	if err := h.db.Close(); err != nil { // so that nothing can be written
		t.Fatal(err)
	}
	w := h.do("POST", "/tasks", `{"answer":"x"}`)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v, want 503 with Retry-After", w.Code, w.Header())
	}
}

// TestPages has what a browser gets that has no token: the pages, and nothing else.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		token, host, path, authorization string
		want                             int
	}{
		{"", "localhost:3000", "/", "", 200},
		{"", "evil.example:3000", "/", "", 421},
		{"secret", "tasks.example", "/", "", 200},
		{"secret", "tasks.example", "/console.js", "", 200},
		{"secret", "tasks.example", "/machine.json", "", 200},
		{"secret", "tasks.example", "/events", "", 401},
		{"secret", "tasks.example", "/local/tasks", "", 401},
		{"secret", "tasks.example", "/local/tasks/stats", "", 401},
		{"secret", "tasks.example", "/static/console.js", "", 401},
		{"secret", "tasks.example", "/..%2fconsole.go", "Bearer secret", 404},
	} {
		h := newTestHost(t, tt.token)
		r := httptest.NewRequest("GET", "http://localhost"+tt.path, nil)
		r.Host = tt.host
		r.Header.Set("Authorization", tt.authorization)
		w := httptest.NewRecorder()
		h.front.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%+v: got %d %s", tt, w.Code, w.Body)
		}
	}
}
