package dynamotable_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"tasks/functions/count"
	"tasks/internal/awsconfig/awstest"
	"tasks/internal/dynamotable"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// subject is a task of a sweep. It was accepted an hour ago.
type subject struct {
	t     *testing.T
	table *dynamotable.Table // over a good way at first
	task.Task
	now task.Time
}

func (s *subject) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *subject) claimRequest(retryCount int, token string) task.ClaimRequest {
	return task.ClaimRequest{
		Message: s.Message(), ExecutionID: execution, RetryCount: retryCount, Token: token, Now: s.now, Lease: time.Minute,
	}
}

func (s *subject) finishRequest(token string, err *task.Failure) task.FinishRequest {
	return task.FinishRequest{ID: s.ID, Token: token, Now: s.now, Err: err, Retention: retention}
}

func (s *subject) deadLetter() task.MarkRequest {
	letter := task.DeadLetter{Message: s.Message(), Error: "WorkerError", Cause: "no luck", ExecutionID: execution}
	return task.MarkRequest{DeadLetter: letter, Now: s.now, Retention: retention}
}

func (s *subject) create() {
	s.t.Helper()
	err := tasktest.Create(s.t.Context(), s.table, s.Task)
	s.must(err)
}

func (s *subject) keyed() task.Submission {
	return task.Submission{Task: s.Task, Key: &task.IdempotencyKey{Name: string(s.ID)}}
}

func (s *subject) createOnce() {
	s.t.Helper()
	err := s.table.Create(s.t.Context(), s.keyed())[0].Err
	s.must(err)
}

func (s *subject) claimed(retryCount int, token string) {
	s.t.Helper()
	_, _, err := s.table.Claim(s.t.Context(), s.claimRequest(retryCount, token))
	s.must(err)
}

func (s *subject) failed(token string) {
	s.t.Helper()
	s.must(s.table.Finish(s.t.Context(), s.finishRequest(token, &task.Failure{Type: "WorkerError", Message: "no luck"})))
}

func (s *subject) dead() {
	s.t.Helper()
	_, _, err := s.table.MarkDead(s.t.Context(), s.deadLetter())
	s.must(err)
}

type results []any

