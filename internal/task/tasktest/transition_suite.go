package tasktest

import (
	"strings"
	"testing"
	"time"

	"tasks/internal/task"
)

// row is a test of one task, from its submission on.
type row struct {
	name string
	run  func(s *subject)
}

// exercise runs the rows, each with a task of its own.
func exercise(t *testing.T, open func(t *testing.T) task.Store, rows []row) {
	store := open(t)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			r.run(submit(t, store, "an answer", 0))
		})
	}
}

// exerciseClaim has a test for each row of the claim table in the design.
func exerciseClaim(t *testing.T, open func(t *testing.T) task.Store) {
	exercise(t, open, []row{
		{"runs a PENDING task", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
		}},
		{"runs a FAILED task that the workflow retries", func(s *subject) {
			s.attempt("execution", 0)
			s.claim(task.ClaimRun, "execution", 1, "second")
		}},
		{"runs a FAILED task for another execution", func(s *subject) {
			s.attempt("execution", 0)
			s.claim(task.ClaimRun, "other", 0, "second")
		}},
		{"gives the recorded error to a failed invocation that comes again", func(s *subject) {
			s.attempt("execution", 1)
			s.claim(task.ClaimRecorded, "execution", 1, "second")
			s.claim(task.ClaimRecorded, "execution", 0, "third")
		}},
		{"skips another run", func(s *subject) {
			s.claimRun(task.ClaimSkip, 2, "execution", 0, "token")
			s.deadLetter(task.Marked, 1)
			s.redrive("")
			s.claimRun(task.ClaimSkip, 1, "execution", 0, "token")
			s.claim(task.ClaimRun, "second", 0, "token")
			s.claimRun(task.ClaimSkip, 1, "execution", 5, "other")
		}},
		{"skips a PROCESSED task", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.succeed("token")
			s.claim(task.ClaimSkip, "execution", 1, "second")
			s.claim(task.ClaimSkip, "other", 0, "third")
			s.claim(task.ClaimSkip, "execution", 0, "token")
		}},
		{"skips a task in the DLQ", func(s *subject) {
			s.attempt("execution", 0)
			s.deadLetter(task.Marked, 1)
			s.claim(task.ClaimSkip, "execution", 1, "second")
			s.claim(task.ClaimSkip, "other", 0, "third")
		}},
		{"runs again, not counted, when the host died", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "first")
			s.claim(task.ClaimRun, "execution", 0, "second")
			s.succeed("second")
		}},
		{"runs again, counted, when the workflow has retried a dead attempt", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "first")
			s.claim(task.ClaimRun, "execution", 2, "second")
			s.succeed("second")
		}},
		{"skips a late invocation of the same execution", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 2, "first")
			s.claim(task.ClaimSkip, "execution", 1, "second")
			s.succeed("first")
		}},
		{"skips another execution while the lease holds", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "first")
			s.claim(task.ClaimSkip, "other", 0, "second")
			s.pass(lease - 3*time.Second)
			s.claim(task.ClaimSkip, "other", 3, "third")
			s.succeed("first")
		}},
		{"lets another execution take over after the lease", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "first")
			s.pass(lease)
			s.claim(task.ClaimRun, "other", 0, "second")
			s.finish(task.Fenced, "first", nil)
			s.succeed("second")
		}},
		{"takes a claim that is sent again as the same", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.pass(2 * lease)
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.succeed("token")
		}},
		{"counts the third interruption of an attempt", func(s *subject) {
			s.attempt("execution", 0)
			s.claim(task.ClaimRun, "execution", 1, "a")
			s.claim(task.ClaimRun, "execution", 1, "b")
			s.claim(task.ClaimRun, "execution", 1, "c")
			s.claim(task.ClaimExhausted, "execution", 1, "d")
			s.claim(task.ClaimRecorded, "execution", 1, "d")
			s.claim(task.ClaimRecorded, "execution", 1, "e")
			s.claim(task.ClaimRun, "execution", 2, "f")
			s.succeed("f")
		}},
		{"keeps the last 30 attempts", func(s *subject) {
			for n := range 21 {
				s.attempt("execution", n)
			}
			s.deadLetter(task.Marked, 1)
			s.redrive("")
			for n := range 12 {
				s.attempt("second", n)
			}
			if n := len(s.want.Attempts); n != task.MaxAttempts {
				s.t.Fatalf("got %d attempts, want %d", n, task.MaxAttempts)
			}
		}},
	})
}

