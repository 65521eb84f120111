package task_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

const (
	id        = task.ID("01939a3e-7c00-7000-8000-000000000001")
	lease     = time.Minute
	retention = 24 * time.Hour
)

// at returns a time, so many seconds after the task was created.
func at(seconds int) task.Time {
	return task.At(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)).Plus(time.Duration(seconds) * time.Second)
}

// pending returns a task as it was submitted.
func pending() task.Task { return task.New(id, "an answer", at(0).Time) }

// processing returns a task whose first attempt runs since second 10, started
// with that retry count.
func processing(retryCount int) task.Task {
	t := pending()
	t.Status, t.ExecutionID, t.Owner = task.Processing, "execution", "first"
	t.LeaseUntil, t.UpdatedAt = at(10).Plus(lease), at(10)
	t.Attempts = []task.Attempt{{Number: 1, Run: 1, StartedAt: at(10), RetryCount: retryCount}}
	return t
}

// failed returns a task whose first attempt failed in second 20.
func failed(retryCount int) task.Task {
	t := processing(retryCount)
	t.Status, t.LeaseUntil, t.UpdatedAt = task.Failed, task.Time{}, at(20)
	t.ErrorType, t.ErrorMessage = "WorkerError", "no luck"
	t.Attempts[0].FinishedAt = at(20)
	t.Attempts[0].ErrorType, t.Attempts[0].ErrorMessage = "WorkerError", "no luck"
	return t
}

// processed returns a task that succeeded in second 20.
func processed() task.Task {
	t := processing(0)
	t.Status, t.LeaseUntil, t.UpdatedAt = task.Processed, task.Time{}, at(20)
	t.ExpiresAt = at(20).Plus(retention)
	t.Attempts[0].FinishedAt = at(20)
	return t
}

// dead returns a task that went to the DLQ in second 30, after an attempt.
func dead() task.Task {
	t := failed(0)
	t.Status, t.Owner, t.UpdatedAt = task.DLQ, "", at(30)
	t.ErrorMessage = "no luck at all"
	t.ExpiresAt = at(30).Plus(retention)
	return t
}

// redriven returns a task that was redriven in second 40.
func redriven() task.Task {
	t := dead()
	t.Status, t.Run, t.UpdatedAt = task.Pending, 2, at(40)
	t.ErrorType, t.ErrorMessage, t.ExecutionID = "", "", ""
	t.NextCheckAt, t.ExpiresAt = at(40).Plus(task.FirstCheckAfter), task.Time{}
	return t
}

// reclaimed returns t after a claim that opened one more attempt.
func reclaimed(t task.Task, number int, r task.ClaimRequest) task.Task {
	t.Status, t.Retries = task.Processing, number-1
	t.ErrorType, t.ErrorMessage = "", ""
	t.ExecutionID, t.Owner, t.LeaseUntil, t.UpdatedAt = r.ExecutionID, r.Token, r.Now.Plus(r.Lease), r.Now
	t.Attempts = append(t.Attempts, task.Attempt{Number: number, Run: t.Run, StartedAt: r.Now, RetryCount: r.RetryCount})
	return t
}

// died returns a processing task with its attempt closed, without a word of its
// own.
func died(t task.Task, now task.Time, kind task.Kind, message string, counted bool) task.Task {
	a := &t.Attempts[len(t.Attempts)-1]
	a.FinishedAt, a.ErrorType, a.ErrorMessage, a.NotCounted = now, string(kind), message, !counted
	return t
}

// retriedAt is the task while its retry is awaited.
func retriedAt(t task.Task, second int) task.Task {
	t.NextAttemptAt = at(second)
	return t
}

