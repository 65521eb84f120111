package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedrive(t *testing.T) {
	t.Parallel()

	t.Run("begins a new run", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("fail")
		f.settle()
		check(t, f.run(t, "redrive", firstID), result{Out: firstID + " is PENDING again, run 2\n"})
	})
	t.Run("prints the API's answer as JSON", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("fail")
		f.settle()
		check(t, f.run(t, "redrive", "--json", firstID),
			result{Out: `{"taskId":"` + firstID + `","run":2,"status":"PENDING","message":"Task redriven successfully"}` + "\n"})
	})
	t.Run("escapes what a terminal could obey", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, func(w http.ResponseWriter, _ *http.Request) bool {
			reply(w, http.StatusAccepted, map[string]any{"taskId": firstID, "run": 2, "status": "\x1b[2J\n"})
			return true
		})
		check(t, f.run(t, "redrive", firstID), result{Out: firstID + ` is \x1b[2J\n again, run 2` + "\n"})
	})
	t.Run("tells of a task that is not in the DLQ", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("stuck")
		check(t, f.run(t, "redrive", firstID),
			result{Code: exitFailed, ErrOut: "tasks: 409 Conflict: Only a task whose status is DLQ can be redriven.\n"})
	})
}

func TestRedriveMany(t *testing.T) {
	t.Parallel()
	const secondID = "01939a3e-7c00-7000-8000-000000000001"
	dead := func(t *testing.T) *fakeServer {
		f := newFakeServer(t)
		f.add("fail", "fail", "done")
		f.settle()
		return f
	}

	t.Run("some, by their ids", func(t *testing.T) {
		t.Parallel()
		check(t, dead(t).run(t, "redrive", secondID, firstID),
			result{Out: secondID + " is PENDING again, run 2\n" + firstID + " is PENDING again, run 2\n"})
	})
	t.Run("all, at a rate", func(t *testing.T) {
		t.Parallel()
		f := dead(t)
		began := time.Now()
		check(t, f.run(t, "redrive", "--all", "--rate", "1", "--error-type", "WorkerError", "--label", "team=billing", "--created-before", "2026-04-01T00:00:00Z"),
			result{Out: "2 tasks moved\n"})
		if took := time.Since(began); took < time.Second {
			t.Errorf("took %v, want a second between the first and the second", took)
		}
		order := func(limit float64, more map[string]any) map[string]any {
			o := map[string]any{"dryRun": false, "limit": limit, "errorType": "WorkerError", "label": "team:billing", "createdBefore": "2026-04-01T00:00:00Z"}
			for name, value := range more {
				o[name] = value
			}
			return o
		}
		want := []map[string]any{
			order(1, map[string]any{"dryRun": true}), // for the server's time
			order(1, map[string]any{"diedBefore": "2026-03-01T12:00:00.000Z"}),
			order(1, map[string]any{"diedBefore": "2026-03-01T12:00:00.000Z", "nextToken": secondID}),
		}
		if diff := cmp.Diff(want, f.orders); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
	})
	t.Run("none, to see which", func(t *testing.T) {
		t.Parallel()
		f := dead(t)
		check(t, f.run(t, "redrive", "--all", "--dry-run"),
			result{Out: secondID + " run 1\n" + firstID + " run 1\n2 tasks would be moved\n"})
		check(t, f.run(t, "redrive", "--all", "--json"),
			result{Out: `{"taskId":"` + secondID + `","run":2}` + "\n" + `{"taskId":"` + firstID + `","run":2}` + "\n"})
	})
	t.Run("sends again what has no answer, for the same time", func(t *testing.T) {
		t.Parallel()
		f := dead(t)
		requests := 0
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			requests++
			return requests == 2 && hangUp(w, r)
		})
		check(t, f.run(t, "redrive", "--all"), result{Out: "2 tasks moved\n"})
	})
	t.Run("until it is interrupted, between two pages", func(t *testing.T) {
		t.Parallel()
		f := dead(t)
		ctx, interrupt := context.WithCancel(t.Context())
		var stderr strings.Builder
		code := run(ctx, []string{"redrive", "--all", "--json", "--rate", "1", "--api", f.URL + "/local"}, strings.NewReader(""),
			writerFunc(func() { interrupt() }), &stderr, func(string) string { return "" })
		if want := "tasks: interrupted; 1 task was moved before that\n"; code != exitFailed || stderr.String() != want || len(f.orders) != 2 {
			t.Errorf("got code %d and %q after %d orders, want %d and %q after 2", code, stderr.String(), len(f.orders), exitFailed, want)
		}
	})
	t.Run("says that tasks may have been redriven by a request without an answer", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"--all", "--rate", "1"}, {firstID}} {
			f := dead(t)
			ctx, cancel := context.WithCancel(t.Context())
			orders := 0
			f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
				if orders++; args[0] == "--all" && orders < 3 { // for the time, and the first task
					return false
				}
				cancel() // or it would be sent again for long
				return hangUp(w, r)
			})
			got := f.runIn(ctx, "", append([]string{"redrive"}, args...)...)
			want := "the task may have been redriven"
			if args[0] == "--all" {
				want += "; 1 task was moved before that"
			}
			if got.Code != exitFailed || !strings.HasSuffix(got.ErrOut, "; "+want+"\n") {
				t.Errorf("%v: got %+v, want code %d and %q", args, got, exitFailed, want)
			}
		}
	})
	t.Run("refuses what makes no sense", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{
			{}, {"--all", firstID}, {"--dry-run", firstID}, {"--rate", "5", firstID}, {"--label", "a=b", firstID}, {"--all", "--rate", "0"},
			{"--all", "--label", "team"}, {"--all", "--label", "a:b=c"}, {"--all", "--created-after", "yesterday"}, {"1"},
		} {
			f := newFakeServer(t)
			if got := f.run(t, append([]string{"redrive"}, args...)...); got.Code != exitUsage || got.Out != "" || len(f.reads) > 0 {
				t.Errorf("redrive %v: got %+v, want it refused", args, got)
			}
		}
	})
}

// writerFunc is called when something is written.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

func TestStats(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	f.add("fail", "done", "done", "stuck")
	f.settle()
	check(t, f.run(t, "stats"), result{Out: `STATUS      TASKS
PENDING     1
PROCESSING  0
FAILED      0
PROCESSED   2
DLQ         1

As of 2026-03-01 12:00:00.000 UTC
`})
	check(t, f.run(t, "stats", "--json"),
		result{Out: `{"counts":{"DLQ":1,"FAILED":0,"PENDING":1,"PROCESSED":2,"PROCESSING":0},"asOf":"2026-03-01T12:00:00.000Z"}` + "\n"})
}

func TestListSelects(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	f.run(t, "list", "--error-type", "Timeout", "--label", "team=a:b", "--created-after", "2026-01-31T12:00:00+01:00")
	const want = "GET /local/tasks?createdAfter=2026-01-31T11%3A00%3A00Z&errorType=Timeout&label=team%3Aa%3Ab&limit=50"
	if f.reads[want] != 1 {
		t.Errorf("got the requests %v, want %s", f.reads, want)
	}
	got := f.run(t, "list", "--created-after", "2h")
	for request := range f.reads {
		if request != want && !strings.Contains(request, "createdAfter=20") {
			t.Errorf("got the request %s, %+v, want a time", request, got)
		}
	}
}
