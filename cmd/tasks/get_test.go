package main

import (
	"testing"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

func TestGet(t *testing.T) {
	t.Parallel()

	t.Run("shows a task with its attempts", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		added := f.add("retry \x1b[2J")
		f.settle()
		added.ExecutionID = "arn:aws:states:local:1:execution:tasks:x-1"
		added.Attempts[0].NotCounted = true
		added.Attempts = append(added.Attempts, api.Attempt{Attempt: task.Attempt{Number: 3, Run: 2, StartedAt: added.UpdatedAt}})
		check(t, f.run(t, "get", firstID), result{Out: `Task       01939a3e-7c00-7000-8000-000000000000
Status     PROCESSED
Answer     retry \x1b[2J
Run        1
Retries    1
Created    2026-03-01 12:00:00.000
Updated    2026-03-01 12:00:04.000
Execution  arn:aws:states:local:1:execution:tasks:x-1

RUN  ATTEMPT  STARTED                  TOOK      OUTCOME
1    1        2026-03-01 12:00:01.000  1s        (uses up no retry) WorkerError: simulated failure
1    2        2026-03-01 12:00:03.000  1s        succeeded
2    3        2026-03-01 12:00:04.000  -         running
`})
	})
	t.Run("leaves out what a new task doesn't have", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("42")
		check(t, f.run(t, "get", firstID), result{Out: `Task       01939a3e-7c00-7000-8000-000000000000
Status     PENDING
Answer     42
Run        1
Retries    0
Created    2026-03-01 12:00:00.000
Updated    2026-03-01 12:00:00.000
`})
	})
	t.Run("tells of a task that is not there", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "get", firstID),
			result{Code: exitFailed, ErrOut: "tasks: 404 Not Found: There is no task of this id.\n"})
	})
	t.Run("shows the history", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("fail")
		check(t, f.run(t, "get", "--history", firstID), result{
			Out: `ID     TIME                     EVENT                     DETAILS
1      2026-03-01 12:00:00.000  TaskStateEntered          Process
2      2026-03-01 12:00:01.000  TaskFailed                WorkerError: simulated\nfailure
`,
			ErrOut: "The execution has no history of its own (not started, expired, or EXPRESS): these are the attempts in the task's record.\n",
		})
	})
	t.Run("prints the history as the server tells it, as JSON", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("fail")
		check(t, f.run(t, "get", "--history", "--json", firstID), result{
			Out: `{"events":[` +
				`{"timestamp":"2026-03-01T12:00:00.000Z","type":"TaskStateEntered","id":1,"previousEventId":0,"stateEnteredEventDetails":{"name":"Process"}},` +
				`{"timestamp":"2026-03-01T12:00:01.000Z","type":"TaskFailed","id":2,"previousEventId":1,"taskFailedEventDetails":{"resourceType":"lambda","error":"WorkerError","cause":"simulated\nfailure"}}` +
				`],"source":"attempts"}` + "\n",
		})
	})
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                         "0s",
		1234567 * time.Nanosecond: "1.2ms",
		2004 * time.Millisecond:   "2s",
		61500 * time.Millisecond:  "1m2s",
	} {
		if got := took(d); got != want {
			t.Errorf("took(%d): got %q, want %q", d, got, want)
		}
	}
}