func TestClaim(t *testing.T) {
	t.Parallel()
	const (
		unknown     = "the attempt ended without reporting an outcome"
		interrupted = "the host stopped or died while the attempt ran"
	)
	request := func(run int, execution string, retryCount, second int) task.ClaimRequest {
		return task.ClaimRequest{
			Message: task.Message{TaskID: id, Run: run}, ExecutionID: execution,
			RetryCount: retryCount, Token: "token", Now: at(second), Lease: lease,
		}
	}
	again := request(1, "execution", 0, 50)
	again.Token = "first"
	// told is a request of a workflow that tells how it retries.
	told := func(retryCount, second int) task.ClaimRequest {
		r := request(1, "execution", retryCount, second)
		r.Retry = task.RetryPolicy{MaxAttempts: 2, IntervalSeconds: 2, BackoffRate: 2, MaxDelaySeconds: 900}
		return r
	}
	permanently := func(t task.Task) task.Task {
		t.ErrorType = string(task.PermanentError)
		t.Attempts[0].ErrorType = t.ErrorType
		return t
	}
	numbered := func(t task.Task, number int) task.Task {
		t.Attempts[0].Number = number
		return t
	}
	// twice is a task whose first attempt was cut off twice and runs again.
	twice := func() task.Task {
		t := processing(0)
		for range 2 {
			t = reclaimed(died(t, at(10), task.Interrupted, interrupted, false), 1, request(1, "execution", 0, 10))
		}
		t.Owner = "third"
		return t
	}
	exhausted := func() task.Task {
		t := died(twice(), at(50), task.Interrupted, interrupted, true)
		t.Status, t.Owner, t.LeaseUntil, t.UpdatedAt = task.Failed, "token", task.Time{}, at(50)
		t.ErrorType, t.ErrorMessage = "Interrupted", interrupted
		return t
	}

	for _, row := range []struct {
		name   string
		before task.Task
		r      task.ClaimRequest
		want   task.ClaimOutcome
		after  task.Task
	}{
		{"an older run is skipped", redriven(), request(1, "execution", 0, 50), task.ClaimSkip, redriven()},
		{"a newer run is skipped", pending(), request(2, "execution", 0, 50), task.ClaimSkip, pending()},
		{"PROCESSED is skipped", processed(), request(1, "execution", 1, 50), task.ClaimSkip, processed()},
		{"DLQ is skipped", dead(), request(1, "execution", 1, 50), task.ClaimSkip, dead()},
		{
			"PENDING runs", pending(), request(1, "execution", 0, 50), task.ClaimRun,
			reclaimed(pending(), 1, request(1, "execution", 0, 50)),
		},
		{
			"PENDING runs after throttled invocations that were retried", pending(), request(1, "execution", 7, 50), task.ClaimRun,
			reclaimed(pending(), 1, request(1, "execution", 7, 50)),
		},
		{
			"a redriven task counts its attempts from 1", redriven(), request(2, "second", 0, 50), task.ClaimRun,
			reclaimed(redriven(), 1, request(2, "second", 0, 50)),
		},
		{
			"FAILED runs with a higher retry count", failed(0), request(1, "execution", 1, 50), task.ClaimRun,
			reclaimed(failed(0), 2, request(1, "execution", 1, 50)),
		},
		{
			"FAILED runs for another execution", failed(3), request(1, "other", 0, 50), task.ClaimRun,
			reclaimed(failed(3), 2, request(1, "other", 0, 50)),
		},
		{"FAILED is recorded for the same retry count", failed(1), request(1, "execution", 1, 50), task.ClaimRecorded, failed(1)},
		{"FAILED is recorded for a lower retry count", failed(1), request(1, "execution", 0, 50), task.ClaimRecorded, failed(1)},
		{"PROCESSING runs for its own token", processing(0), again, task.ClaimRun, processing(0)},
		{
			"PROCESSING runs again, not counted, for the same retry count", processing(0), request(1, "execution", 0, 50), task.ClaimRun,
			reclaimed(died(processing(0), at(50), task.Interrupted, interrupted, false), 1, request(1, "execution", 0, 50)),
		},
		{
			"PROCESSING runs again, counted, for a higher retry count", processing(0), request(1, "execution", 2, 50), task.ClaimRun,
			reclaimed(died(processing(0), at(50), task.LambdaUnknown, unknown, true), 2, request(1, "execution", 2, 50)),
		},
		{"PROCESSING is skipped for a lower retry count", processing(2), request(1, "execution", 1, 500), task.ClaimSkip, processing(2)},
		{"PROCESSING is skipped for another execution while the lease holds", processing(0), request(1, "other", 5, 69), task.ClaimSkip, processing(0)},
		{
			"PROCESSING is taken over by another execution when the lease ends", processing(0), request(1, "other", 0, 70), task.ClaimRun,
			reclaimed(died(processing(0), at(70), task.LambdaUnknown, unknown, true), 2, request(1, "other", 0, 70)),
		},
		{"FAILED for good is recorded whatever is asked for", permanently(failed(0)), told(1, 22), task.ClaimRecorded, permanently(failed(0))},
		{"FAILED for good is recorded for another execution", permanently(failed(0)), request(1, "other", 0, 50), task.ClaimRecorded, permanently(failed(0))},
		{"FAILED runs when the workflow has waited", failed(0), told(1, 22), task.ClaimRun, reclaimed(failed(0), 2, told(1, 22))},
		{"FAILED is recorded when the workflow has not waited", failed(0), told(1, 21), task.ClaimRecorded, failed(0)},
		{"FAILED runs when the clock was set back", failed(0), told(1, -1000), task.ClaimRun, reclaimed(failed(0), 2, told(1, -1000))},
		{"FAILED is recorded for a claim that comes late", failed(0), told(1, -800), task.ClaimRecorded, failed(0)},
		{"FAILED is recorded when the workflow has not waited longer after the second attempt", numbered(failed(0), 2), told(2, 23), task.ClaimRecorded, numbered(failed(0), 2)},
		{"FAILED is recorded when the workflow retries no more", numbered(failed(0), 3), told(9, 50), task.ClaimRecorded, numbered(failed(0), 3)},
		{
			"PROCESSING runs again, counted, when the workflow has waited", processing(0), told(1, 12), task.ClaimRun,
			reclaimed(died(processing(0), at(12), task.LambdaUnknown, unknown, true), 2, told(1, 12)),
		},
		{
			"PROCESSING runs again, not counted, when the workflow has not waited", processing(0), told(1, 11), task.ClaimRun,
			reclaimed(died(processing(0), at(11), task.LambdaUnknown, unknown, false), 1, told(1, 11)),
		},
		{
			"PROCESSING runs again, not counted, when the workflow would retry no more", numbered(processing(0), 3), told(9, 50), task.ClaimRun,
			reclaimed(died(numbered(processing(0), 3), at(50), task.LambdaUnknown, unknown, false), 3, told(9, 50)),
		},
		{"the third interruption counts", twice(), request(1, "execution", 0, 50), task.ClaimExhausted, exhausted()},
		{"the third interruption counts, and is retried in time", twice(), told(0, 50), task.ClaimExhausted, retriedAt(exhausted(), 52)},
		{"what the third interruption left is recorded", exhausted(), request(1, "execution", 0, 60), task.ClaimRecorded, exhausted()},
		{
			"what the third interruption left is retried", exhausted(), request(1, "execution", 1, 60), task.ClaimRun,
			reclaimed(exhausted(), 2, request(1, "execution", 1, 60)),
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := row.before
			if outcome := got.Claim(row.r); outcome != row.want {
				t.Errorf("got outcome %d, want %d", outcome, row.want)
			}
			wantTask(t, row.after, got)
		})
	}
}

