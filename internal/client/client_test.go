package client_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

const id = task.ID("01939a3e-7c00-7000-8000-000000000001")

// serve returns a client of a server with that handler.
func serve(t *testing.T, cfg client.Config, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg.URL = server.URL + "/local/"
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call   func(context.Context, *client.Client) (any, error)
		status int
		answer string
		sent   string
		want   any
	}{
		"submit": {
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.Submit(ctx, client.Submission{Answer: "a \"b\" <ü>"})
			},
			http.StatusAccepted, `{"taskId":"` + string(id) + `","status":"PENDING","message":"m","new":1}`,
			"POST /local/tasks application/json {\"answer\":\"a \\\"b\\\" \\u003cü\\u003e\"}",
			api.Accepted{TaskID: id, Status: task.Pending, Message: "m"},
		},
		"list": {
			func(ctx context.Context, c *client.Client) (any, error) { return c.List(ctx, client.ListQuery{}) },
			http.StatusOK, `{"tasks":[],"nextToken":"next"}`,
			"GET /local/tasks  ",
			api.List{Tasks: []api.Summary{}, NextToken: "next"},
		},
		"list with everything": {
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.List(ctx, client.ListQuery{Status: task.DLQ, Limit: 7, Token: "a&b"})
			},
			http.StatusOK, `{"tasks":[]}`,
			"GET /local/tasks?limit=7&nextToken=a%26b&status=DLQ  ",
			api.List{Tasks: []api.Summary{}},
		},
		"get": {
			func(ctx context.Context, c *client.Client) (any, error) { return c.Get(ctx, id) },
			http.StatusOK, `{"taskId":"` + string(id) + `","answer":"42","run":2,"attempts":[{"number":1,"run":2}]}`,
			"GET /local/tasks/" + string(id) + "  ",
			api.Detail{Summary: api.Summary{TaskID: id, Answer: "42"}, Run: 2, Attempts: []api.Attempt{{Attempt: task.Attempt{Number: 1, Run: 2}}}},
		},
		"submit with everything": {
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.Submit(ctx, client.Submission{Answer: "42", Delay: 7, Labels: map[string]string{"team": "a:b"}, IdempotencyKey: "order 4711"})
			},
			http.StatusAccepted, `{"taskId":"` + string(id) + `","status":"PENDING"}`,
			`POST /local/tasks application/json {"answer":"42","delaySeconds":7,"labels":{"team":"a:b"}}`,
			api.Accepted{TaskID: id, Status: task.Pending},
		},
		"submit a batch": {
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.SubmitBatch(ctx, []client.Submission{{Answer: "42", IdempotencyKey: "k"}, {Answer: ""}})
			},
			http.StatusOK, `{"results":[{"status":202,"taskId":"` + string(id) + `","replayed":true},{"status":422,"detail":"blank"}]}`,
			`POST /local/tasks/batch application/json {"tasks":[{"answer":"42","idempotencyKey":"k"},{"answer":""}]}`,
			[]api.BatchResult{{Status: 202, TaskID: id, Replayed: true}, {Status: 422, Detail: "blank"}},
		},
		"list with filters": {
			func(ctx context.Context, c *client.Client) (any, error) {
				at := time.Date(2026, 1, 31, 13, 0, 0, 5e6, time.FixedZone("", 3600))
				return c.List(ctx, client.ListQuery{Filter: client.Filter{ErrorType: "a&b", Label: "team:b", CreatedAfter: at, CreatedBefore: at}})
			},
			http.StatusOK, `{"tasks":[]}`,
			"GET /local/tasks?createdAfter=2026-01-31T12%3A00%3A00.005Z&createdBefore=2026-01-31T12%3A00%3A00.005Z&errorType=a%26b&label=team%3Ab  ",
			api.List{Tasks: []api.Summary{}},
		},
		"stats": {
			func(ctx context.Context, c *client.Client) (any, error) { return c.Stats(ctx) },
			http.StatusOK, `{"counts":{"DLQ":1},"asOf":"2026-01-31T12:00:00.005Z"}`,
			"GET /local/tasks/stats  ",
			api.Stats{Counts: map[task.Status]int{task.DLQ: 1}, AsOf: task.AtMilli(1769860800005)},
		},
		"redrive many": {
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.RedriveAll(ctx, client.RedriveOrder{Filter: client.Filter{ErrorType: "Timeout"}, DiedBefore: task.AtMilli(1769860800005), Limit: 7, DryRun: true, Token: "t"})
			},
			http.StatusOK, `{"dryRun":true,"tasks":[{"taskId":"` + string(id) + `","run":2}],"diedBefore":"2026-01-31T12:00:00.005Z","nextToken":"n"}`,
			`POST /local/tasks/redrive application/json {"diedBefore":"2026-01-31T12:00:00.005Z","dryRun":true,"errorType":"Timeout","limit":7,"nextToken":"t"}`,
			api.Redriven{DryRun: true, Tasks: []task.Message{{TaskID: id, Run: 2}}, DiedBefore: task.AtMilli(1769860800005), NextToken: "n"},
		},
		"get of an odd id": {
			func(ctx context.Context, c *client.Client) (any, error) { return c.Get(ctx, "a/../b?") },
			http.StatusOK, `{}`,
			"GET /local/tasks/a%2F..%2Fb%3F  ",
			api.Detail{},
		},
		"history": {
			func(ctx context.Context, c *client.Client) (any, error) { return c.History(ctx, id) },
			http.StatusOK, `{"events":[{"id":1}],"source":"execution","truncated":true}`,
			"GET /local/tasks/" + string(id) + "/history  ",
			api.History{Events: []json.RawMessage{[]byte(`{"id":1}`)}, Source: "execution", Truncated: true},
		},
		"redrive": {
			func(ctx context.Context, c *client.Client) (any, error) { return c.Redrive(ctx, id) },
			http.StatusAccepted, `{"taskId":"` + string(id) + `","run":2,"status":"PENDING"}`,
			"POST /local/tasks/" + string(id) + "/redrive  ",
			api.Accepted{TaskID: id, Run: 2, Status: task.Pending},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent string
			c := serve(t, client.Config{}, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = strings.Join([]string{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), string(body)}, " ")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.answer)
			})
			got, err := test.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if sent != test.sent {
				t.Errorf("sent %q, want %q", sent, test.sent)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// A server whose pages lead back to where they came from is left.
func TestPagesWithoutAnEnd(t *testing.T) {
	t.Parallel()
	c := serve(t, client.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"tasks":[],"nextToken":"same"}`)
	})
	for _, token := range []string{"", "other", "same"} {
		_, listed := c.List(t.Context(), client.ListQuery{Token: token})
		_, redriven := c.RedriveAll(t.Context(), client.RedriveOrder{Limit: 1, Token: token})
		if refused := token == "same"; (listed != nil) != refused || (redriven != nil) != refused {
			t.Errorf("after token %q: got %v and %v, want errors: %v", token, listed, redriven, refused)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{"": "", "secret": "Bearer secret"} {
		var got string
		c := serve(t, client.Config{Token: token}, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			_, _ = io.WriteString(w, `{}`)
		})
		if _, err := c.Get(t.Context(), id); err != nil || got != want {
			t.Errorf("token %q: sent %q (%v), want %q", token, got, err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status  int
		body    string
		want    client.RefusedError
		passing bool
	}{
		"a problem":               {409, `{"type":"about:blank","title":"Conflict","status":409,"detail":"Not in the DLQ."}`, client.RefusedError{Status: 409, Title: "Conflict", Detail: "Not in the DLQ."}, false},
		"API Gateway's message":   {429, `{"message":"Too Many Requests"}`, client.RefusedError{Status: 429, Title: "Too Many Requests", Detail: "Too Many Requests"}, true},
		"a page of something":     {502, `<html>`, client.RefusedError{Status: 502, Title: "Bad Gateway"}, true},
		"a redirect":              {302, ``, client.RefusedError{Status: 302, Title: "Found"}, false},
		"a success of other kind": {201, `{"taskId":"x"}`, client.RefusedError{Status: 201, Title: "Created"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			c := serve(t, client.Config{}, func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := c.Submit(t.Context(), client.Submission{Answer: "42"})
			got, ok := errors.AsType[*client.RefusedError](err)
			if !ok || *got != test.want || requests != 1 {
				t.Errorf("got %#v after %d requests, want %#v after 1", err, requests, test.want)
			}
			if got := client.Passing(err); got != test.passing {
				t.Errorf("passing: got %v, want %v", got, test.passing)
			}
		})
	}
}

func TestRequestsThatArePutOff(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status     int
		retryAfter string
		after      time.Duration
		ok         bool
	}{
		"a 429":                                {429, "7", 7 * time.Second, true},
		"a 429 that says no time":              {429, "", time.Second, true},
		"a 429 that says nonsense":             {429, "-1", time.Second, true},
		"a 503":                                {503, "5", 5 * time.Second, true},
		"a 503 that says no time":              {503, "", 0, false},
		"a 503 with a time that is over":       {503, "Wed, 21 Oct 2015 07:28:00 GMT", 0, false},
		"a 503 with a time that never comes":   {503, "Fri, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour, true},
		"a 429 in more seconds than there are": {429, "2147483647", 24 * time.Hour, true},
		"a 500":                                {500, "5", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, client.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				if test.retryAfter != "" {
					w.Header().Set("Retry-After", test.retryAfter)
				}
				w.WriteHeader(test.status)
			})
			_, err := c.Submit(t.Context(), client.Submission{Answer: "42"})
			if after, ok := client.PutOff(err); after != test.after || ok != test.ok {
				t.Errorf("got %v, %v, want %v, %v", after, ok, test.after, test.ok)
			}
		})
	}
	if _, ok := client.PutOff(&client.NoAnswerError{}); ok {
		t.Error("a request without an answer may have been carried out")
	}
	if _, ok := client.PutOff(nil); ok {
		t.Error("nothing was put off")
	}
}

func TestRequestWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"a connection that breaks": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"an answer that breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.WriteHeader(202)
		},
		"an answer without an end": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(202)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat(" ", 1<<20))
			}
		},
		"a small answer that unpacks to a large one": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(202)
			z := gzip.NewWriter(w)
			for range 32 {
				_, _ = io.WriteString(z, strings.Repeat(" ", 1<<20))
			}
			_, _ = io.WriteString(z, `{"taskId":"x"}`)
			_ = z.Close()
		},
		"a header without an end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			w.WriteHeader(202)
			_, _ = io.WriteString(w, `{"taskId":"x"}`)
		},
		"an answer that is not JSON":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); _, _ = io.WriteString(w, "<html>") },
		"an acceptance that doesn't tell what": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); _, _ = io.WriteString(w, "{}") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			c := serve(t, client.Config{}, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				handler(w, r)
			})
			_, err := c.Submit(t.Context(), client.Submission{Answer: "42"})
			if _, ok := errors.AsType[*client.NoAnswerError](err); !ok || !client.Passing(err) || requests.Load() != 1 {
				t.Errorf("got %#v after %d requests, want a passing NoAnswerError after 1", err, requests.Load())
			}
		})
	}
}

// TestABatchOfAnotherSize is answered with results for more or fewer tasks than were sent:
// whose they are can't be told.
func TestABatchOfAnotherSize(t *testing.T) {
	t.Parallel()
	for answer, ok := range map[string]bool{
		`{"results":[{"status":202},{"status":422}]}`:                true,
		`{"results":[{"status":202}]}`:                               false,
		`{"results":[{"status":202},{"status":202},{"status":202}]}`: false,
		`{"results":[]}`: false,
		`{}`:             false,
	} {
		c := serve(t, client.Config{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		results, err := c.SubmitBatch(t.Context(), []client.Submission{{Answer: "a"}, {Answer: ""}})
		if ok && (err != nil || len(results) != 2) {
			t.Errorf("%s: got %d results, %v, want 2", answer, len(results), err)
		}
		if _, missing := errors.AsType[*client.NoAnswerError](err); !ok && (!missing || !client.Ambiguous(err)) {
			t.Errorf("%s: got %#v, want an ambiguous NoAnswerError", answer, err)
		}
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	c, err := client.New(client.Config{URL: "http://" + gone.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Submit(t.Context(), client.Submission{Answer: "42"})
	unreachable, ok := errors.AsType[*client.UnreachableError](err)
	if !ok || unreachable.URL != "http://"+gone.Addr().String() || !client.Passing(err) {
		t.Errorf("got %#v, want a passing UnreachableError", err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	const clients, rounds = 8, 5
	var mu sync.Mutex
	connections := map[string]bool{}
	var together sync.WaitGroup // so that every client needs a connection of its own
	c := serve(t, client.Config{Connections: clients}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		together.Done()
		together.Wait()
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"taskId":"`+string(id)+`"}`)
	})
	for range rounds {
		together.Add(clients)
		var done sync.WaitGroup
		for range clients {
			done.Go(func() {
				if _, err := c.Submit(t.Context(), client.Submission{Answer: "42"}); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	}
	if len(connections) != clients {
		t.Errorf("got %d connections for %d rounds of %d clients, want %d", len(connections), rounds, clients, clients)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:3000", "ftp://host", "http://", "http://host/?a=b", "http://host/#a", "http://me:secret@host", "http://%zz"} {
		if c, err := client.New(client.Config{URL: url}); err == nil {
			t.Errorf("got a client of %q at %q, want an error", url, c.URL())
		}
	}
	c, err := client.New(client.Config{URL: "https://host/stage//"})
	if err != nil || c.URL() != "https://host/stage" {
		t.Errorf("got %v, %v", c, err)
	}
}
