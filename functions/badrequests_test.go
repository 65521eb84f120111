package functions_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"tasks/internal/api"
	"tasks/internal/api/apitest"
	"tasks/internal/awsconfig"
	"tasks/internal/host"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

// badRequest is a request that is refused and changes nothing, in the same way
// wherever it arrives.
type badRequest struct {
	name string
	// method, path below the stage, with the query, content type, idempotency key
	// and body are what a client sends. {ordinary}, {dead} and {unknown} stand for tasks'
	// ids, of a task that is not in the DLQ, one that is, and none.
	method, path, contentType, key, body string

	want   int
	detail string // part of it
	// byGateway tells that on AWS the gateway itself answers, in words of its
	// own, or may change the request: what the README lists.
	byGateway bool
}

const isJSON = "application/json"

func badRequests() []badRequest {
	posted := func(name, path, body string, want int, detail string) badRequest {
		return badRequest{name: name, method: "POST", path: path, contentType: isJSON, body: body, want: want, detail: detail}
	}
	submitted := func(name, body string, want int, detail string) badRequest {
		return posted(name, "/tasks", body, want, detail)
	}
	typed := func(name, contentType, detail string) badRequest {
		return badRequest{name: name, method: "POST", path: "/tasks", contentType: contentType, body: `{"answer": "42"}`, want: http.StatusUnsupportedMediaType, detail: detail}
	}
	keyed := func(name, key, detail string) badRequest {
		return badRequest{name: name, method: "POST", path: "/tasks", contentType: isJSON, key: key, body: `{"answer": "42"}`, want: http.StatusBadRequest, detail: detail}
	}
	plain := func(name, method, path string, want int, detail string) badRequest {
		return badRequest{name: name, method: method, path: path, want: want, detail: detail}
	}
	byGateway := func(r badRequest) badRequest {
		r.byGateway = true
		return r
	}
	const (
		malformed     = http.StatusBadRequest
		unprocessable = http.StatusUnprocessableEntity
		tooLarge      = http.StatusRequestEntityTooLarge
		notFound      = http.StatusNotFound
		notAllowed    = http.StatusMethodNotAllowed
	)
	requests := []badRequest{
		submitted("no body", "", malformed, "no body"),
		submitted("broken JSON", `{"answer": "42"`, malformed, "one JSON document"),
		submitted("a second document", `{"answer": "42"} {"answer": "43"}`, malformed, "after the closing brace"),
		byGateway(submitted("invalid UTF-8", "{\"answer\": \"\xff\"}", malformed, "UTF-8")),
		submitted("half a surrogate pair", `{"answer": "\ud83d"}`, malformed, "surrogate"),
		submitted("a name twice", `{"answer": "42", "answer": "43"}`, malformed, `"answer" twice`),
		{name: "a query parameter of submit", method: "POST", path: "/tasks?verbose=1", contentType: isJSON, body: `{"answer": "42"}`, want: malformed, detail: `"verbose"`},
		submitted("an array", `["42"]`, unprocessable, "JSON object"),
		submitted("null", `null`, unprocessable, "JSON object"),
		submitted("an unknown field", `{"answer": "42", "priority": 1}`, unprocessable, `"priority"`),
		submitted("another case", `{"Answer": "42"}`, unprocessable, `no member "Answer"`),
		submitted("no answer", `{}`, unprocessable, `"answer" is missing`),
		submitted("an empty answer", `{"answer": ""}`, unprocessable, "blank"),
		submitted("a blank answer", `{"answer": " \t\n\u00a0"}`, unprocessable, "blank"),
		submitted("a null answer", `{"answer": null}`, unprocessable, "string"),
		submitted("a number", `{"answer": 42}`, unprocessable, "string"),
		submitted("an object as answer", `{"answer": {"answer": "42"}}`, unprocessable, "string"),
		submitted("an answer of 300 KiB", `{"answer": "`+strings.Repeat("x", 300<<10)+`"}`, tooLarge, "262144"),
		submitted("an answer of too many bytes in few characters", `{"answer": "`+strings.Repeat("é", task.MaxAnswerBytes/2)+`x"}`, tooLarge, "262144"),
		submitted("a body of 3 MiB", strings.Repeat("x", 3<<20), tooLarge, "2097152"),
		byGateway(submitted("a body of 20 MiB", strings.Repeat("x", 20<<20), tooLarge, "2097152")),
		submitted("a delay of 901 s", `{"answer": "42", "delaySeconds": 901}`, unprocessable, "0 to 900"),
		submitted("a negative delay", `{"answer": "42", "delaySeconds": -1}`, unprocessable, "0 to 900"),
		submitted("a delay of half a second", `{"answer": "42", "delaySeconds": 0.5}`, unprocessable, "whole number"),
		submitted("a delay that is no number", `{"answer": "42", "delaySeconds": null}`, unprocessable, "whole number"),
		submitted("labels that are no object", `{"answer": "42", "labels": ["a"]}`, unprocessable, `{"team": "billing"}`),
		submitted("a label twice", `{"answer": "42", "labels": {"a": "1", "a": "2"}}`, unprocessable, "once"),
		submitted("a label without a name", `{"answer": "42", "labels": {"": "1"}}`, unprocessable, "letters, digits"),
		submitted("a label of a long name", `{"answer": "42", "labels": {"`+strings.Repeat("a", task.MaxLabelKey+1)+`": "1"}}`, unprocessable, "1 to 63"),
		submitted("a label that is a number", `{"answer": "42", "labels": {"a": 1}}`, unprocessable, "string"),
		submitted("a long label", `{"answer": "42", "labels": {"a": "`+strings.Repeat("é", task.MaxLabelValue/2)+`x"}}`, unprocessable, "128 bytes"),
		submitted("11 labels", `{"answer": "42", "labels": {"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":"","k":""}}`, unprocessable, "can have 10"),
		typed("another content type", "text/plain", "application/json"),
		typed("another charset", "application/json; charset=utf-16", "UTF-8"),
		typed("no content type", "", "application/json"),

		plain("an unknown status", "GET", "/tasks?status=DONE", malformed, "PROCESSED"),
		plain("a status in lower case", "GET", "/tasks?status=dlq", malformed, "PENDING"),
		plain("an empty status", "GET", "/tasks?status=", malformed, "leave it out"),
		plain("limit 0", "GET", "/tasks?limit=0", malformed, "1 to 100"),
		plain("limit 101", "GET", "/tasks?limit=101", malformed, "1 to 100"),
		plain("a limit that is no number", "GET", "/tasks?limit=ten", malformed, "1 to 100"),
		plain("an empty limit", "GET", "/tasks?limit=", malformed, "1 to 100"),
		plain("a made-up page token", "GET", "/tasks?nextToken=MQ", malformed, "nextToken"),
		plain("an empty page token", "GET", "/tasks?nextToken=", malformed, "nextToken"),
		plain("an unknown parameter", "GET", "/tasks?state=DLQ", malformed, "status, errorType, label, createdAfter, createdBefore, limit, nextToken"),
		plain("a parameter twice", "GET", "/tasks?limit=1&limit=2", malformed, "once"),
		byGateway(plain("a query string that can't be read", "GET", "/tasks?limit=%zz", malformed, "percent-encoded")),

		plain("an unknown task", "GET", "/tasks/{unknown}", notFound, "GET /tasks"),
		plain("an odd task id", "GET", "/tasks/42", notFound, "UUID of version 7"),
		plain("a task id in upper case", "GET", "/tasks/01939A3E-7C00-7000-8000-000000000001", notFound, "lower case"),
		plain("a long task id", "GET", "/tasks/"+strings.Repeat("x", 5000), notFound, "UUID of version 7"),
		plain("a query parameter of get", "GET", "/tasks/{ordinary}?verbose=1", malformed, `"verbose"`),
		plain("the history of an unknown task", "GET", "/tasks/{unknown}/history", notFound, "GET /tasks"),
		plain("the history of an odd task id", "GET", "/tasks/42/history", notFound, "UUID of version 7"),

		plain("a redrive of an unknown task", "POST", "/tasks/{unknown}/redrive", notFound, "GET /tasks"),
		plain("a redrive of an odd task id", "POST", "/tasks/42/redrive", notFound, "UUID of version 7"),
		plain("a redrive of a task that is not in the DLQ", "POST", "/tasks/{ordinary}/redrive", http.StatusConflict, "DLQ"),
		{name: "a redrive with a body", method: "POST", path: "/tasks/{dead}/redrive", contentType: isJSON, body: "{}", want: malformed, detail: "no body"},
		plain("a redrive with a query", "POST", "/tasks/{dead}/redrive?verbose=1", malformed, `"verbose"`),

		posted("a batch that is an array", "/tasks/batch", `[{"answer": "42"}]`, unprocessable, "JSON object"),
		posted("a batch without tasks", "/tasks/batch", `{}`, unprocessable, `{"tasks": [...]}`),
		posted("a batch of null", "/tasks/batch", `{"tasks": null}`, unprocessable, `{"tasks": [...]}`),
		posted("a batch with something else", "/tasks/batch", `{"tasks": [{"answer": "42"}], "atomic": true}`, unprocessable, `{"tasks": [...]}`),
		posted("an empty batch", "/tasks/batch", `{"tasks": []}`, unprocessable, "1 to 100"),
		posted("a batch of 101", "/tasks/batch", `{"tasks": [`+strings.Repeat(`{"answer": "42"},`, 100)+`{"answer": "42"}]}`, unprocessable, "1 to 100"),
		posted("a batch with a query", "/tasks/batch?atomic=1", `{"tasks": [{"answer": "42"}]}`, malformed, `"atomic"`),
		{name: "a batch with one key", method: "POST", path: "/tasks/batch", contentType: isJSON, key: "k", body: `{"tasks": [{"answer": "42"}]}`, want: malformed, detail: `"idempotencyKey"`},

		plain("a label without a value", "GET", "/tasks?label=team", malformed, "team:billing"),
		plain("a label of an odd name, to list", "GET", "/tasks?label=a%20b:c", malformed, "team:billing"),
		plain("an empty error type", "GET", "/tasks?errorType=", malformed, "Leave it out"),
		plain("a long error type", "GET", "/tasks?errorType="+strings.Repeat("x", task.MaxErrorTypeBytes+1), malformed, "256 bytes"),
		plain("a time that is none", "GET", "/tasks?createdAfter=yesterday", malformed, "createdAfter must be a time"),
		plain("a date", "GET", "/tasks?createdBefore=2026-01-31", malformed, "RFC 3339"),
		plain("a time before there were any", "GET", "/tasks?createdBefore=1969-12-31T23:59:59Z", malformed, "RFC 3339"),
		plain("a query parameter of the description", "GET", "/openapi.yaml?format=json", malformed, `"format"`),
		plain("a query parameter of the counts", "GET", "/tasks/stats?status=DLQ", malformed, `"status"`),

		posted("an order that is an array", "/tasks/redrive", `[]`, unprocessable, "JSON object"),
		posted("an order without a body", "/tasks/redrive", ``, malformed, "no body"),
		posted("an order with something else", "/tasks/redrive", `{"status": "DLQ"}`, unprocessable, `"status"`),
		posted("an order whose limit is a string", "/tasks/redrive", `{"limit": "1"}`, unprocessable, "wrong type"),
		posted("an order with limit 101", "/tasks/redrive", `{"limit": 101}`, unprocessable, "1 to 100"),
		posted("an order that may be dry", "/tasks/redrive", `{"dryRun": null}`, unprocessable, "wrong type"),
		posted("an order with an odd label", "/tasks/redrive", `{"label": "team"}`, unprocessable, "team:billing"),
		posted("an order with an odd time", "/tasks/redrive", `{"diedBefore": "now"}`, unprocessable, "diedBefore must be a time"),
		posted("an order with a made-up token", "/tasks/redrive", `{"nextToken": "MQ"}`, unprocessable, "nextToken"),
		posted("an order with a query", "/tasks/redrive?dryRun=true", `{}`, malformed, `"dryRun"`),

		keyed("a long idempotency key", strings.Repeat("k", task.MaxKeyLength+1), "1 to 255"),
		byGateway(keyed("an idempotency key that is not ASCII", "clé", "ASCII")),

		plain("an unknown path", "GET", "/jobs", notFound, "/tasks/{taskId}"),
		plain("a path that ends in a slash", "GET", "/tasks/{ordinary}/", notFound, "/tasks/{taskId}"),
		plain("a wrong method", "DELETE", "/tasks", notAllowed, "Use POST, GET"),
		byGateway(plain("a long method", strings.Repeat("X", 5000), "/tasks", notAllowed, "Use POST, GET")),
		plain("HEAD", "HEAD", "/tasks", notAllowed, "Use POST, GET"),
		plain("a GET of a batch", "GET", "/tasks/batch", notAllowed, "Use POST."),
		plain("a DELETE of the counts", "DELETE", "/tasks/stats", notAllowed, "Use GET."),
		plain("a POST of the counts", "POST", "/tasks/stats", notAllowed, "Use GET."),
		plain("a GET of redrive", "GET", "/tasks/{dead}/redrive", notAllowed, "Use POST"),
	}
	for _, c := range ",/:@[^`{~ é" { // the neighbours of what may be in a name, and others
		requests = append(requests, submitted(fmt.Sprintf("a label with %U in its name", c), `{"answer": "42", "labels": {"a`+string(c)+`b": "1"}}`, unprocessable, "letters, digits"))
	}
	return requests
}