func TestRetryPolicyWaits(t *testing.T) {
	t.Parallel()
	p := task.RetryPolicy{MaxAttempts: 20, IntervalSeconds: 2, BackoffRate: 2, MaxDelaySeconds: 900}
	for n, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 3: 8 * time.Second, 9: 512 * time.Second, 10: 15 * time.Minute, 2000: 15 * time.Minute} {
		if got := p.Wait(n); got != want {
			t.Errorf("after attempt %d: got %v, want %v", n, got, want)
		}
	}
}

func TestClaimKeepsTheLastAttempts(t *testing.T) {
	t.Parallel()
	got := pending()
	for n := range 40 {
		r := task.ClaimRequest{Message: got.Message(), ExecutionID: "execution", RetryCount: n, Token: "token", Now: at(n), Lease: lease}
		if got.Claim(r) != task.ClaimRun {
			t.Fatalf("attempt %d does not run", n)
		}
		if _, err := got.Finish(task.FinishRequest{ID: id, Token: "token", Now: at(n), Err: &task.Failure{Type: "T", Message: "m"}}); err != nil {
			t.Fatal(err)
		}
	}
	first, last := got.Attempts[0].Number, got.Attempts[len(got.Attempts)-1].Number
	if len(got.Attempts) != task.MaxAttempts || first != 11 || last != 40 || got.Retries != 39 {
		t.Errorf("got %d attempts, %d to %d, %d retries, want 30, 11 to 40, 39", len(got.Attempts), first, last, got.Retries)
	}
}

