package tasktest

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"tasks/internal/task"
)

const (
	lease     = time.Minute
	retention = 24 * time.Hour
)

// subject drives one task of a store and, beside it, the same record by the
// pure transitions of package task. After each step both must be equal.
type subject struct {
	t     *testing.T
	store task.Store
	want  task.Task
	now   task.Time
}

// submit creates a task that was accepted so long ago.
func submit(t *testing.T, store task.Store, answer string, ago time.Duration) *subject {
	t.Helper()
	return submitTask(t, store, ago, func(s *task.Submission) { s.Answer = answer })
}

// submitTask is submit with whatever set sets.
func submitTask(t *testing.T, store task.Store, ago time.Duration, set func(*task.Submission)) *subject {
	t.Helper()
	at := time.Now().Add(-ago)
	submitted := task.Submission{Task: task.New(newIDAt(t, at), "an answer", at)}
	set(&submitted)
	s := &subject{t: t, store: store, now: task.At(at), want: submitted.Task}
	if created := store.Create(t.Context(), submitted)[0]; created.Err != nil || created.ID != submitted.ID {
		t.Fatalf("Create: got %+v", created)
	}
	s.check()
	return s
}

// newIDAt returns an id that was made at a time: version 7 of RFC 9562 begins
// with it, in milliseconds.
func newIDAt(t *testing.T, at time.Time) task.ID {
	t.Helper()
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(u[:6], ms[2:])
	return task.ID(u.String())
}

// pass lets time go by.
func (s *subject) pass(d time.Duration) { s.now = s.now.Plus(d) }

// check compares the record in the store.
func (s *subject) check() {
	s.t.Helper()
	got, err := s.store.Get(s.t.Context(), s.want.ID)
	if err != nil {
		s.t.Fatalf("Get: %v", err)
	}
	s.equal("Get", s.want, got)
}

func (s *subject) equal(what string, want, got task.Task) {
	s.t.Helper()
	if diff := diffTasks(want, got); diff != "" {
		s.t.Fatalf("%s: the record differs (-want +got):\n%s", what, diff)
	}
}

// claim claims as an invocation of an execution would, in the task's run.
func (s *subject) claim(want task.ClaimOutcome, execution string, retryCount int, token string) {
	s.t.Helper()
	s.claimRun(want, s.want.Run, execution, retryCount, token)
}

func (s *subject) claimRun(want task.ClaimOutcome, run int, execution string, retryCount int, token string) {
	s.t.Helper()
	s.pass(time.Second)
	r := task.ClaimRequest{
		Message:     task.Message{TaskID: s.want.ID, Run: run},
		ExecutionID: execution, RetryCount: retryCount, Token: token, Now: s.now, Lease: lease,
	}
	if got := s.want.Claim(r); got != want {
		s.t.Fatalf("Task.Claim: got outcome %d, want %d", got, want)
	}
	outcome, got, err := s.store.Claim(s.t.Context(), r)
	if err != nil || outcome != want {
		s.t.Fatalf("Claim: got outcome %d, %v, want %d", outcome, err, want)
	}
	switch want {
	case task.ClaimRun:
		s.equal("Claim", s.want, got)
	case task.ClaimRecorded, task.ClaimExhausted:
		if got.ErrorType != s.want.ErrorType || got.ErrorMessage != s.want.ErrorMessage {
			s.t.Fatalf("Claim: got error %q, %q, want %q, %q", got.ErrorType, got.ErrorMessage, s.want.ErrorType, s.want.ErrorMessage)
		}
	}
	s.check()
}

// finish records an outcome; a nil failure is a success.
func (s *subject) finish(wantErr task.Kind, token string, failure *task.Failure) {
	s.t.Helper()
	s.pass(time.Second)
	r := task.FinishRequest{ID: s.want.ID, Token: token, Now: s.now, Err: failure, Retry: Retries, Retention: retention}
	if _, err := s.want.Finish(r); task.KindOf(err) != wantErr {
		s.t.Fatalf("Task.Finish: got %v, want kind %q", err, wantErr)
	}
	s.wantKind("Finish", s.store.Finish(s.t.Context(), r), wantErr)
	s.check()
}

func (s *subject) succeed(token string) { s.t.Helper(); s.finish("", token, nil) }

func (s *subject) fail(token string) {
	s.t.Helper()
	s.finish("", token, &task.Failure{Type: string(task.WorkerError), Message: "no luck with " + token})
}

