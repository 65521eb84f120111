package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"tasks/internal/asl"
)

// harmless checks that what was printed is text and line breaks, nothing that a
// terminal obeys.
func harmless(t *testing.T, printed string) {
	t.Helper()
	if !utf8.ValidString(printed) || strings.ContainsFunc(printed, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("printed %q", printed)
	}
}

func FuzzPrintedTextIsHarmless(f *testing.F) {
	f.Add("plain", 5)
	f.Add("\x1b[31m\u009b\u202e\xff\U000e0001", 3)
	f.Add("日本語", 4)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = 1 + (width&0x7fffffff)%200
		fitted, padding := fit(text, width)
		harmless(t, fitted)
		if got := uniseg.StringWidth(fitted) + padding; got != width {
			t.Errorf("fit(%q, %d): got %q and %d, %d wide", text, width, fitted, padding, got)
		}
		if !utf8.ValidString(text) {
			return
		}
		doc, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		escaped := escapeJSON(string(doc))
		if err := json.Unmarshal([]byte(escaped), &back); err != nil || back != text {
			t.Errorf("escapeJSON(%q): got %q, which is %q (%v)", doc, escaped, back, err)
		}
		harmless(t, escaped)
	})
}

// FuzzAnswers checks that no answer of a server, and so nothing in a task, makes
// a command print what a terminal obeys, or lines of its own.
func FuzzAnswers(f *testing.F) {
	const id = "01939a3e-7c00-7000-8000-000000000001"
	evil := `"\u001b[2J\u009b31m\n\u202e` + "\u009b" + `"`
	summary := `"taskId":"` + id + `","answer":` + evil + `,"status":"DLQ","createdAt":"2026-01-02T02:04:05.678Z","errorMessage":` + evil
	commands := [][]string{
		{"get", id}, {"get", "--json", id}, {"get", "--history", id}, {"get", "--history", "--json", id},
		{"list", "--limit", "1"}, {"list", "--limit", "1", "--json"}, {"submit", "x"}, {"submit", "x", "--json"}, {"redrive", id}, {"redrive", id, "--json"},
	}
	add := func(status int, body string) {
		for i := range commands {
			f.Add(uint8(i), status, body)
		}
	}
	add(200, `{`+summary+`,"errorType":`+evil+`,"executionId":`+evil+`,"attempts":[{"number":1,"run":1,"errorType":`+evil+`,"errorMessage":`+evil+`}]}`)
	add(200, `{"tasks":[{`+summary+`},{"taskId":`+evil+`,"status":`+evil+`}]}`)
	add(200, `{"events":[{"timestamp":"2026-01-02T02:04:05.678Z","type":`+evil+`,"id":1,"xEventDetails":{"name":`+evil+`,"cause":`+evil+`}}],"source":"attempts","truncated":true}`)
	add(202, `{"taskId":`+evil+`,"run":2,"status":`+evil+`,"message":`+evil+`}`)
	add(400, `{"title":`+evil+`,"detail":`+evil+`}`)
	add(503, `{"message":`+evil+`}`)
	type exchange struct {
		status    int
		body      string
		requests  atomic.Int32
		interrupt context.CancelFunc
	}
	var now atomic.Pointer[exchange] // a handler may outlive the command that is interrupted
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		e := now.Load()
		if e.requests.Add(1) > 1 { // what has no answer is sent again, and for half a minute
			e.interrupt()
		}
		w.WriteHeader(e.status)
		_, _ = io.WriteString(w, e.body)
	}))
	f.Cleanup(server.Close)
	server.Config.SetKeepAlivesEnabled(false) // each command has a client of its own
	f.Fuzz(func(t *testing.T, command uint8, code int, answer string) {
		if code < 200 || code > 599 || code == http.StatusNoContent || code == http.StatusNotModified ||
			code == http.StatusTooManyRequests { // sent again for two minutes
			return
		}
		args := commands[int(command)%len(commands)]
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		now.Store(&exchange{status: code, body: answer, interrupt: interrupt})
		got := runWith(ctx, "", map[string]string{"TASKS_API": server.URL}, args...)
		harmless(t, got.Out)
		harmless(t, got.ErrOut)
		if got.Code != exitDone && (got.Code != exitFailed || !strings.HasPrefix(lastLine(got.ErrOut), "tasks: ")) {
			t.Errorf("%v: got %+v, want what is wrong in one line", args, got)
		}
	})
}