// pathWith returns the path with ids in it.
func (r badRequest) pathWith(ordinary, dead task.ID) string {
	return strings.NewReplacer("{ordinary}", string(ordinary), "{dead}", string(dead), "{unknown}", string(unknown)).Replace(r.path)
}

// answered is an answer, by whichever way it came.
type answered struct {
	status      int
	contentType string
	allow       string
	body        []byte
}

func (r badRequest) check(t *testing.T, got answered) {
	t.Helper()
	if allow := got.allow; (allow != "") != (r.want == http.StatusMethodNotAllowed) {
		t.Errorf("Allow: got %q", allow)
	}
	if got.contentType != "application/problem+json" {
		t.Errorf("Content-Type: got %q", got.contentType)
	}
	if got.status != r.want {
		t.Errorf("got %d %s, want %d", got.status, got.body, r.want)
	}
	if r.method == http.MethodHead {
		return // the answer's body stays on the way
	}
	var p api.Problem
	if err := json.Unmarshal(got.body, &p); err != nil {
		t.Fatalf("got %d %s: %v", got.status, got.body, err)
	}
	if p.Status != r.want || p.Title != http.StatusText(r.want) || p.Type != "about:blank" {
		t.Errorf("got the problem %+v, want status %d", p, r.want)
	}
	if !strings.Contains(p.Detail, r.detail) || len(p.Detail) > 400 {
		t.Errorf("detail: got %q, want it short and with %q", p.Detail, r.detail)
	}
}

