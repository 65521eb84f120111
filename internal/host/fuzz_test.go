package host

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tasks/internal/api"
	"tasks/internal/asl"
	"tasks/internal/task"
	"tasks/internal/taskdb"
)

// fuzzHost returns a host that does not serve.
func fuzzHost(f *testing.F, token string) *Host {
	h, err := New(Config{Database: filepath.Join(f.TempDir(), "tasks.db"), Token: token, Worker: succeeds, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { h.Close() })
	return h
}

// clientErrors are all that a client can be answered for what it sent.
var clientErrors = []int{400, 403, 404, 405, 408, 409, 413, 415, 421, 422}

// FuzzHTTP checks that whatever a client sends is answered with what it asked
// for or with a problem that is the client's, and that neither a page elsewhere
// nor a client without the token can ask for anything but the console's own files.
func FuzzHTTP(f *testing.F) {
	for _, request := range []string{
		"POST /local/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"answer\": \"42\"}",
		"POST /local/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"answer\": \"42\"}\r\n0\r\n\r\n",
		"POST /local/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 99999999\r\n\r\nx",
		"GET /local/tasks?limit=1&status=DLQ&nextToken=MQ HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n\r\n",
		"GET /local/tasks/01939a3e-7c00-7000-8000-000000000001/history?%zz HTTP/1.1\r\nHost: [::1]\r\n\r\n",
		"POST /local/tasks/01939a3e-7c00-7000-8000-000000000001/redrive HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "HEAD /local/%2e%2e//tasks HTTP/1.0\r\nHost: localhost\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n", "GET /console.js HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		f.Add(request)
	}
	const token = "correct-horse-battery-staple"
	for _, header := range []string{
		"Host: localhost\r\nAuthorization: Bearer " + token, "Host: tasks.example\r\nauthorization:Bearer " + token, "Host: localhost\r\nAuthorization: bearer " + token,
		"Host: [::1\r\nOrigin: null", "Host: 127.1\r\nSec-Fetch-Site: same-origin", "Host: localhost\r\nOrigin: http://localhost\r\nSec-Fetch-Site: cross-site",
	} {
		f.Add("POST /local/tasks HTTP/1.1\r\n" + header + "\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"answer\": \"42\"}")
	}
	h, guarded := fuzzHost(f, ""), fuzzHost(f, token)
	left, leave := context.WithCancel(context.Background())
	leave()
	f.Fuzz(func(t *testing.T, request string) {
		serve := func(h *Host) (*http.Request, *httptest.ResponseRecorder) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
			if err != nil {
				return nil, nil // net/http answers
			}
			if h.front.console.IsStream(r) {
				r = r.WithContext(left) // or it would not end
			}
			w := httptest.NewRecorder()
			h.front.ServeHTTP(w, r)
			return r, w
		}
		r, w := serve(guarded)
		if r == nil {
			return
		}
		if hasToken := r.Header.Get("Authorization") == "Bearer "+token || h.front.console.IsPage(r); hasToken == (w.Code == http.StatusUnauthorized) {
			t.Errorf("with the token: %v, got %d", hasToken, w.Code)
		}
		r, w = serve(h)
		if u, err := url.Parse("http://" + r.Host); w.Code != http.StatusMisdirectedRequest && (err != nil || !strings.EqualFold(u.Hostname(), "localhost") && !net.ParseIP(u.Hostname()).IsLoopback()) {
			t.Errorf("the host %q is served: %v", r.Host, err)
		}
		if site := r.Header.Get("Sec-Fetch-Site"); w.Code == http.StatusAccepted && site != "" && site != "same-origin" && site != "none" {
			t.Errorf("got %d for a page that is %s", w.Code, site)
		}
		if origin := r.Header.Get("Origin"); w.Code == http.StatusAccepted && r.Header.Get("Sec-Fetch-Site") == "" && origin != "" && !strings.HasSuffix(origin, "//"+r.Host) {
			t.Errorf("got %d for a page of %q", w.Code, origin)
		}
		if w.Code < 400 {
			return
		}
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || !slices.Contains(clientErrors, w.Code) || p.Detail == "" || len(p.Detail) > 400 {
			t.Errorf("got %d %s, %v, want a problem of the client's", w.Code, w.Body, err)
		}
		if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
	})
}