func TestTransitionsLeaveCopiesAlone(t *testing.T) {
	t.Parallel()
	held := processing(0)
	moving := held
	moving.Claim(task.ClaimRequest{Message: held.Message(), ExecutionID: "execution", RetryCount: 1, Token: "token", Now: at(50), Lease: lease})
	moving.MarkDead(task.MarkRequest{DeadLetter: task.DeadLetter{Message: held.Message(), Error: "E"}, Now: at(60)})
	wantTask(t, processing(0), held)
}

func TestFinish(t *testing.T) {
	t.Parallel()
	failure := &task.Failure{Type: "WorkerError", Message: "no luck"}
	for _, row := range []struct {
		name    string
		before  task.Task
		token   string
		failure *task.Failure
		changed bool
		err     task.Kind
		after   task.Task
	}{
		{"a success is recorded", processing(0), "first", nil, true, "", processed()},
		{"a failure is recorded", processing(1), "first", failure, true, "", failed(1)},
		{"a success that is sent again changes nothing", processed(), "first", nil, false, "", processed()},
		{"a failure that is sent again changes nothing", failed(0), "first", failure, false, "", failed(0)},
		{"a failure after the success changes nothing", processed(), "first", failure, false, "", processed()},
		{"another attempt's outcome is fenced", processing(0), "token", nil, false, task.Fenced, processing(0)},
		{"an outcome for a PENDING task is fenced", pending(), "first", nil, false, task.Fenced, pending()},
		{"an empty token is fenced", pending(), "", nil, false, task.Fenced, pending()},
		{"an outcome for a task in the DLQ is fenced", dead(), "first", nil, false, task.Fenced, dead()},
		{"an outcome for an older run is fenced", redriven(), "first", nil, false, task.Fenced, redriven()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := row.before
			changed, err := got.Finish(task.FinishRequest{ID: id, Token: row.token, Now: at(20), Err: row.failure, Retention: retention})
			if changed != row.changed || task.KindOf(err) != row.err {
				t.Errorf("got %t, %v, want %t, kind %q", changed, err, row.changed, row.err)
			}
			wantTask(t, row.after, got)
		})
	}
}

func TestFinishCutsErrors(t *testing.T) {
	t.Parallel()
	for _, failure := range []task.Failure{
		{Type: strings.Repeat("é", 300), Message: "x" + strings.Repeat("é", 3000)},
		{Type: strings.Repeat("\x80", 300), Message: strings.Repeat("\x80", 3000)},
		{Type: "a\xffb", Message: "a\xffb"},
	} {
		got := processing(0)
		if _, err := got.Finish(task.FinishRequest{ID: id, Token: "first", Now: at(20), Err: &failure}); err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"type": got.ErrorType, "message": got.ErrorMessage} {
			limit := map[string]int{"type": 256, "message": task.MaxErrorBytes}[what]
			if text == "" || len(text) > limit || strings.ToValidUTF8(text, "") != text {
				t.Errorf("error %s: got %d bytes %.20q, want 1 to %d of UTF-8", what, len(text), text, limit)
			}
		}
	}
}

