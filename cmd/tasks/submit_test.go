package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tasks/internal/task"
)

const firstID = "01939a3e-7c00-7000-8000-000000000000"

func TestSubmit(t *testing.T) {
	t.Parallel()

	t.Run("prints the id", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "42"), result{Out: firstID + "\n"})
	})
	t.Run("prints the API's answer as JSON", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "--json", "42"),
			result{Out: `{"taskId":"` + firstID + `","status":"PENDING","message":"Task submitted successfully"}` + "\n"})
	})
	t.Run("takes the answer from standard input without its last line break", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"submit"}, {"submit", "-"}} {
			f := newFakeServer(t)
			check(t, f.runIn(t.Context(), "one\ntwo\n\r\n", args...), result{Out: firstID + "\n"})
			if got, want := f.first().Answer, "one\ntwo\n"; got != want {
				t.Errorf("got answer %q, want %q", got, want)
			}
		}
	})
	t.Run("tells why the server refuses", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", " "), result{
			Code:   exitFailed,
			ErrOut: `tasks: 422 Unprocessable Entity: The member "answer" is blank. Put some text in it.` + "\n",
		})
	})
	t.Run("refuses an answer that is too long", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		got := f.runIn(t.Context(), strings.Repeat("x", task.MaxAnswerBytes+1), "submit")
		check(t, got, result{Code: exitUsage, ErrOut: "tasks: the answer is longer than 262144 bytes\nRun 'tasks submit --help' for usage.\n"})
		if got := f.runIn(t.Context(), strings.Repeat("x", task.MaxAnswerBytes)+"\r\n", "submit"); got.Code != exitDone {
			t.Errorf("the longest answer: got %+v, want code 0", got)
		}
	})
	t.Run("refuses an answer that is not UTF-8", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "\xff"),
			result{Code: exitUsage, ErrOut: "tasks: the answer is not UTF-8\nRun 'tasks submit --help' for usage.\n"})
	})
	t.Run("sends again what the server puts off", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, putOffOnce())
		check(t, f.run(t, "submit", "42"), result{
			Out:    firstID + "\n",
			ErrOut: "429 Too Many Requests: 7 tasks are waiting.; sent again in 1s\n",
		})
	})
	t.Run("sends again what has no answer, under the same key", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"submit", "42"}, {"submit", "--idempotency-key", "order 4711", "42"}} {
			f := newFakeServer(t)
			var keys []string
			f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				switch len(keys) {
				case 1:
					return hangUp(w, r)
				case 2:
					problem(w, http.StatusInternalServerError, "No luck.")
					return true
				}
				return false
			})
			check(t, f.run(t, args...), result{Out: firstID + "\n"})
			if len(keys) != 3 || keys[0] == "" || len(slices.Compact(slices.Clone(keys))) != 1 || len(args) > 2 && keys[0] != args[2] {
				t.Errorf("got the keys %q, want one, three times", keys)
			}
		}
	})
	t.Run("says that a request without an answer may have been accepted, and how to send it again", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		f.hooks = append(f.hooks, func(w http.ResponseWriter, _ *http.Request) bool {
			problem(w, http.StatusBadGateway, "No luck.")
			cancel()
			return true
		})
		got := f.runIn(ctx, "", "submit", "--idempotency-key", "k", "42")
		if want := `the task may have been accepted: to send the same request again, add --idempotency-key "k"`; got.Code != exitFailed || !strings.Contains(got.ErrOut, want) {
			t.Errorf("got %+v, want code 1 and %q", got, want)
		}
	})
}

func TestSubmitAndWait(t *testing.T) {
	t.Parallel()

	t.Run("for a task that is processed", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "--wait", "retry"),
			result{Out: firstID + "\nPROCESSED after 4s, 1 retry\n"})
	})
	t.Run("for a task that ends in the DLQ", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "--wait", "fail"),
			result{Code: exitDLQ, Out: firstID + "\nDLQ after 3s, 0 retries: WorkerError: simulated failure\n"})
	})
	t.Run("printing the record alone as JSON", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "--wait", "--json", "done"), result{
			Out: `{"taskId":"` + firstID + `","answer":"done","status":"PROCESSED","retries":0,` +
				`"createdAt":"2026-03-01T12:00:00.000Z","updatedAt":"2026-03-01T12:00:01.000Z","errorType":"","errorMessage":"",` +
				`"run":1,"executionId":"","attempts":[]}` + "\n",
		})
	})
	t.Run("printing it as JSON when it ends in the DLQ too", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "submit", "--wait", "--json", "mute"), result{
			Code: exitDLQ,
			Out: `{"taskId":"` + firstID + `","answer":"mute","status":"DLQ","retries":0,` +
				`"createdAt":"2026-03-01T12:00:00.000Z","updatedAt":"2026-03-01T12:00:01.000Z","errorType":"","errorMessage":"",` +
				`"run":1,"executionId":"","attempts":[]}` + "\n",
		})
	})
	t.Run("through a server that restarts", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		failures := 2
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost || failures == 0 {
				return false
			}
			if failures--; failures == 0 {
				return hangUp(w, r)
			}
			problem(w, http.StatusServiceUnavailable, "Later.")
			return true
		})
		check(t, f.run(t, "submit", "--wait", "done"), result{Out: firstID + "\nPROCESSED after 1s, 0 retries\n"})
	})
	t.Run("until it is interrupted", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		f.hooks = append(f.hooks, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				cancel()
			}
			return false
		})
		got := f.runIn(ctx, "", "submit", "--wait", "stuck")
		if want := "tasks: task " + firstID + " was accepted, and how it ends is not known: "; got.Code != exitFailed || !strings.HasPrefix(got.ErrOut, want) {
			t.Errorf("got %+v, want code 1 and %q", got, want)
		}
	})
}

// putOffOnce returns a hook that puts the first POST off for a second.
func putOffOnce() func(http.ResponseWriter, *http.Request) bool {
	put := false
	return func(w http.ResponseWriter, r *http.Request) bool {
		if put || r.Method != http.MethodPost {
			return false
		}
		put = true
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusTooManyRequests, "7 tasks are waiting.")
		return true
	}
}

// first returns the first task.
func (f *fakeServer) first() *fakeTask {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tasks[0]
}

// hangUp is a hook that closes the connection instead of answering.
func hangUp(w http.ResponseWriter, _ *http.Request) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
	return true
}