func TestTableWhicheverRequestIsHit(t *testing.T) {
	t.Parallel()
	now := task.At(time.Now())
	large := strings.Repeat("x", dynamotable.MaxInlineAnswer+1)
	call := func(name, answer string, before func(*subject), do func(context.Context, *subject) (any, error)) awstest.Call {
		var direct *dynamotable.Table // one for all situations of the call
		var client *dynamodb.Client
		var table string
		return awstest.Call{Name: name, Prepare: func(t *testing.T, transport http.RoundTripper) awstest.Prepared {
			if direct == nil {
				direct, client, table = open(t, nil)
			}
			accepted := now.Add(-time.Hour)
			s := &subject{t, direct, task.New(idAt(t, accepted), answer, accepted), now}
			before(s)
			s.table = dynamotable.New(awstest.Config(t, endpointVariable, transport), table)
			return awstest.Prepared{
				ID: string(s.ID),
				Do: func(ctx context.Context) (any, error) { return do(ctx, s) },
				State: func() any {
					record, err := direct.Get(t.Context(), s.ID)
					if err != nil && !task.IsKind(err, task.NotFound) {
						t.Error(err)
					}
					// All of a message, or nothing that counts.
					quarantined := getItem(t, client, table, quarantineKey(s.ID, 2)) != nil
					return results{record, quarantined}
				},
			}
		}}
	}
	claim := func(retryCount int, token string) func(context.Context, *subject) (any, error) {
		return func(ctx context.Context, s *subject) (any, error) {
			outcome, claimed, err := s.table.Claim(ctx, s.claimRequest(retryCount, token))
			return results{outcome, claimed}, err
		}
	}
	finish := func(token string, failure *task.Failure) func(context.Context, *subject) (any, error) {
		return func(ctx context.Context, s *subject) (any, error) {
			return nil, s.table.Finish(ctx, s.finishRequest(token, failure))
		}
	}
	create := func(ctx context.Context, s *subject) (any, error) { return nil, tasktest.Create(ctx, s.table, s.Task) }
	createOnce := func(ctx context.Context, s *subject) (any, error) {
		created := s.table.Create(ctx, s.keyed())[0]
		return created.ID == s.ID, created.Err
	}
	createAgain := func(ctx context.Context, s *subject) (any, error) {
		again := s.keyed()
		again.ID = newID(s.t)
		created := s.table.Create(ctx, again)[0]
		return results{created.ID == s.ID, created.Queued}, created.Err
	}
	get := func(ctx context.Context, s *subject) (any, error) { return s.table.Get(ctx, s.ID) }
	mark := func(ctx context.Context, s *subject) (any, error) {
		outcome, marked, err := s.table.MarkDead(ctx, s.deadLetter())
		return results{outcome, marked}, err
	}
	redrive := func(ctx context.Context, s *subject) (any, error) {
		redriven, queued, err := s.table.Redrive(ctx, task.Message{TaskID: s.ID}, now)
		return results{redriven, queued}, err
	}
	restart := func(ctx context.Context, s *subject) (any, error) {
		restarted, queued, err := s.table.Restart(ctx, s.Message(), now)
		return results{restarted, queued}, err
	}
	own := func(s *subject, tasks []task.Task) []task.Task {
		return slices.DeleteFunc(tasks, func(t task.Task) bool { return t.ID != s.ID })
	}
	nothing := func(*subject) {}
	created := (*subject).create
	claimed := func(s *subject) { s.create(); s.claimed(0, "first") }
	failed := func(s *subject) { claimed(s); s.failed("first") }
	retried := func(s *subject) { failed(s); s.claimed(1, "second") }
	dead := func(s *subject) { failed(s); s.dead() }

	awstest.Sweep[task.Store](t, []awstest.Call{
		call("Create", "an answer", nothing, create),
		call("Create, a large answer", large, nothing, create),
		call("Create, with a key", "an answer", nothing, createOnce),
		call("Create, with a key and a large answer", large, nothing, createOnce),
		call("Create, with a key that is held", large, (*subject).createOnce, createAgain),
		call("Get", "an answer", retried, get),
		call("Get, a large answer", large, retried, get),
		call("List", large, created, func(ctx context.Context, s *subject) (any, error) {
			page, err := s.table.List(ctx, task.Query{Limit: task.MaxPageTasks})
			return own(s, page.Tasks), err
		}),
		call("Counts", "an answer", nothing, func(ctx context.Context, s *subject) (any, error) { return s.table.Counts(ctx) }),
		call("Claim", "an answer", created, claim(0, "first")),
		call("Claim, a large answer", large, created, claim(0, "first")),
		call("Claim, a large answer that is expected", large, created, func(ctx context.Context, s *subject) (any, error) {
			s.table.ExpectLarge()
			return claim(0, "first")(ctx, s)
		}),
		call("Claim, a second attempt", "an answer", failed, claim(1, "second")),
		call("Claim, after an attempt that died", large, claimed, claim(1, "second")),
		call("Claim, of a retry that has come too late", "an answer", retried, claim(0, "third")),
		call("Finish", "an answer", claimed, finish("first", nil)),
		call("Finish, a failure", "an answer", claimed, finish("first", &task.Failure{Type: "T", Message: "m"})),
		call("Finish, a second attempt", large, retried, finish("second", nil)),
		call("Finish, of an attempt that lost the task", "an answer", retried, finish("first", nil)),
		call("MarkDead", "an answer", failed, mark),
		call("MarkDead, of a task that is not there", "an answer", nothing, mark),
		call("Redrive", "an answer", dead, redrive),
		call("Redrive, of a task that is not dead", "an answer", failed, redrive),
		call("Restart", "an answer", created, restart),
		call("Restart, of a task that was claimed", "an answer", claimed, restart),
		call("Due", "an answer", created, func(ctx context.Context, s *subject) (any, error) {
			due, err := s.table.Due(ctx, now, 1000)
			return own(s, due), err
		}),
		call("Defer", "an answer", created, func(ctx context.Context, s *subject) (any, error) {
			return nil, s.table.Defer(ctx, s.Message(), now)
		}),
		call("Quarantine", "an answer", nothing, func(ctx context.Context, s *subject) (any, error) {
			return nil, s.table.Quarantine(ctx, task.Quarantined{
				MessageID: string(s.ID), Body: strings.Repeat("x", 400<<10), ReceivedAt: now, ExpiresAt: now.Plus(retention),
			})
		}),
	})
}

// TestCounterWhicheverRequestIsHit adds to the counts with every fault of the
// request.
func TestCounterWhicheverRequestIsHit(t *testing.T) {
	var direct *dynamotable.Table
	var table string
	counts := func(t *testing.T) task.Counts {
		c, err := direct.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	awstest.Sweep[count.Counter](t, []awstest.Call{{Name: "AddCounts", Prepare: func(t *testing.T, transport http.RoundTripper) awstest.Prepared {
		if direct == nil {
			direct, _, table = open(t, nil)
		}
		before, token := counts(t), newID(t)
		return awstest.Prepared{
			ID: string(token),
			Do: func(ctx context.Context) (any, error) {
				faulty := dynamotable.New(awstest.Config(t, endpointVariable, transport), table)
				return nil, faulty.AddCounts(ctx, string(token), map[task.Status]int{task.Pending: -2, task.Processed: 2}, task.AtMilli(1))
			},
			State: func() any {
				now := counts(t)
				return results{now.Tasks[task.Pending] - before.Tasks[task.Pending], now.Tasks[task.Processed] - before.Tasks[task.Processed]}
			},
		}
	}}})
}