func TestDeadLetter(t *testing.T) {
	t.Parallel()
	letter := func(run int) task.DeadLetter {
		return task.DeadLetter{
			Message: task.Message{TaskID: id, Run: run}, Error: "WorkerError",
			Cause: `{"errorType":"WorkerError","errorMessage":"no luck at all"}`, ExecutionID: "execution",
		}
	}
	raw := func(run int) task.DeadLetter { return task.DeadLetter{Message: task.Message{TaskID: id, Run: run}} }
	marked := func(t task.Task, errorType, errorMessage string) task.Task {
		t.Status, t.Owner, t.LeaseUntil, t.UpdatedAt = task.DLQ, "", task.Time{}, at(30)
		t.ErrorType, t.ErrorMessage, t.ExpiresAt = errorType, errorMessage, at(30).Plus(retention)
		return t
	}
	hung := func() task.Task {
		t := failed(0)
		t.ErrorType, t.ErrorMessage = string(task.WorkerTimeout), "the worker had not returned"
		return t
	}
	death := func(kind task.Kind) task.DeadLetter {
		return task.DeadLetter{Message: task.Message{TaskID: id, Run: 1}, Error: string(kind), Cause: "exited"}
	}
	const notStarted = "the task's execution could not be started; its message was moved to the dead letter queue"
	for _, row := range []struct {
		name   string
		before task.Task
		d      task.DeadLetter
		want   task.MarkOutcome
		after  task.Task
	}{
		{"PENDING is marked", pending(), letter(1), task.Marked, marked(pending(), "WorkerError", "no luck at all")},
		{"FAILED is marked", failed(0), letter(1), task.Marked, dead()},
		{
			"PROCESSING is marked and its attempt closed", processing(0), letter(1), task.Marked,
			marked(died(processing(0), at(30), "WorkerError", "no luck at all", true), "WorkerError", "no luck at all"),
		},
		{"FAILED with its worker's time up says so, although the function died then", hung(), death(task.SandboxTimedout), task.Marked, marked(hung(), "Timeout", "the worker had not returned")},
		{"FAILED with a retry to come says that the function died", retriedAt(hung(), 32), death(task.LambdaUnknown), task.Marked, marked(hung(), "Lambda.Unknown", "exited")},
		{"FAILED for another reason says that the function died", failed(0), death(task.LambdaUnknown), task.Marked, marked(failed(0), "Lambda.Unknown", "exited")},
		{"DLQ is a duplicate", dead(), letter(1), task.Duplicate, dead()},
		{"DLQ is a duplicate for a raw message", dead(), raw(1), task.Duplicate, dead()},
		{"PROCESSED is stale", processed(), letter(1), task.Stale, processed()},
		{"an older run is stale", redriven(), letter(1), task.Stale, redriven()},
		{"a newer run is stale", pending(), letter(2), task.Stale, pending()},
		{"PENDING is marked by a raw message", pending(), raw(1), task.Marked, marked(pending(), "NotStarted", notStarted)},
		{"PROCESSING is stale for a raw message", processing(0), raw(1), task.Stale, processing(0)},
		{"FAILED is stale for a raw message", failed(0), raw(1), task.Stale, failed(0)},
		{"PROCESSED is stale for a raw message", processed(), raw(1), task.Stale, processed()},
		{"an older run is stale for a raw message", redriven(), raw(1), task.Stale, redriven()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := row.before
			if outcome := got.MarkDead(task.MarkRequest{DeadLetter: row.d, Now: at(30), Retention: retention}); outcome != row.want {
				t.Errorf("got outcome %q, want %q", outcome, row.want)
			}
			wantTask(t, row.after, got)
		})
	}
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	again := dead()
	again.Run = 2
	for _, row := range []struct {
		name   string
		before task.Task
		run    int
		err    task.Kind
		after  task.Task
	}{
		{"DLQ gets a new run", dead(), 1, "", redriven()},
		{"DLQ gets a new run, whichever it died in", dead(), 0, "", redriven()},
		{"a newer run is a conflict", dead(), 2, task.Conflict, dead()},
		{"an older run is a conflict", again, 1, task.Conflict, again},
		{"PENDING is a conflict", pending(), 0, task.Conflict, pending()},
		{"PENDING is a conflict in its run", pending(), 1, task.Conflict, pending()},
		{"PROCESSING is a conflict", processing(0), 0, task.Conflict, processing(0)},
		{"FAILED is a conflict", failed(0), 0, task.Conflict, failed(0)},
		{"PROCESSED is a conflict", processed(), 0, task.Conflict, processed()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := row.before
			if err := got.Redrive(row.run, at(40)); task.KindOf(err) != row.err {
				t.Errorf("got %v, want kind %q", err, row.err)
			}
			wantTask(t, row.after, got)
		})
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	deferred := pending()
	deferred.Defer(1, at(20))
	restarted := pending()
	restarted.Run, restarted.UpdatedAt, restarted.NextCheckAt = 2, at(40), at(40).Plus(task.FirstCheckAfter)
	for _, row := range []struct {
		name   string
		before task.Task
		run    int
		err    task.Kind
		after  task.Task
	}{
		{"PENDING gets a new run and is checked early again", deferred, 1, "", restarted},
		{"an older run is a conflict", redriven(), 1, task.Conflict, redriven()},
		{"a newer run is a conflict", pending(), 2, task.Conflict, pending()},
		{"PROCESSING is a conflict", processing(0), 1, task.Conflict, processing(0)},
		{"FAILED is a conflict", failed(0), 1, task.Conflict, failed(0)},
		{"PROCESSED is a conflict", processed(), 1, task.Conflict, processed()},
		{"DLQ is a conflict", dead(), 1, task.Conflict, dead()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := row.before
			if err := got.Restart(row.run, at(40)); task.KindOf(err) != row.err {
				t.Errorf("got %v, want kind %q", err, row.err)
			}
			wantTask(t, row.after, got)
		})
	}
}