// gatewayEvent returns a request as API Gateway gives it to a function.
func gatewayEvent(r badRequest, path string) api.Request {
	path, query, _ := strings.Cut(path, "?")
	req := api.Request{
		Version: "2.0", RouteKey: api.DefaultRoute, RawPath: "/dev" + path, RawQueryString: query,
		Headers: map[string]string{"host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"}, Body: r.body,
	}
	if r.contentType != "" {
		req.Headers["content-type"] = r.contentType
	}
	if r.key != "" {
		req.Headers["idempotency-key"] = r.key
	}
	req.RequestContext.Stage, req.RequestContext.HTTP.Method, req.RequestContext.HTTP.Path = "dev", r.method, req.RawPath
	got := strings.Split(path, "/")
	for _, key := range api.Routes {
		method, pattern, _ := strings.Cut(key, " ")
		want := strings.Split(pattern, "/")
		if method != r.method || len(want) != len(got) || got[len(got)-1] == "" {
			continue
		}
		var parameters map[string]string
		matches := true
		for i, segment := range want {
			if segment == "{taskId}" {
				parameters = map[string]string{"taskId": got[i]}
			} else if segment != got[i] {
				matches = false
			}
		}
		if matches && (parameters == nil || req.RouteKey == api.DefaultRoute) { // a path without parameters goes first
			req.RouteKey, req.PathParameters = key, parameters
		}
	}
	req.RequestContext.RouteKey = req.RouteKey
	return req
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	for _, r := range badRequests() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := newSystem()
			before := s.state(t)
			for range 2 {
				resp := s.serve(t, gatewayEvent(r, r.pathWith(ordinary, dead)))
				r.check(t, answered{resp.StatusCode, resp.Headers["Content-Type"], resp.Headers["Allow"], []byte(resp.Body)})
			}
			if diff := cmp.Diff(before, s.state(t)); diff != "" {
				t.Errorf("the request changed something (-before +after):\n%s", diff)
			}
		})
	}
}

