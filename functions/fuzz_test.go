package functions_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	openapi "tasks/api"
	"tasks/functions/monitor"
	"tasks/functions/poller"
	"tasks/functions/process"
	"tasks/functions/reconcile"
	"tasks/internal/api"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// fuzzEvents returns the sample events of functions.
func fuzzEvents[Event any](f *testing.F, functions ...string) []Event {
	f.Helper()
	var all []Event
	for _, function := range functions {
		files, err := filepath.Glob("../events/" + function + "-*.json")
		if err != nil || len(files) == 0 {
			f.Fatalf("got %d events of %s, %v", len(files), function, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			var e Event
			if err := json.Unmarshal(b, &e); err != nil {
				f.Fatal(err)
			}
			all = append(all, e)
		}
	}
	return all
}

// FuzzEvent checks that whatever a service invokes a function with, the function
// takes it or says what is wrong, that a batch fails for none but its own
// messages, and that the records stay records.
func FuzzEvent(f *testing.F) {
	names := []string{"monitor", "poller", "process", "reconcile", "redrive", "status", "submit"}
	for i, name := range names {
		for _, event := range fuzzEvents[json.RawMessage](f, name) {
			f.Add(uint8(i), []byte(event))
		}
		f.Add(uint8(i), []byte(`[]`))
		f.Add(uint8(i), []byte(`{"Records":[{"messageId":null,"body":"\ud800","attributes":{"SentTimestamp":"-9e99"}},null]}`))
		f.Add(uint8(i), []byte(`{"taskId":"`+ordinary+`","run":1,"executionId":"e","retryCount":9223372036854775807,"retry":{"IntervalSeconds":-1,"BackoffRate":1e300}}`))
	}
	f.Fuzz(func(t *testing.T, which uint8, event []byte) {
		s, letters, metrics, log := newSystem(), tasktest.NewDeadLetterQueue(), tasktest.NewMetrics(), slog.New(slog.DiscardHandler)
		functions := map[string]lambda.Handler{
			"monitor":   lambda.NewHandler((&monitor.Handler{Store: s.store, Metrics: metrics, Retention: time.Hour, Log: log}).Handle),
			"poller":    lambda.NewHandler((&poller.Handler{Executions: s.executions, DeadLetterQueue: letters, Metrics: metrics, Log: log}).Handle),
			"process":   lambda.NewHandler((&process.Handler{Store: s.store, Worker: succeeds{}, Retention: time.Hour, Log: log}).Handle),
			"reconcile": lambda.NewHandler((&reconcile.Handler{Store: s.store, Queue: s.queue, DeadLetterQueue: letters, Executions: s.executions, Metrics: metrics, Log: log}).Handle),
			"redrive":   lambda.NewHandler(s.functions["redrive"]),
			"status":    lambda.NewHandler(s.functions["status"]),
			"submit":    lambda.NewHandler(s.functions["submit"]),
		}
		name := names[int(which)%len(names)]
		out, err := functions[name].Invoke(t.Context(), event)
		if err != nil && (err.Error() == "" || len(err.Error()) > task.MaxErrorBytes+len(event)) || err == nil && !json.Valid(out) {
			t.Fatalf("%s answered %s, %v", name, out, err)
		}
		var resp struct {
			api.Response
			events.SQSEventResponse
		}
		var batch events.SQSEvent
		_ = json.Unmarshal(event, &batch) // an event of another kind has no records
		if err == nil {
			if err := json.Unmarshal(out, &resp); err != nil {
				t.Fatal(err)
			}
		}
		if resp.StatusCode >= 500 || len(resp.BatchItemFailures) > 0 {
			t.Errorf("%s answered %s, and no service failed", name, out)
		}
		if did := len(s.executions.Started()) + len(letters.Bodies()) + len(s.store.Quarantined()); did > len(batch.Records) {
			t.Errorf("%s did %d things for %d messages", name, did, len(batch.Records))
		}
		page, err := s.store.List(t.Context(), task.Query{Limit: task.MaxPageTasks})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Tasks {
			if _, err := task.ParseID(string(r.ID)); err != nil || !r.Status.Valid() || r.Run < 1 || r.Retries < 0 {
				t.Errorf("%s left the record %+v", name, r)
			}
		}
	})
}

// clientErrors are all that a client can be answered for a request of its own.
var clientErrors = []int{400, 404, 405, 409, 413, 415, 422}

// FuzzRequest checks that whatever a client sends is answered as documented:
// with what it asked for, or with a problem that has changed nothing.
func FuzzRequest(f *testing.F) {
	for _, req := range fuzzEvents[api.Request](f, "submit", "status", "redrive") {
		path := strings.TrimPrefix(req.RawPath, "/"+req.RequestContext.Stage)
		f.Add(req.RequestContext.HTTP.Method, path+"?"+req.RawQueryString, req.Headers["content-type"], req.Body, req.IsBase64Encoded)
	}
	for _, r := range badRequests() {
		if len(r.body) <= 1<<10 {
			f.Add(r.method, r.pathWith(ordinary, dead), r.contentType, r.body, false)
		}
	}
	f.Add("GET", "/tasks", "", "a body that means nothing", false)
	f.Fuzz(func(t *testing.T, method, path, contentType, body string, isBase64 bool) {
		s := newSystem()
		before := s.state(t)
		req := gatewayEvent(badRequest{method: method, contentType: contentType, body: body}, path)
		req.IsBase64Encoded = isBase64
		resp := s.serve(t, req)
		switch {
		case slices.Contains(clientErrors, resp.StatusCode):
			r := badRequest{method: method, want: resp.StatusCode}
			r.check(t, answered{resp.StatusCode, resp.Headers["Content-Type"], resp.Headers["Allow"], []byte(resp.Body)})
			if diff := cmp.Diff(before, s.state(t)); diff != "" {
				t.Errorf("a request that was refused changed something (-before +after):\n%s", diff)
			}
		case resp.StatusCode == http.StatusAccepted && req.RouteKey == api.SubmitRoute:
			if isBase64 {
				decoded, err := base64.StdEncoding.DecodeString(body)
				if err != nil {
					t.Fatal(err)
				}
				body = string(decoded)
			}
			checkAccepted(t, s, resp, body)
		case resp.StatusCode == http.StatusAccepted && req.RouteKey == api.RedriveRoute:
		case resp.StatusCode == http.StatusOK && req.RouteKey == api.RedriveAllRoute:
		case resp.StatusCode == http.StatusOK && req.RouteKey == api.BatchRoute:
			var batch api.Batch
			if err := json.Unmarshal([]byte(resp.Body), &batch); err != nil || len(batch.Results) == 0 || len(batch.Results) > task.MaxBatch {
				t.Errorf("%q: got %s, %v", body, resp.Body, err)
			}
			for _, result := range batch.Results {
				_, err := s.store.Get(t.Context(), result.TaskID)
				if accepted := result.Status == http.StatusAccepted; accepted != (err == nil) || accepted != (result.Detail == "") {
					t.Errorf("%q: got %+v, and the store has %v", body, result, err)
				}
			}
		case resp.StatusCode == http.StatusOK && method == http.MethodGet:
		default:
			t.Errorf("%s %q: got %d %s", method, path, resp.StatusCode, resp.Body)
		}
		isJSON := json.Valid([]byte(resp.Body)) || resp.Body == openapi.Description
		if !isJSON || resp.Headers["X-Content-Type-Options"] != "nosniff" {
			t.Errorf("got %v %q, want JSON, or the description, that no browser takes for a page", resp.Headers, resp.Body)
		}
	})
}

// checkAccepted checks that the record has the answer that the body has.
func checkAccepted(t *testing.T, s *system, resp api.Response, body string) {
	t.Helper()
	var accepted api.Accepted
	var want struct{ Answer string }
	if err := json.Unmarshal([]byte(resp.Body), &accepted); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatalf("%q was accepted: %v", body, err)
	}
	rec, err := s.store.Get(t.Context(), accepted.TaskID)
	if err != nil || rec.Answer != want.Answer || rec.Status != task.Pending || len(rec.Answer) == 0 || len(rec.Answer) > task.MaxAnswerBytes {
		t.Errorf("%q was accepted as %+v, %v", body, rec, err)
	}
}

