package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tasks/internal/api"
	"tasks/internal/task"
)

// load runs tasks load --json and returns its report.
func (f *fakeServer) load(t *testing.T, args ...string) (report, result) {
	t.Helper()
	return f.loadIn(t.Context(), t, args...)
}

func (f *fakeServer) loadIn(ctx context.Context, t *testing.T, args ...string) (report, result) {
	t.Helper()
	got := f.runIn(ctx, "", append([]string{"load", "--json"}, args...)...)
	var r report
	if err := json.Unmarshal([]byte(got.Out), &r); err != nil {
		t.Fatalf("the report of %+v: %v", got, err)
	}
	return r, got
}

// rewrite is a hook that gives every accepted task the script of another answer.
func (f *fakeServer) rewrite(answer func(n int) string) {
	f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		added := f.add(answer(len(f.tasks)))
		reply(w, http.StatusAccepted, api.Accepted{TaskID: added.TaskID, Status: added.Status})
		return true
	})
}

func TestLoad(t *testing.T) {
	t.Parallel()

	t.Run("counts what became of every task", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.rewrite(func(n int) string { return []string{"done", "retry", "fail", "slow", "done"}[n%5] })
		f.add("stuck, and somebody else's")
		r, got := f.load(t, "-n", "250", "-c", "8")
		want := report{
			API: f.URL + "/local", Tasks: 250, Clients: 8, Accepted: 250,
			Refused: map[string]int{}, Final: map[task.Status]int{task.Processed: 200, task.DLQ: 50},
			Lost: []task.ID{}, Unexplained: []task.ID{}, Open: []openTask{},
		}
		measured := cmpopts.IgnoreFields(report{}, "AcceptedPerSecond", "FinishedPerSecond", "SubmitMillis", "FinalMillis")
		if diff := cmp.Diff(want, r, measured); diff != "" || got.Code != exitDone || got.ErrOut != "" {
			t.Errorf("got code %d, error output %q, report (-want +got):\n%s", got.Code, got.ErrOut, diff)
		}
		if r.AcceptedPerSecond <= 0 || r.SubmitMillis.Max <= 0 || r.SubmitMillis.P50 > r.SubmitMillis.P99 {
			t.Errorf("got %v accepted per second, submit latency %+v", r.AcceptedPerSecond, r.SubmitMillis)
		}
		// From the records: 250 tasks, each created a millisecond after the one
		// before, that took 1 s, 4 s, 3 s, 2 s and 1 s.
		if r.FinalMillis.P50 < 1999 || r.FinalMillis.P50 > 2002 || r.FinalMillis.Max < 4000 || r.FinalMillis.Max > 4004 {
			t.Errorf("got submit to final %+v, want 2 s to 4 s", r.FinalMillis)
		}
		if r.FinishedPerSecond < 58 || r.FinishedPerSecond > 60 {
			t.Errorf("got %v finished per second, want 250 in 4.25 s", r.FinishedPerSecond)
		}
	})

	t.Run("sends again what the server puts off", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, putOffOnce())
		r, got := f.load(t, "-n", "20", "-c", "4")
		if got.Code != exitDone || r.Accepted != 20 || r.PutOff != 1 || len(r.Refused) != 0 {
			t.Errorf("got code %d, %d accepted, %d put off, refused %v, want 0, 20, 1 and none", got.Code, r.Accepted, r.PutOff, r.Refused)
		}
	})

	t.Run("prints it for people", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.rewrite(func(n int) string { return []string{"done", "fail"}[n%2] })
		got := f.run(t, "load", "-n", "10", "-c", "1")
		got.Out = regexp.MustCompile(`(accepted per second|submit  ) .*`).ReplaceAllString(got.Out, "$1 ...")
		check(t, got, result{Out: `10 tasks from 1 client to ` + f.URL + `/local

accepted                        10

PROCESSED                        5
DLQ                              5

accepted per second ...
finished per second              3

latency                        p50       p90       p99       max
submit   ...
submit to final             1.00 s    3.00 s    3.00 s    3.00 s

Every accepted task was found, and is final.
`})
	})

	t.Run("sends every task once, of the length it is told", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.load(t, "-n", "20", "-c", "4", "--answer-bytes", "9")
		f.mu.Lock()
		defer f.mu.Unlock()
		answers := map[string]bool{}
		for _, added := range f.tasks {
			answers[added.Answer] = len(added.Answer) == 9 && strings.HasPrefix(added.Answer, "load ")
		}
		for i := 1; i <= 20; i++ {
			if answer := loadAnswer(i, 9); !answers[answer] || len(answers) != 20 {
				t.Errorf("got answers %v, want %q among 20", answers, answer)
			}
		}
	})

	t.Run("counts refused and unanswered requests, and sends none again", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		posts := 0
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			switch posts++; posts % 4 {
			case 1:
				problem(w, http.StatusServiceUnavailable, "Later.")
				return true
			case 2:
				return hangUp(w, r)
			}
			return false
		})
		r, got := f.load(t, "-n", "40", "-c", "4")
		want := map[string]int{"503 Service Unavailable": 10}
		if got.Code != exitDone || posts != 40 || r.Accepted != 20 || r.Unanswered != 10 || r.Unreachable != 0 || !cmp.Equal(r.Refused, want) {
			t.Errorf("got code %d, %d requests, %d accepted, %d unanswered, %d unreachable, refused %v", got.Code, posts, r.Accepted, r.Unanswered, r.Unreachable, r.Refused)
		}
		people := f.run(t, "load", "-n", "8", "-c", "1").Out
		for _, line := range []string{
			"refused: 503 Service Unavailable         2\n",
			"no answer                        2\n  (these may have been accepted; they were not sent again)\n",
		} {
			if !strings.Contains(people, line) {
				t.Errorf("got %q, want %q in it", people, line)
			}
		}
	})

	t.Run("fails when nothing was accepted", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				problem(w, http.StatusServiceUnavailable, "The disk is full.")
			}
			return r.Method == http.MethodPost
		})
		_, got := f.load(t, "-n", "5")
		if want := "tasks: no task was accepted\n"; got.Code != exitFailed || got.ErrOut != want {
			t.Errorf("got code %d and %q, want 1 and %q", got.Code, got.ErrOut, want)
		}
	})
}