func lastLine(s string) string {
	s = strings.TrimSuffix(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// FuzzRun checks that an execution of a definition that is accepted ends, with
// whatever input and script, or with an error that says what is missing.
func FuzzRun(f *testing.F) {
	ours, err := os.ReadFile("../../statemachine/task.asl.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(ours), `{"taskId": "t1", "run": 1}`, `{"Process": [{"error": "WorkerError", "cause": "no"}, {"output": {"Payload": {}}}], "DeadLetter": {"output": null}}`)
	f.Add(charge, `{"n": 1}`, `{"Charge": [{"error": "Declined", "cause": "no\u001b[2J"}, {"timeout": true}, {"output": {"Payload": 7}, "seconds": 1.5}]}`)
	f.Add(charge, `{"n": 1}`, `{"Charge": {"output": {"Payload": 7}, "seconds": 1e300}}`)
	f.Add(`{"StartAt": "A", "States": {"A": {"Type": "Wait", "Timestamp": "9999-12-31T23:59:59Z", "Next": "B"}, "B": {"Type": "Wait", "Seconds": 99999999, "End": true}}}`, `[]`, `{}`)
	f.Add(`{"StartAt": "A", "States": {"A": {"Type": "Map", "ItemProcessor": {"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 50}], "End": true}}}, "End": true}}}`, `[1, 2, 3]`, `{"B": {"error": "E"}}`)
	f.Fuzz(func(t *testing.T, definition, input, script string) {
		machine, err := asl.Parse([]byte(definition))
		if err != nil || !json.Valid([]byte(input)) {
			return
		}
		var out bytes.Buffer
		c := &cli{out: &output{w: &out}, errOut: &output{w: &out}, in: strings.NewReader(script)}
		answers, err := c.readAnswers(machine, "-", nil)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		printer := c.newRunPrinter()
		printed := 0
		s := newSimulation(machine, answers, func(events []asl.HistoryEvent) {
			events = events[:min(len(events), 100-printed)] // printing all takes most of the time
			printed += len(events)
			printer.events(events)
		})
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		err = s.run(ctx, start, &asl.StartInput{Name: "run", Input: json.RawMessage(input), Seed: 1})
		if ctx.Err() != nil {
			t.Fatal("the execution does not end")
		}
		if err == nil && s.execution.Status() == asl.Running || err != nil && err.Error() == "" {
			t.Errorf("ended %q, %v", s.execution.Status(), err)
		}
		if s.now.Before(start) {
			t.Errorf("time ran backwards, to %v", s.now)
		}
		if err == nil {
			if err := printer.end(s.execution); err != nil {
				t.Error(err)
			}
		}
		harmless(t, out.String())
	})
}

// FuzzValidate checks that each problem of a definition is in its file, whatever
// is substituted.
func FuzzValidate(f *testing.F) {
	f.Add(broken, "60")
	f.Add(broken, "\n\n\"\x1b[2J")
	f.Add(`{"${Pause}": ${Pause}`, "{\n}")
	f.Fuzz(func(t *testing.T, source, value string) {
		c := &cli{in: strings.NewReader(source)}
		d := c.readDefinition("-", map[string]string{"Pause": value})
		lines := strings.Split(source, "\n")
		for _, p := range d.problems(asl.Validate(d.text)) {
			if p.Message == "" || p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Errorf("the problem %+v is not in the %d lines", p, len(lines))
			}
			harmless(t, printable(p.String()))
		}
	})
}

// FuzzServe checks that serve listens without a token nowhere but where this
// machine alone can reach it, and asks for none that could be guessed.
func FuzzServe(f *testing.F) {
	for _, address := range []string{"127.0.0.1:3000", "localhost:0", "[::1]:3000", "[::ffff:127.0.0.1]:1", ":3000", "0.0.0.0:1", "[::]:1", "127.1:80", "localhost.evil.example:80", "[::1%lo]:1", "x"} {
		f.Add(address, "")
		f.Add(address, "0123456789abcdef")
		f.Add(address, "0123456789abcde\n")
	}
	f.Fuzz(func(t *testing.T, address, token string) {
		if checkToken(token) == nil && token != "" {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			var sent bytes.Buffer
			if err := r.Write(&sent); err != nil || len(token) < 16 || !strings.Contains(sent.String(), "\r\nAuthorization: Bearer "+token+"\r\n") {
				t.Errorf("the token %q is taken, and sent as %q, %v", token, sent.String(), err)
			}
		}
		if err := checkListen(address, token); err != nil {
			harmless(t, printable(err.Error()))
			return
		}
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || token == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			t.Errorf("listens at %q without a token: %v", address, err)
		}
	})
}

// FuzzHandlerProgram checks that whatever a program of a state prints is the
// task's result as JSON, or an error, or a failure with a name.
func FuzzHandlerProgram(f *testing.F) {
	f.Add(asl.LambdaInvoke, `{"outcome": "succeeded"}`, "")
	f.Add(asl.LambdaInvoke, "", "panic: \x1b[2J")
	f.Add(asl.SQSSendMessage, `{"errorType": "WorkerError", "errorMessage": "no"}`, "\xff")
	f.Fuzz(func(t *testing.T, resource, out, errOut string) {
		c := asl.InvokeTask{State: "A", Resource: resource}
		result, err := resultOf(c, []byte(out))
		if err == nil && !json.Valid(result) || err != nil && (json.Valid([]byte(out)) || len(err.Error()) > 400) {
			t.Errorf("the result of %q is %q, %v", out, result, err)
		}
		if name, cause := failureOf(&exec.ExitError{ProcessState: &os.ProcessState{}}, []byte(out), errOut); name == "" || cause == "" || len(cause) > max(maxCause, len(out)) {
			t.Errorf("failed with %q, %q", name, cause)
		}
	})
}