// FuzzDeadLetterQueue checks that whatever is on the dead letter queue is marked
// or quarantined whole, and logged in one short line of printable JSON.
func FuzzDeadLetterQueue(f *testing.F) {
	for _, event := range fuzzEvents[events.SQSEvent](f, "monitor", "poller") {
		for _, m := range event.Records {
			f.Add(m.Body)
		}
	}
	f.Add("\x1b[2J\n{\"level\":\"INFO\"}\xff\u202e")
	f.Fuzz(func(t *testing.T, body string) {
		s := newSystem()
		before, err := s.store.Get(t.Context(), ordinary)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		h := &monitor.Handler{Store: s.store, Metrics: tasktest.NewMetrics(), Retention: time.Hour, Log: slog.New(slog.NewJSONHandler(&log, nil))}
		resp, err := h.Handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", Body: body}}})
		if err != nil || len(resp.BatchItemFailures) != 0 {
			t.Fatalf("got %v, %v", resp, err)
		}
		letter, err := task.ParseDeadLetter(body)
		quarantined := s.store.Quarantined()
		if (err != nil) != (len(quarantined) == 1) || err != nil && quarantined[0].Body != body {
			t.Errorf("a dead letter with %v: %+v in quarantine", err, quarantined)
		}
		after, errGet := s.store.Get(t.Context(), ordinary)
		if errGet != nil {
			t.Fatal(errGet)
		}
		marks := err == nil && letter.Message == before.Message()
		if marked := after.Status == task.DLQ; marked != marks || marked && (after.ErrorType == "" || after.ErrorMessage == "") || !marked && !cmp.Equal(before, after) {
			t.Errorf("%q made of the record %+v", body, after)
		}
		line := log.String()
		if !json.Valid(log.Bytes()) || strings.Count(line, "\n") != 1 || len(line) > 16<<10 || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' }) {
			t.Errorf("logged %q", line)
		}
	})
}