// FuzzIntegration checks that whatever a definition makes of a task's data, a
// service integration answers with JSON or fails with a name that a retrier can
// match, and sends one message at most.
func FuzzIntegration(f *testing.F) {
	h := fuzzHost(f, "")
	for _, resource := range []string{asl.LambdaInvoke, asl.SQSSendMessage, "arn:aws:lambda:local:000000000000:function:ProcessFunction", "arn:aws:states:::sns:publish"} {
		for _, parameters := range []string{
			`{"FunctionName": "ProcessFunction", "Payload": {"taskId": "01939a3e-7c00-7000-8000-000000000001", "run": 1, "retryCount": 0, "executionId": "e"}}`,
			`{"FunctionName": "ProcessFunction"}`, `{"FunctionName": 1, "Payload": null}`, `{"taskId": 1}`, `{"FunctionName.$": "$"}`,
			`{"QueueUrl": "` + h.deadLetterQueue + `", "MessageBody": {"taskId": "x"}}`, `{"QueueUrl": "` + h.deadLetterQueue + `", "MessageBody": "text"}`,
			`{"QueueUrl": "` + h.deadLetterQueue + `"}`, `{"QueueUrl": "TaskQueue", "MessageBody": "\ud800"}`, `null`, `[]`, `"x"`,
		} {
			f.Add(resource, parameters)
		}
	}
	f.Fuzz(func(t *testing.T, resource, parameters string) {
		definition := fmt.Sprintf(`{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": %q, "Parameters": %s, "End": true}}}`, resource, parameters)
		machine, err := asl.Parse([]byte(definition))
		if err != nil {
			return
		}
		commands, _, err := machine.NewExecution().Step(asl.Event{Kind: asl.Start, Start: &asl.StartInput{}})
		if err != nil {
			t.Fatal(err)
		}
		c, ok := commands[0].(asl.InvokeTask)
		if !ok {
			return // the parameters failed
		}
		out, failure := h.runTask(t.Context(), c)
		if failure == nil && !json.Valid(out) || failure != nil && (failure.Type == "" || !json.Valid([]byte(failure.cause()))) {
			t.Errorf("got %s, %v", out, failure)
		}
		want := 1
		if failure == nil && resource == asl.SQSSendMessage {
			want = 2
		}
		// One more, so that there is something to receive.
		if err := h.db.DeadLetterQueue().Send(t.Context(), "last"); err != nil {
			t.Fatal(err)
		}
		letters, err := h.db.DeadLetterQueue().Receive(t.Context(), 10, time.Minute)
		if len(letters) != want || letters[want-1].Body != "last" {
			t.Errorf("got the messages %v, %v, want %d", letters, err, want)
		}
		if err := h.db.DeadLetterQueue().Delete(t.Context(), letters...); err != nil {
			t.Error(err)
		}
	})
}

// FuzzJournal checks that a journal that is not as it was written is refused,
// and that one that isn't refused gives the same each time.
func FuzzJournal(f *testing.F) {
	h := fuzzHost(f, "")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	started := appendEvent(nil, asl.Event{Kind: asl.Start, Time: at, Start: &asl.StartInput{Seed: 7}})
	failed := appendEvent(started, asl.Event{Kind: asl.TaskFailed, Time: at, Ref: 1, Error: "WorkerError", Cause: "{}"})
	f.Add(string(started), true)
	f.Add(string(failed), true)
	f.Add(string(appendEvent(failed, asl.Event{Kind: asl.TimerFired, Time: at.Add(2 * time.Second), Ref: 2})), true)
	f.Add(string(appendEvent(started, asl.Event{Kind: asl.TaskSucceeded, Time: at, Ref: 1, Output: json.RawMessage(`{"Payload": {}}`)})), false)
	f.Add(string(appendEvent(started, asl.Event{Kind: asl.TaskSucceeded, Time: at, Ref: 1, Answer: json.RawMessage(`{"outcome":"processed"}`)})), false)
	f.Add(string(started)+"}", true)
	f.Add("", true)
	f.Add(string(started[:len(started)/2]), true)
	f.Fuzz(func(t *testing.T, journal string, running bool) {
		kept := taskdb.Execution{
			Message: task.Message{TaskID: "01939a3e-7c00-7000-8000-000000000001", Run: 1}, Status: task.ExecutionSucceeded,
			Definition: h.executions.definition, Journal: []byte(journal),
		}
		if running {
			kept.Status = task.ExecutionRunning
		}
		var x, again execution
		history, err := h.executions.replay(t.Context(), &x, kept)
		if err != nil {
			if task.IsKind(err, task.Unavailable) {
				t.Errorf("a damaged journal would be read again and again: %v", err)
			}
			return
		}
		if running && (x.state.Status() != asl.Running || len(x.state.Pending()) == 0) {
			t.Errorf("%q: the execution runs, is %q and waits for %v", journal, x.state.Status(), x.state.Pending())
		}
		second, err := h.executions.replay(t.Context(), &again, kept)
		if err != nil || len(second) != len(history) || string(mustMarshal(second)) != string(mustMarshal(history)) {
			t.Errorf("%q: another history the second time, %v", journal, err)
		}
	})
}