func exerciseFinish(t *testing.T, open func(t *testing.T) task.Store) {
	exercise(t, open, []row{
		{"records a success and when it expires", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.succeed("token")
			if s.want.ExpiresAt.IsZero() {
				s.t.Fatal("a finished task has no expiry")
			}
		}},
		{"records a failure", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.fail("token")
		}},
		{"records a success after failures", func(s *subject) {
			s.attempt("execution", 0)
			s.attempt("execution", 1)
			s.claim(task.ClaimRun, "execution", 2, "token")
			s.succeed("token")
		}},
		{"records odd and long errors", func(s *subject) {
			for n, message := range []string{
				"", "a\x00b \"'\\ \r\n\u2028 👩‍👩‍👧‍👦", "\xff\xfe", strings.Repeat("é", 10<<10), "x" + strings.Repeat("é", 10<<10),
			} {
				token := "token" + string(rune('a'+n))
				s.claim(task.ClaimRun, "execution", n, token)
				s.finish("", token, &task.Failure{Type: "Odd \x00 \" 👎 Error", Message: message})
			}
		}},
		{"takes an outcome that is sent again as the same", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.fail("token")
			s.fail("token")
			s.claim(task.ClaimRun, "execution", 1, "second")
			s.succeed("second")
			s.succeed("second")
			s.fail("second")
		}},
		{"fences an attempt that lost the task", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "first")
			s.claim(task.ClaimRun, "execution", 1, "second")
			s.finish(task.Fenced, "first", nil)
			s.finish(task.Fenced, "first", &task.Failure{Type: "WorkerError", Message: "late"})
			s.succeed("second")
			s.finish(task.Fenced, "first", nil)
		}},
		{"fences what never claimed", func(s *subject) {
			s.finish(task.Fenced, "token", nil)
			s.finish(task.Fenced, "", nil)
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.finish(task.Fenced, "", nil)
		}},
		{"fences an attempt whose task is in the DLQ, or in a new run", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.deadLetter(task.Marked, 1)
			s.finish(task.Fenced, "token", nil)
			s.redrive("")
			s.finish(task.Fenced, "token", nil)
			s.claim(task.ClaimRun, "second", 0, "second")
			s.finish(task.Fenced, "token", nil)
			s.succeed("second")
		}},
	})
}

func exerciseDeadLetter(t *testing.T, open func(t *testing.T) task.Store) {
	exercise(t, open, []row{
		{"marks a PENDING task", func(s *subject) {
			s.deadLetter(task.Marked, 1)
		}},
		{"marks a PROCESSING task and closes its attempt", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.deadLetter(task.Marked, 1)
		}},
		{"marks a FAILED task", func(s *subject) {
			s.attempt("execution", 0)
			s.attempt("execution", 1)
			s.deadLetter(task.Marked, 1)
		}},
		{"takes a second dead letter of the run as a duplicate", func(s *subject) {
			s.attempt("execution", 0)
			s.deadLetter(task.Marked, 1)
			s.deadLetter(task.Duplicate, 1)
			s.deadLetterRaw(task.Duplicate, 1)
		}},
		{"leaves a PROCESSED task alone", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.succeed("token")
			s.deadLetter(task.Stale, 1)
			s.deadLetterRaw(task.Stale, 1)
		}},
		{"leaves another run alone", func(s *subject) {
			s.deadLetter(task.Stale, 2)
			s.deadLetter(task.Marked, 1)
			s.redrive("")
			s.deadLetter(task.Stale, 1)
			s.deadLetterRaw(task.Stale, 1)
			s.deadLetter(task.Marked, 2)
			s.deadLetter(task.Stale, 1)
		}},
		{"marks a PENDING task by a raw message", func(s *subject) {
			s.deadLetterRaw(task.Marked, 1)
		}},
		{"leaves a claimed task alone by a raw message", func(s *subject) {
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.deadLetterRaw(task.Stale, 1)
			s.fail("token")
			s.deadLetterRaw(task.Stale, 1)
		}},
		{"keeps an odd and long cause, cut", func(s *subject) {
			s.mark(task.Marked, task.DeadLetter{
				Message: s.want.Message(), Error: "States.Timeout", ExecutionID: "execution",
				Cause: "\x00 \" 👩‍👩‍👧‍👦 \r\n" + strings.Repeat("é", 10<<10),
			})
		}},
	})
}

func exerciseNewRun(t *testing.T, open func(t *testing.T) task.Store) {
	exercise(t, open, []row{
		{"redrives a task from the DLQ: a new run that does not expire", func(s *subject) {
			s.attempt("execution", 0)
			s.deadLetter(task.Marked, 1)
			s.redrive("")
			if !s.want.ExpiresAt.IsZero() {
				s.t.Fatal("an open task has an expiry")
			}
			s.attempt("second", 0)
			s.claim(task.ClaimRun, "second", 1, "token")
			s.succeed("token")
		}},
		{"redrives only once", func(s *subject) {
			s.deadLetterRaw(task.Marked, 1)
			s.redrive("")
			s.redrive(task.Conflict)
			s.deadLetter(task.Marked, 2)
			s.redrive("")
		}},
		{"redrives the run that it is told to, and no other", func(s *subject) {
			s.deadLetterRaw(task.Marked, 1)
			s.redriveRun(task.Conflict, 2)
			s.redriveRun("", 1)
			s.deadLetter(task.Marked, 2)
			s.redriveRun(task.Conflict, 1)
			s.redriveRun("", 2)
		}},
		{"redrives no task that is not in the DLQ", func(s *subject) {
			s.redrive(task.Conflict)
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.redrive(task.Conflict)
			s.fail("token")
			s.redrive(task.Conflict)
			s.claim(task.ClaimRun, "execution", 1, "second")
			s.succeed("second")
			s.redrive(task.Conflict)
		}},
		{"restarts a task that was never claimed", func(s *subject) {
			s.deferCheck(1)
			s.restart("", 1)
			s.restart(task.Conflict, 1)
			s.restart("", 2)
		}},
		{"restarts no task that has moved on", func(s *subject) {
			s.restart(task.Conflict, 2)
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.restart(task.Conflict, 1)
			s.fail("token")
			s.restart(task.Conflict, 1)
			s.deadLetter(task.Marked, 1)
			s.restart(task.Conflict, 1)
		}},
	})
}