// TestABodyThatIsNotItsBase64 has no request that a client could send.
func TestABodyThatIsNotItsBase64(t *testing.T) {
	t.Parallel()
	r := badRequest{method: "POST", contentType: isJSON, body: "not base64!", want: http.StatusBadRequest, detail: "base64"}
	req := gatewayEvent(r, "/tasks")
	req.IsBase64Encoded = true
	resp := newSystem().serve(t, req)
	r.check(t, answered{resp.StatusCode, resp.Headers["Content-Type"], resp.Headers["Allow"], []byte(resp.Body)})
}

// stage is an API behind HTTP, with two tasks that stay as they are.
type stage struct {
	url            string
	ordinary, dead task.ID
	sign           func(t *testing.T, req *http.Request, body string)
}

func (s stage) get(t *testing.T, path string) answered {
	t.Helper()
	return s.send(t, badRequest{method: "GET"}, path)
}

// send sends a request to a path.
func (s stage) send(t *testing.T, r badRequest, path string) answered {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	below := path
	path, query, _ := strings.Cut(path, "?")
	u.Path += path
	u.RawQuery = query
	req, err := http.NewRequestWithContext(t.Context(), r.method, u.String(), strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if len(r.body) > 1<<20 {
		req.Header.Set("Expect", "100-continue") // or a refusal could be lost to the body that nobody reads
	}
	if s.sign != nil {
		s.sign(t, req, r.body)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	apitest.Check(t, apitest.Exchange{
		Method: r.method, Path: below, RequestHeader: req.Header, RequestBody: r.body,
		Status: resp.StatusCode, Header: resp.Header, Body: string(b),
	})
	return answered{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Allow"), b}
}

// state is all of the newest tasks, whole.
func (s stage) state(t *testing.T) string {
	t.Helper()
	var list api.List
	got := s.get(t, "/tasks?limit=100")
	if err := json.Unmarshal(got.body, &list); err != nil || got.status != http.StatusOK {
		t.Fatalf("list: got %d %s, %v", got.status, got.body, err)
	}
	var state bytes.Buffer
	for _, summary := range list.Tasks {
		fmt.Fprintf(&state, "%s\n", s.get(t, "/tasks/"+string(summary.TaskID)).body)
	}
	return state.String()
}

func (s stage) exercise(t *testing.T, skip func(badRequest) bool) {
	before := s.state(t)
	t.Run("requests", func(t *testing.T) {
		for _, r := range badRequests() {
			t.Run(r.name, func(t *testing.T) {
				if skip(r) {
					t.Skip("the gateway answers, or changes the request")
				}
				for range 2 {
					r.check(t, s.send(t, r, r.pathWith(s.ordinary, s.dead)))
				}
			})
		}
	})
	if diff := cmp.Diff(before, s.state(t)); diff != "" {
		t.Errorf("the requests changed something (-before +after):\n%s", diff)
	}
}

func TestBadRequestsOnOneMachine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tasks.db")
	db, err := taskdb.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	now := task.At(time.Now())
	for _, id := range []task.ID{ordinary, dead} {
		if err := tasktest.Create(t.Context(), db, task.New(id, "42", time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = db.Claim(t.Context(), task.ClaimRequest{Message: task.Message{TaskID: ordinary, Run: 1}, ExecutionID: "e", Token: "token", Now: now, Lease: time.Minute})
	if err == nil {
		err = db.Finish(t.Context(), task.FinishRequest{ID: ordinary, Token: "token", Now: now, Retention: time.Hour})
	}
	if err == nil {
		_, _, err = db.MarkDead(t.Context(), task.MarkRequest{DeadLetter: task.DeadLetter{Message: task.Message{TaskID: dead, Run: 1}, Error: "WorkerError"}, Now: now, Retention: time.Hour})
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}

	h, err := host.New(host.Config{Database: file, Worker: succeeds{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(t.Context(), listener) }() // until the test ends
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	s := stage{url: "http://" + listener.Addr().String() + "/local", ordinary: ordinary, dead: dead}
	s.exercise(t, func(badRequest) bool { return false })
}

// TestBadRequestsOnAStage sends them to the deployed stage whose URL is
// TASKS_TEST_API, which must have a task in the DLQ, a processed one, and
// nothing under way.
func TestBadRequestsOnAStage(t *testing.T) {
	s := stage{url: os.Getenv("TASKS_TEST_API")}
	if s.url == "" {
		t.Skip("TASKS_TEST_API is not set: see scripts/e2e-aws")
	}
	cfg := awsconfig.NewEnvironment(os.Getenv).SDK()
	s.sign = func(t *testing.T, req *http.Request, body string) {
		creds, err := cfg.Credentials.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256([]byte(body))
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(hash[:]), "execute-api", cfg.Region, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for status, id := range map[task.Status]*task.ID{task.DLQ: &s.dead, task.Processed: &s.ordinary} {
		var list api.List
		got := s.get(t, "/tasks?status="+string(status))
		if err := json.Unmarshal(got.body, &list); err != nil || len(list.Tasks) == 0 {
			t.Fatalf("list the tasks that are %s: got %d %s, want one at least", status, got.status, got.body)
		}
		*id = list.Tasks[0].TaskID
	}
	s.exercise(t, func(r badRequest) bool { return r.byGateway })
}
