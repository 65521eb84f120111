package task_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"tasks/internal/task"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	last := task.ID("")
	for range 1000 {
		next, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := task.ParseID(string(next)); err != nil || parsed != next {
			t.Fatalf("ParseID(%q): got %q, %v", next, parsed, err)
		}
		if next <= last {
			t.Fatalf("%s was made after %s, but sorts before it", next, last)
		}
		last = next
	}
	for name, s := range map[string]string{
		"nothing":             "",
		"upper case":          "01939A3E-7C00-7000-8000-000000000001",
		"version 4":           "01939a3e-7c00-4000-8000-000000000001",
		"another variant":     "01939a3e-7c00-7000-0000-000000000001",
		"no hyphens":          "01939a3e7c0070008000000000000001",
		"braces":              "{01939a3e-7c00-7000-8000-000000000001}",
		"a URN":               "urn:uuid:01939a3e-7c00-7000-8000-000000000001",
		"something after it":  "01939a3e-7c00-7000-8000-000000000001 ",
		"something before it": "/01939a3e-7c00-7000-8000-000000000001",
		"a long text":         strings.Repeat("0", 10000),
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			got, err := task.ParseID(s)
			if got != "" || !task.IsKind(err, task.Invalid) || len(err.Error()) > 300 {
				t.Errorf("ParseID(%.50q): got %q, %v, want a short error of kind %s", s, got, err, task.Invalid)
			}
		})
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	precise := time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.FixedZone("", 3600))
	for _, row := range []struct {
		name string
		time task.Time
		want string
	}{
		{"cut to milliseconds, in UTC", task.At(precise), `"2026-01-02T02:04:05.678Z"`},
		{"three decimals, always", task.At(time.Unix(0, 0)), `"1970-01-01T00:00:00.000Z"`},
		{"none", task.Time{}, `""`},
		{"none, from none", task.At(time.Time{}), `""`},
		{"milliseconds", task.AtMilli(1), `"1970-01-01T00:00:00.001Z"`},
		{"no milliseconds", task.AtMilli(0), `""`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b, err := json.Marshal(row.time)
			if err != nil || string(b) != row.want || `"`+row.time.String()+`"` != row.want {
				t.Errorf("got %s, %q, %v, want %s", b, row.time, err, row.want)
			}
			var back task.Time
			if err := json.Unmarshal(b, &back); err != nil || back != row.time {
				t.Errorf("%s comes back as %s, %v", b, back, err)
			}
			if ms := row.time.Milli(); ms != 0 && task.AtMilli(ms) != row.time {
				t.Errorf("%s comes back from milliseconds as %s", row.time, task.AtMilli(ms))
			}
		})
	}
	var null, bad task.Time
	if err := json.Unmarshal([]byte("null"), &null); err != nil || !null.IsZero() {
		t.Errorf("null: got %s, %v, want none", null, err)
	}
	if err := json.Unmarshal([]byte(`"yesterday"`), &bad); err == nil {
		t.Errorf("yesterday: got %s, want an error", bad)
	}
	for _, text := range []string{`"9999-12-31T23:59:59-00:01"`, `"0000-01-01T00:00:00+00:01"`} {
		if err := json.Unmarshal([]byte(text), &bad); err == nil {
			t.Errorf("%s: got %s, want an error: its year in UTC has no four digits", text, bad)
		}
	}
	for ms := int64(-70_000_000_000_000); ms < 300_000_000_000_000; ms += 999_999_999_937 {
		at := task.AtMilli(ms)
		if got, want := at.String(), at.Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got, want := task.At(precise).Plus(1500*time.Microsecond), task.At(precise).Plus(time.Millisecond); got != want {
		t.Errorf("Plus 1.5 ms: got %s, want %s", got, want)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		s    string
		max  int
		want string
	}{
		{"", 0, ""}, {"abc", 3, "abc"}, {"abc", 2, "ab"}, {"abc", 0, ""},
		{"é", 1, ""}, {"aé", 2, "a"}, {"aé", 3, "aé"}, {"👍👍", 7, "👍"}, {"👍👍", 8, "👍👍"},
	} {
		if got := task.Cut(row.s, row.max); got != row.want {
			t.Errorf("Cut(%q, %d): got %q, want %q", row.s, row.max, got, row.want)
		}
	}
	long := strings.Repeat("x", 1<<20)
	if got := task.Cut(long, task.MaxErrorBytes); unsafe.StringData(got) == unsafe.StringData(long) {
		t.Error("what is left of a long string keeps all of it in memory")
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	m := task.Message{TaskID: id, Run: 12}
	if got, want := m.Body(), `{"taskId":"01939a3e-7c00-7000-8000-000000000001","run":12}`; got != want {
		t.Errorf("Body: got %s, want %s", got, want)
	}
	if got, want := m.ExecutionName(), "01939a3e-7c00-7000-8000-000000000001-12"; got != want {
		t.Errorf("ExecutionName: got %s, want %s", got, want)
	}
	if got, err := task.ParseMessage(" " + m.Body() + "\n"); err != nil || got != m {
		t.Errorf("ParseMessage: got %+v, %v, want %+v", got, err, m)
	}
	for name, body := range map[string]string{
		"nothing":              "",
		"no JSON":              "hello",
		"null":                 "null",
		"an array":             "[" + m.Body() + "]",
		"a cut body":           m.Body()[:20],
		"a second document":    m.Body() + m.Body(),
		"something after it":   m.Body() + "x",
		"an unknown field":     `{"taskId":"01939a3e-7c00-7000-8000-000000000001","run":1,"x":1}`,
		"a dead letter":        task.DeadLetter{Message: m, Error: "E"}.Body(),
		"no run":               `{"taskId":"01939a3e-7c00-7000-8000-000000000001"}`,
		"run 0":                `{"taskId":"01939a3e-7c00-7000-8000-000000000001","run":0}`,
		"a fraction of a run":  `{"taskId":"01939a3e-7c00-7000-8000-000000000001","run":1.5}`,
		"a run of 30 digits":   `{"taskId":"01939a3e-7c00-7000-8000-000000000001","run":` + strings.Repeat("9", 30) + `}`,
		"no id":                `{"run":1}`,
		"a field that is long": `{"` + strings.Repeat("x", 100_000) + `":1}`,
		"an odd id":            `{"taskId":"01939A3E-7C00-7000-8000-000000000001","run":1}`,
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			if got, err := task.ParseMessage(body); !task.IsKind(err, task.Invalid) || len(err.Error()) > 400 {
				t.Errorf("got %+v, %v, want a short error of kind %s", got, err, task.Invalid)
			}
		})
	}
}