func TestLoadFindsABrokenPromise(t *testing.T) {
	t.Parallel()

	t.Run("of a task that is lost", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || len(f.tasks) != 2 {
				return false
			}
			lost := f.add("lost")
			lost.TaskID = "01939a3e-7c00-7000-8000-999999999999"
			reply(w, http.StatusAccepted, api.Accepted{TaskID: task.ID(firstID[:35] + "f"), Status: lost.Status})
			return true
		})
		got := f.run(t, "load", "-n", "5", "-c", "1")
		if want := "tasks: of 5 accepted tasks: 1 lost\n"; got.Code != exitFailed || got.ErrOut != want {
			t.Errorf("got code %d and %q, want 1 and %q", got.Code, got.ErrOut, want)
		}
		if want := "\nAccepted, and not there: 1\n  " + firstID[:35] + "f\n"; !strings.HasSuffix(got.Out, want) {
			t.Errorf("got %q, want %q at its end", got.Out, want)
		}
	})

	t.Run("of one in the DLQ without a reason", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.rewrite(func(int) string { return "mute" })
		got := f.run(t, "load", "-n", "25", "-c", "1")
		if want := "tasks: of 25 accepted tasks: 25 in the DLQ without a reason\n"; got.Code != exitFailed || got.ErrOut != want {
			t.Errorf("got code %d and %q, want 1 and %q", got.Code, got.ErrOut, want)
		}
		if want := "In the DLQ without a reason: 25, of which the first 20 (--json prints all):\n  " + firstID + "\n"; !strings.Contains(got.Out, want) || strings.Count(got.Out, "\n  ") != 20 {
			t.Errorf("got %q, want %q in it and 20 ids", got.Out, want)
		}
	})

	t.Run("of one accepted under another's id", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || len(f.tasks) == 0 {
				return false
			}
			reply(w, http.StatusAccepted, api.Accepted{TaskID: firstID, Status: task.Pending})
			return true
		})
		r, got := f.load(t, "-n", "3", "-c", "1")
		if want := "tasks: of 3 accepted tasks: 2 accepted under the id of another\n"; got.Code != exitFailed || got.ErrOut != want || r.Duplicates != 2 {
			t.Errorf("got code %d, %q and %d, want 1, %q and 2", got.Code, got.ErrOut, r.Duplicates, want)
		}
	})

	t.Run("of one that is not final in time", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.rewrite(func(n int) string { return []string{"stuck", "done"}[n%2] })
		got := f.run(t, "load", "-n", "4", "-c", "1", "--timeout", "300ms")
		if want := "tasks: timed out after 300ms; of 4 accepted tasks: 2 not known to be final\n"; got.Code != exitFailed || got.ErrOut != want {
			t.Errorf("got code %d and %q, want 1 and %q", got.Code, got.ErrOut, want)
		}
		if want := fmt.Sprintf("\nNot known to be final: 2\n  %s  PENDING\n", firstID); !strings.Contains(got.Out, want) {
			t.Errorf("got %q, want %q in it", got.Out, want)
		}
	})
}

func TestLoadInterrupted(t *testing.T) {
	t.Parallel()

	t.Run("while it submits", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		ctx, interrupt := context.WithCancel(t.Context())
		f.hooks = append(f.hooks, func(http.ResponseWriter, *http.Request) bool {
			if len(f.tasks) == 3 {
				interrupt()
			}
			return false
		})
		r, got := f.loadIn(ctx, t, "-n", "1000", "-c", "1")
		if got.Code != exitFailed || !strings.HasPrefix(got.ErrOut, "tasks: interrupted; of ") || r.Accepted < 3 || r.Accepted > 10 {
			t.Errorf("got code %d, %q and %d accepted, want 1, interrupted and 3", got.Code, got.ErrOut, r.Accepted)
		}
		if len(r.Open) != r.Accepted || r.Open[0] != (openTask{ID: firstID}) {
			t.Errorf("got open %v, want all accepted, not looked at", r.Open)
		}
	})

	t.Run("while it waits", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.rewrite(func(n int) string { return []string{"stuck", "done"}[n%2] })
		ctx, interrupt := context.WithCancel(t.Context())
		reads := 0
		f.hooks = append(f.hooks, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				if reads++; reads == 4 { // the first is before the load
					interrupt()
				}
			}
			return false
		})
		r, got := f.loadIn(ctx, t, "-n", "4", "-c", "1")
		if want := "tasks: interrupted; of 4 accepted tasks: 2 not known to be final\n"; got.Code != exitFailed || got.ErrOut != want {
			t.Errorf("got code %d and %q, want 1 and %q", got.Code, got.ErrOut, want)
		}
		want := []openTask{{firstID, task.Pending}, {task.ID(firstID[:35] + "2"), task.Pending}}
		if diff := cmp.Diff(want, r.Open); diff != "" || r.Final[task.Processed] != 2 {
			t.Errorf("got %v final, open (-want +got):\n%s", r.Final, diff)
		}
	})
}
