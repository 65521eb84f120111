package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"tasks/internal/api"
	"tasks/internal/task"
)

func TestSubmitLines(t *testing.T) {
	t.Parallel()
	file := func(t *testing.T, text string) string {
		path := filepath.Join(t.TempDir(), "answers.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const many = 250

	t.Run("of a file, once however often it is run", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		var text strings.Builder
		for i := range many {
			fmt.Fprintf(&text, "answer %d\r\n\n", i)
		}
		path := file(t, text.String())
		check(t, f.run(t, "submit", "--lines", path), result{Out: "250 tasks accepted, 0 of them before, 0 refused\n"})
		if len(f.tasks) != many || f.tasks[249].Answer != "answer 249" || f.reads["POST /local/tasks/batch"] != 3 {
			t.Errorf("got %d tasks, by %v", len(f.tasks), f.reads)
		}
		check(t, f.run(t, "submit", "--lines", path), result{Out: "250 tasks accepted, 250 of them before, 0 refused\n"})
		if len(f.tasks) != many {
			t.Errorf("got %d tasks", len(f.tasks))
		}
		check(t, f.run(t, "submit", "--lines", file(t, "answer 0\n")), result{Out: "1 task accepted, 0 of them before, 0 refused\n"})
	})
	t.Run("without the mark that some editors begin a file with", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.run(t, "submit", "--lines", file(t, "\ufefffirst\r\n\ufeffsecond\r\n"))
		if len(f.tasks) != 2 || f.tasks[0].Answer != "first" || f.tasks[1].Answer != "\ufeffsecond" {
			t.Errorf("got %+v", f.tasks)
		}
	})
	t.Run("says how to submit a file again with other options", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, `{"results": [{"status": 422, "detail": "This idempotency key was used for another request."}]}`)
			return true
		})
		got := f.run(t, "submit", "--lines", file(t, "42\n"), "--label", "a=b")
		if got.Code != exitFailed || !strings.Contains(got.ErrOut, "with other options within a day: --idempotency-key \"") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("goes on after an interruption", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		text := strings.Repeat("the same\n", many)
		refuse := true
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			if refuse && len(f.tasks) == 100 {
				problem(w, http.StatusForbidden, "Not now.")
				return true
			}
			return false
		})
		got := f.runIn(t.Context(), text, "submit", "--lines", "-")
		_, rest, _ := strings.Cut(got.ErrOut, "--idempotency-key \"")
		key, _, _ := strings.Cut(rest, `"`)
		if got.Code != exitFailed || key == "" || got.Out != "100 tasks accepted, 0 of them before, 0 refused\n" {
			t.Fatalf("got %+v, want how to go on", got)
		}
		refuse = false
		check(t, f.runIn(t.Context(), text, "submit", "--lines", "-", "--idempotency-key", key),
			result{Out: "250 tasks accepted, 100 of them before, 0 refused\n"})
		if len(f.tasks) != many {
			t.Errorf("got %d tasks", len(f.tasks))
		}
	})
	t.Run("sends again what has no answer, and lines that the server failed at", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		requests := 0
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			switch requests++; requests {
			case 1:
				return hangUp(w, r)
			case 2:
				reply(w, http.StatusOK, api.Batch{Results: []api.BatchResult{{Status: 503, Detail: "Later."}, {Status: 422, Detail: "No \x1b[2J."}}})
				return true
			}
			return false
		})
		check(t, f.run(t, "submit", "--lines", file(t, "one\ntwo")), result{
			Code: exitFailed, Out: "1 task accepted, 0 of them before, 1 refused\n",
			ErrOut: "line 2: 422 No \\x1b[2J.\ntasks: 1 line was refused\n",
		})
		if len(f.tasks) != 1 || f.tasks[0].Answer != "one" {
			t.Errorf("got %d tasks", len(f.tasks))
		}
	})
	t.Run("for programs", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "--json", "--lines", file(t, "one\n\n \n")), result{
			Code: exitFailed, ErrOut: "tasks: 1 line was refused\n",
			Out: `{"line":1,"status":202,"taskId":"` + firstID + `"}` + "\n" +
				`{"line":3,"status":422,"detail":"The member \"answer\" is blank. Put some text in it."}` + "\n",
		})
	})
	t.Run("keeps its bodies below the server's limit", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength > api.MaxBodyBytes {
				problem(w, http.StatusRequestEntityTooLarge, "Too large.")
				return true
			}
			return false
		})
		longest := strings.Repeat("\x01", task.MaxAnswerBytes) // six bytes each in JSON
		check(t, f.run(t, "submit", "--lines", file(t, longest+"\n"+strings.Repeat(strings.Repeat("<", 30_000)+"\n", 20)+longest)),
			result{Out: "22 tasks accepted, 0 of them before, 0 refused\n"})
	})
	t.Run("refuses a file that has no such lines", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]string{
			"fine\n\xff\n": "line 2 is not UTF-8",
			"fine\n" + strings.Repeat("x", task.MaxAnswerBytes+3): "line 2 is longer than 262144 bytes",
		} {
			got := newFakeServer(t).run(t, "submit", "--lines", file(t, text))
			if got.Code != exitFailed || !strings.Contains(got.ErrOut, want) || !utf8.ValidString(got.ErrOut) {
				t.Errorf("got %+v, want %q", got, want)
			}
		}
		for _, args := range [][]string{{"--lines", "-", "42"}, {"--lines", "-", "--wait"}, {"--delay", "1h", "42"}, {"--delay", "1ms", "42"}, {"--label", "team", "42"}} {
			if got := newFakeServer(t).run(t, append([]string{"submit"}, args...)...); got.Code != exitUsage {
				t.Errorf("%v: got %+v, want it refused", args, got)
			}
		}
		if got := newFakeServer(t).run(t, "submit", "--lines", filepath.Join(t.TempDir(), "none")); got.Code != exitFailed || !strings.Contains(got.ErrOut, "no such file") {
			t.Errorf("got %+v, want that there is no such file", got)
		}
	})
}