func TestDeadLetterBodies(t *testing.T) {
	t.Parallel()
	m := task.Message{TaskID: id, Run: 1}
	for _, row := range []struct {
		name         string
		d            task.DeadLetter
		raw          bool
		errorType    string
		errorMessage string
	}{
		{"a raw message", task.DeadLetter{Message: m}, true, "NotStarted", "the task's execution could not be started; its message was moved to the dead letter queue"},
		{"a failed lambda:invoke", task.DeadLetter{Message: m, Error: "WorkerError", Cause: `{"errorMessage":"no luck","errorType":"WorkerError","stackTrace":[]}`, ExecutionID: "e"}, false, "WorkerError", "no luck"},
		{"a cause that is text", task.DeadLetter{Message: m, Error: "States.Runtime", Cause: "no such \"path\" \x00", ExecutionID: "e"}, false, "States.Runtime", "no such \"path\" \x00"},
		{"a cause that is other JSON", task.DeadLetter{Message: m, Error: "E", Cause: `{"errorMessage":5}`, ExecutionID: "e"}, false, "E", `{"errorMessage":5}`},
		{"a cause that is JSON without a message", task.DeadLetter{Message: m, Error: "E", Cause: `{"code": 7}`, ExecutionID: "e"}, false, "E", `{"code": 7}`},
		{"no cause", task.DeadLetter{Message: m, Error: "States.Timeout", ExecutionID: "e"}, false, "States.Timeout", "the execution ended with States.Timeout and gave no cause"},
		{"a long cause", task.DeadLetter{Message: m, Error: "E", Cause: strings.Repeat("x", 5000), ExecutionID: "e"}, false, "E", strings.Repeat("x", task.MaxErrorBytes)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := task.ParseDeadLetter(row.d.Body())
			if err != nil || got != row.d || got.Raw() != row.raw {
				t.Errorf("ParseDeadLetter: got %+v, raw %t, %v, want %+v, raw %t", got, got.Raw(), err, row.d, row.raw)
			}
			if errorType, errorMessage := got.Why(); errorType != row.errorType || errorMessage != row.errorMessage {
				t.Errorf("Why: got %q, %q, want %q, %q", errorType, errorMessage, row.errorType, row.errorMessage)
			}
		})
	}
	if got, err := task.ParseDeadLetter(m.Body()); err != nil || !got.Raw() || got.Message != m {
		t.Errorf("a queue message: got %+v, %v, want a raw dead letter", got, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	root := errors.New("connection reset")
	wrapped := task.Errorf(task.Unavailable, "put item: %w", root)
	if got, want := wrapped.Error(), "put item: connection reset"; got != want {
		t.Errorf("Errorf: got %q, want %q", got, want)
	}
	outer := fmt.Errorf("create task: %w", wrapped)
	if !errors.Is(outer, root) || task.KindOf(outer) != task.Unavailable || !task.IsKind(outer, task.Unavailable) {
		t.Errorf("%v: got kind %q, want %q and its cause", outer, task.KindOf(outer), task.Unavailable)
	}
	if again := task.Errorf(task.Unrecorded, "finish: %w", outer); task.KindOf(again) != task.Unrecorded {
		t.Errorf("%v: got kind %q, want the outermost, %q", again, task.KindOf(again), task.Unrecorded)
	}
	if permanent := task.Permanent(root); task.KindOf(permanent) != task.PermanentError || !errors.Is(permanent, root) || permanent.Error() != root.Error() {
		t.Errorf("Permanent: got %v of kind %q", permanent, task.KindOf(permanent))
	}
	if task.Permanent(nil) != nil || task.KindOf(nil) != "" || task.KindOf(root) != "" || task.IsKind(nil, "") {
		t.Error("no error and an error without a kind have no kind")
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	open := map[task.Status]bool{task.Pending: true, task.Processing: true, task.Failed: true}
	for _, s := range task.Statuses {
		if !s.Valid() || s.Open() != open[s] {
			t.Errorf("%s: got valid %t, open %t, want open %t", s, s.Valid(), s.Open(), open[s])
		}
	}
	for _, s := range []task.Status{"", "pending", "DONE"} {
		if s.Valid() || s.Open() {
			t.Errorf("%q: got a status", s)
		}
	}
}
