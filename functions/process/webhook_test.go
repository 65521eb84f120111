package process

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// deliver has a worker deliver to a server whose answers a handler gives.
func deliver(t *testing.T, ctx context.Context, handler http.HandlerFunc, answer func(url string) string) (requests int, err error) {
	t.Helper()
	var seen atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		handler(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	w, err := NewWebhook(WebhookConfig{Hosts: []string{host}, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.(webhook).client.CloseIdleConnections()
	err = w.Work(ctx, task.Task{ID: "01939a3e-7c00-7000-8000-000000000001", Answer: answer(server.URL)})
	return int(seen.Load()), err
}

func toURL(url string) string {
	return `{"url": "` + url + `/hook?secret=s3cret", "body": {"n": [1, 2]}}`
}

func TestWebhookDelivers(t *testing.T) {
	t.Parallel()
	var got string
	requests, err := deliver(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = strings.Join([]string{r.Method, r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key"), string(body)}, " ")
		w.WriteHeader(http.StatusAccepted)
	}, toURL)
	const want = `POST /hook?secret=s3cret application/json 01939a3e-7c00-7000-8000-000000000001 {"n": [1, 2]}`
	if err != nil || requests != 1 || got != want {
		t.Errorf("got %q, %v, after %d requests, want %q", got, err, requests, want)
	}
	if _, err := deliver(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); string(body) != "{}" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}, func(url string) string { return `{"url": "` + url + `"}` }); err != nil {
		t.Errorf("without a body: %v", err)
	}
}

func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	for status, permanent := range map[int]bool{
		301: true, 302: true, 307: true, 308: true, 400: true, 401: true, 404: true, 409: true, 410: true, 422: true,
		408: false, 425: false, 429: false, 500: false, 502: false, 503: false, 504: false,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			requests, err := deliver(t, t.Context(), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "s3cret answer")
			}, toURL)
			if requests != 1 || err == nil || task.IsKind(err, task.PermanentError) != permanent {
				t.Errorf("got %v after %d requests, want it permanent: %v, after 1", err, requests, permanent)
			}
			if !strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got the error %q, want the status, and nothing of the URL's query or the answer", err)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		_, err := deliver(t, t.Context(), func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, toURL)
		if err == nil || task.IsKind(err, task.PermanentError) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want an error that is retried, without the URL's query", err)
		}
	})
	t.Run("one that does not end", func(t *testing.T) {
		t.Parallel()
		_, err := deliver(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}, toURL)
		if err != nil {
			t.Errorf("got %v, want a success: the rest of the answer does not matter", err)
		}
	})
}

func TestWebhookRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, "10": 10 * time.Second, "11": 0, "-1": 0, "1.5": 0, "99999999999999999999": 0, "soon": 0,
		"Sat, 01 Jan 2000 00:00:05 GMT": 5 * time.Second, "Fri, 31 Dec 1999 23:59:59 GMT": 0, "Sat, 01 Jan 2000 00:01:00 GMT": 0,
	} {
		if got := retryAfter(header, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
	// later answers that it wants to be left alone, and then with success.
	later := func() http.RoundTripper {
		asked := false
		return roundTrip(func(*http.Request) *http.Response {
			if asked {
				return &http.Response{StatusCode: 204, Body: http.NoBody}
			}
			asked = true
			return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"7"}}, Body: http.NoBody}
		})
	}
	for name, tt := range map[string]struct {
		within time.Duration // of the attempt
		done   bool
		took   time.Duration
	}{
		"is waited for":                    {time.Minute, true, 7 * time.Second},
		"is left to the retries, too late": {16 * time.Second, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := webhook{WebhookConfig{Hosts: []string{"hooks.example.com"}}, &http.Client{Transport: later()}}
				ctx, cancel := context.WithTimeout(t.Context(), tt.within)
				defer cancel()
				began := time.Now()
				err := w.Work(ctx, task.Task{Answer: `{"url": "https://hooks.example.com"}`})
				if (err == nil) != tt.done || time.Since(began) != tt.took || task.IsKind(err, task.PermanentError) {
					t.Errorf("got %v after %v, want a success: %v, after %v", err, time.Since(began), tt.done, tt.took)
				}
			})
		})
	}
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestWebhookRefusesAnswers(t *testing.T) {
	t.Parallel()
	w, err := NewWebhook(WebhookConfig{Hosts: []string{"hooks.example.com", "*.example.org", "other.example.com:8443"}})
	if err != nil {
		t.Fatal(err)
	}
	for answer, allowed := range map[string]bool{
		`{"url": "https://hooks.example.com/a?b#c"}`: true,
		`{"url": "https://HOOKS.example.com:443"}`:   true,
		`{"url": "https://a.b.example.org"}`:         true,
		`{"url": "https://other.example.com:8443"}`:  true,
		``:   false,
		`42`: false,
		`{}`: false,
		`{"url": "https://hooks.example.com"} {}`:           false,
		`{"url": "https://hooks.example.com", "verb": "a"}`: false,
		`{"url": "http://hooks.example.com"}`:               false,
		`{"url": "file:///etc/passwd"}`:                     false,
		`{"url": "//hooks.example.com"}`:                    false,
		`{"url": "https://hooks.example.com:444"}`:          false,
		`{"url": "https://hooks.example.com."}`:             false,
		`{"url": "https://user@hooks.example.com"}`:         false,
		`{"url": "https://hooks.example.com@evil.test"}`:    false,
		`{"url": "https://example.org"}`:                    false,
		`{"url": "https://.example.org"}`:                   false,
		`{"url": "https://evilexample.org"}`:                false,
		`{"url": "https://hooks.example.com.evil.test"}`:    false,
		`{"url": "https://127.0.0.1"}`:                      false,
		`{"url": "https://[::1]"}`:                          false,
		`{"url": "https://other.example.com"}`:              false,
		`{"url": "https://hooks.example.com"}}`:             false,
		`{"url": "https://hooks.example.com"}]garbage`:      false,
		`{"url": "https://hooks.example.com%2f@evil.test"}`: false,
	} {
		_, _, err := w.(webhook).read(answer)
		if (err == nil) != allowed {
			t.Errorf("%s: got %v, want it allowed: %v", answer, err, allowed)
		}
		if !allowed {
			if err := w.Work(t.Context(), task.Task{Answer: answer}); !task.IsKind(err, task.PermanentError) {
				t.Errorf("%s: got %v, want a permanent error", answer, err)
			}
		}
	}
	for _, host := range []string{"", "*.", "*", "a.*.com", "https://example.com", "Example.com", "user@example.com"} {
		if _, err := NewWebhook(WebhookConfig{Hosts: []string{host}}); err == nil {
			t.Errorf("the host %q is taken", host)
		}
	}
}

