package task_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"tasks/internal/task"
)

// checkInvalid checks that an error is a short one of kind Invalid.
func checkInvalid(t *testing.T, err error) {
	t.Helper()
	if !task.IsKind(err, task.Invalid) || len(err.Error()) > 400 || !utf8.ValidString(err.Error()) {
		t.Errorf("got the error %q, want a short one of kind %s", err, task.Invalid)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(string(id))
	f.Add("")
	f.Add("{01939a3e-7c00-7000-8000-000000000001}")
	f.Add("01939A3E-7C00-7000-8000-00000000000\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := task.ParseID(s)
		if err != nil {
			checkInvalid(t, err)
		}
		if err == nil && (string(got) != s || len(s) != 36 || strings.ToLower(s) != s) || err != nil && got != "" {
			t.Errorf("ParseID(%q): got %q, %v", s, got, err)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	f.Add(task.Message{TaskID: id, Run: 1}.Body())
	f.Add(`{"TASKID":"01939a3e-7c00-7000-8000-000000000001","run":1}`)
	f.Add(`{"taskId":null,"run":1}`)
	f.Add(`{"taskId":"01939a3e-7c00-7000-8000-000000000001","run":9223372036854775807} `)
	f.Fuzz(func(t *testing.T, body string) {
		m, err := task.ParseMessage(body)
		if decoded, failed := task.ParseMessage(body + " "); decoded != m || (failed == nil) != (err == nil) {
			t.Errorf("ParseMessage(%q): got %+v, %v, and with a blank after it, which only the decoder takes, %+v, %v", body, m, err, decoded, failed)
		}
		if err != nil {
			checkInvalid(t, err)
			return
		}
		if again, err := task.ParseMessage(m.Body()); err != nil || again != m || m.Run < 1 || len(m.ExecutionName()) > 80 {
			t.Errorf("ParseMessage(%q): got %+v, which comes back as %+v, %v", body, m, again, err)
		}
		// The redrive policy moves it to the dead letter queue as it is.
		if d, err := task.ParseDeadLetter(body); err != nil || !d.Raw() || d.Message != m {
			t.Errorf("ParseDeadLetter(%q): got %+v, %v, want a raw message", body, d, err)
		}
	})
}

func FuzzParseDeadLetter(f *testing.F) {
	m := task.Message{TaskID: id, Run: 1}
	f.Add(m.Body())
	f.Add(task.DeadLetter{Message: m, Error: "E", Cause: `{"errorMessage":"m"}`, ExecutionID: "e"}.Body())
	f.Add(task.DeadLetter{Message: m, Error: "E", Cause: strings.Repeat("é", 2000)}.Body())
	f.Fuzz(func(t *testing.T, body string) {
		d, err := task.ParseDeadLetter(body)
		if err != nil {
			checkInvalid(t, err)
			return
		}
		if again, err := task.ParseDeadLetter(d.Body()); err != nil || again != d {
			t.Errorf("ParseDeadLetter(%q): got %+v, which comes back as %+v, %v", body, d, again, err)
		}
		errorType, message := d.Why()
		if message == "" || errorType == "" || len(errorType) > 256 || len(message) > task.MaxErrorBytes || !utf8.ValidString(errorType+message) {
			t.Errorf("ParseDeadLetter(%q).Why: got %q, %q", body, errorType, message)
		}
	})
}

// FuzzTime checks that a time that was read is written as RFC 3339 with three
// decimals and reads as itself.
func FuzzTime(f *testing.F) {
	for _, text := range []string{
		`"2026-01-02T02:04:05.678Z"`, `"2026-01-02T02:04:05.678999999+01:00"`, `""`, `null`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59-23:59"`, `1`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var at, again task.Time
		if json.Unmarshal(text, &at) != nil {
			return
		}
		b, err := json.Marshal(at)
		if err != nil {
			t.Fatalf("%s is a time that can't be written: %v", text, err)
		}
		if err := json.Unmarshal(b, &again); err != nil || again != at {
			t.Errorf("%s is %s, which comes back as %s, %v", text, b, again, err)
		}
		if len(b) != len(`""`) && len(b) != len(`"2026-01-02T02:04:05.678Z"`) {
			t.Errorf("%s is written %s", text, b)
		}
		if ms := at.Milli(); ms != 0 && task.AtMilli(ms) != at {
			t.Errorf("%s comes back from milliseconds as %s", at, task.AtMilli(ms))
		}
	})
}