// attempt claims and fails.
func (s *subject) attempt(execution string, retryCount int) {
	s.t.Helper()
	token := fmt.Sprintf("%s/%d/%d", execution, s.want.Run, retryCount)
	s.claim(task.ClaimRun, execution, retryCount, token)
	s.fail(token)
}

// deadLetter marks with a dead letter of the state machine.
func (s *subject) deadLetter(want task.MarkOutcome, run int) {
	s.t.Helper()
	s.mark(want, task.DeadLetter{
		Message: task.Message{TaskID: s.want.ID, Run: run},
		Error:   string(task.WorkerError), Cause: `{"errorMessage":"no luck at all","errorType":"WorkerError"}`, ExecutionID: "execution",
	})
}

// deadLetterRaw marks with a message that the redrive policy moved.
func (s *subject) deadLetterRaw(want task.MarkOutcome, run int) {
	s.t.Helper()
	s.mark(want, task.DeadLetter{Message: task.Message{TaskID: s.want.ID, Run: run}})
}

func (s *subject) mark(want task.MarkOutcome, d task.DeadLetter) {
	s.t.Helper()
	s.pass(time.Second)
	r := task.MarkRequest{DeadLetter: d, Now: s.now, Retention: retention}
	if got := s.want.MarkDead(r); got != want {
		s.t.Fatalf("Task.MarkDead: got %q, want %q", got, want)
	}
	outcome, got, err := s.store.MarkDead(s.t.Context(), r)
	if err != nil || outcome != want {
		s.t.Fatalf("MarkDead: got %q, %v, want %q", outcome, err, want)
	}
	s.equal("MarkDead", withoutAnswer(s.want), got)
	s.check()
}

// redrive redrives whichever run the task died in.
func (s *subject) redrive(wantErr task.Kind) { s.t.Helper(); s.redriveRun(wantErr, 0) }

func (s *subject) redriveRun(wantErr task.Kind, run int) {
	s.t.Helper()
	s.pass(time.Second)
	if err := s.want.Redrive(run, s.now); task.KindOf(err) != wantErr {
		s.t.Fatalf("Task.Redrive: got %v, want kind %q", err, wantErr)
	}
	got, _, err := s.store.Redrive(s.t.Context(), task.Message{TaskID: s.want.ID, Run: run}, s.now)
	s.newRun("Redrive", got, err, wantErr)
}

func (s *subject) restart(wantErr task.Kind, run int) {
	s.t.Helper()
	s.pass(time.Second)
	if err := s.want.Restart(run, s.now); task.KindOf(err) != wantErr {
		s.t.Fatalf("Task.Restart: got %v, want kind %q", err, wantErr)
	}
	got, _, err := s.store.Restart(s.t.Context(), task.Message{TaskID: s.want.ID, Run: run}, s.now)
	s.newRun("Restart", got, err, wantErr)
}

func (s *subject) newRun(what string, got task.Task, err error, wantErr task.Kind) {
	s.t.Helper()
	s.wantKind(what, err, wantErr)
	if err == nil {
		s.equal(what, withoutAnswer(s.want), withoutAnswer(got))
	}
	s.check()
}

func (s *subject) deferCheck(run int) {
	s.t.Helper()
	s.pass(time.Second)
	s.want.Defer(run, s.now)
	s.wantKind("Defer", s.store.Defer(s.t.Context(), task.Message{TaskID: s.want.ID, Run: run}, s.now), "")
	s.check()
}

func (s *subject) wantKind(what string, err error, want task.Kind) {
	s.t.Helper()
	wantKind(s.t, what, err, want)
}

// wantKind fails the test unless err is of a kind; of none, if it is empty.
func wantKind(t *testing.T, what string, err error, want task.Kind) {
	t.Helper()
	if (err == nil) != (want == "") || task.KindOf(err) != want {
		t.Fatalf("%s: got error %v (kind %q), want kind %q", what, err, task.KindOf(err), want)
	}
}

func withoutAnswer(t task.Task) task.Task {
	t.Answer = ""
	return t
}

// diffTasks compares records. An expiry may be kept to the second, which is
// the resolution of DynamoDB's.
func diffTasks(want, got any) string {
	expiry := cmp.FilterPath(
		func(p cmp.Path) bool { return p.Last().String() == ".ExpiresAt" },
		cmp.Comparer(func(a, b task.Time) bool {
			return a.IsZero() == b.IsZero() && a.Sub(b.Time).Abs() < time.Second
		}))
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), expiry)
}

// eventually tries until there is no problem left, for a while: some
// implementations are eventually consistent.
func eventually(t *testing.T, problem func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		p := problem()
		if p == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("still after 10 s: %s", p)
		case <-again.C:
		}
	}
}