func TestWebhookRefusesPrivateAddresses(t *testing.T) {
	t.Parallel()
	for address, public := range map[string]bool{
		"1.1.1.1": true, "93.184.215.14": true, "172.32.0.1": true, "192.0.1.1": true, "2606:4700::1": true, "2a00::1": true, "::ffff:1.1.1.1": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "127.0.0.1": false, "127.9.9.9": false, "169.254.169.254": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.0.0.1": false, "192.0.2.1": false, "192.88.99.1": false, "192.168.1.1": false, "198.18.0.1": false,
		"198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:10.0.0.1": false, "::ffff:127.0.0.1": false, "::7f00:1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false,
		"100::1": false, "2001::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "3fff::1": false, "5f00::1": false, "fc00::1": false, "fd00:ec2::254": false,
		"fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false,
	} {
		if err := checkAddress(net.JoinHostPort(address, "443")); (err == nil) != public {
			t.Errorf("%s: got %v, want it public: %v", address, err, public)
		}
	}

	// A name that is allowed and resolves to this machine is refused when it is dialled.
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	defer server.Close()
	host := strings.Replace(strings.TrimPrefix(server.URL, "https://"), "127.0.0.1", "localhost", 1)
	w, err := NewWebhook(WebhookConfig{Hosts: []string{host}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Work(t.Context(), task.Task{Answer: `{"url": "https://` + host + `"}`}); !task.IsKind(err, task.PermanentError) || !strings.Contains(err.Error(), "public internet") {
		t.Errorf("got %v, want a permanent error that says why", err)
	}
}

// TestWebhookAsTheWorker has the function run it, and looks at the record.
func TestWebhookAsTheWorker(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct {
		status task.Status
		kind   task.Kind
	}{200: {task.Processed, ""}, 404: {task.Failed, task.PermanentError}, 503: {task.Failed, task.WorkerError}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		w, err := NewWebhook(WebhookConfig{Hosts: []string{strings.TrimPrefix(server.URL, "http://")}, AllowPrivate: true})
		if err != nil {
			t.Fatal(err)
		}
		store := tasktest.NewStore()
		id, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		store.Put(task.New(id, `{"url": "`+server.URL+`"}`, time.Now()))
		h := &Handler{Store: store, Worker: w, Retention: time.Hour, Log: slog.New(slog.DiscardHandler)}
		_, err = h.Handle(t.Context(), Input{Message: task.Message{TaskID: id, Run: 1}, ExecutionID: "execution"})
		got, errGet := store.Get(t.Context(), id)
		if task.KindOf(err) != want.kind || errGet != nil || got.Status != want.status || got.ErrorType != string(want.kind) {
			t.Errorf("%d: got %v, and the record %s %s, want %s %s", status, err, got.Status, got.ErrorType, want.status, want.kind)
		}
		w.(webhook).client.CloseIdleConnections()
		server.Close()
	}
}

// FuzzWebhook checks that an answer is refused, or asks for a host that is allowed.
func FuzzWebhook(f *testing.F) {
	for _, answer := range []string{
		`{"url": "https://hooks.example.com/a?b#c", "body": {"n": [1]}}`, `{"url": "https://a.example.org:443"}`, `{"url": "https://hooks.example.com@evil.test"}`,
		`{"url": "https://[::1%25eth0]:80"}`, `{"url": "https:hooks.example.com"}`, `{"url": "https://hooks.example.com\\@evil.test"}`, `{"url": 1}`, `[]`,
	} {
		f.Add(answer)
	}
	w, err := NewWebhook(WebhookConfig{Hosts: []string{"hooks.example.com", "*.example.org"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		target, body, err := w.(webhook).read(answer)
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Errorf("%q: the error has %d bytes", answer, len(err.Error()))
			}
			return
		}
		req, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(string(body)))
		if err != nil {
			return // refused then
		}
		name, port := strings.ToLower(req.URL.Hostname()), req.URL.Port()
		if name != "hooks.example.com" && !strings.HasSuffix(name, ".example.org") || port != "" && port != "443" || req.URL.Scheme != "https" || req.URL.User != nil {
			t.Errorf("%q asks for %s", answer, req.URL)
		}
	})
}