func TestDefer(t *testing.T) {
	t.Parallel()
	t.Run("checks half as often each time, and every 12 hours in the end", func(t *testing.T) {
		t.Parallel()
		got := pending()
		for n, minutes := range []int{40, 80, 160, 320, 640, 720, 720, 720, 720, 720, 720, 720} {
			if !got.Defer(1, at(n)) || got.NextCheckAt != at(n).Plus(time.Duration(minutes)*time.Minute) {
				t.Errorf("check %d: got %s, want %d minutes after %s", n, got.NextCheckAt, minutes, at(n))
			}
		}
	})
	for name, before := range map[string]task.Task{
		"PROCESSED is left alone":    processed(),
		"DLQ is left alone":          dead(),
		"another run is left alone":  redriven(),
		"PROCESSING is deferred too": processing(0),
		"FAILED is deferred too":     failed(0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, want := before, before
			changed := strings.HasSuffix(name, "deferred too")
			if changed {
				want.Checks, want.NextCheckAt = 1, at(50).Plus(2*task.FirstCheckAfter)
			}
			if got.Defer(1, at(50)) != changed {
				t.Errorf("got %t, want %t", !changed, changed)
			}
			wantTask(t, want, got)
		})
	}
}

func wantTask(t *testing.T, want, got task.Task) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record differs (-want +got):\n%s", diff)
	}
}
