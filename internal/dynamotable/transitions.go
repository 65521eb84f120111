package dynamotable

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"tasks/internal/task"
)

// Claim implements task.Store. A large answer is read before the claim is made: one
// that can't be read opens no attempt. (One that is found, but is not the record's, may.)
func (t *Table) Claim(ctx context.Context, r task.ClaimRequest) (outcome task.ClaimOutcome, claimed task.Task, err error) {
	var usual *guess
	rest := ""
	if r.RetryCount == 0 { // a guess that does not hold costs a write, and for a retry it mostly would not
		if t.lastWasLarge.Load() { // they come in rows
			if rest, err = t.rest(ctx, r.TaskID, false); err != nil {
				return 0, task.Task{}, err
			}
		}
		usual = guessClaim(r, rest != "")
	}
	outcome = task.ClaimRun
	after, err := t.update(ctx, r.TaskID, usual, func(before record, current *task.Task) (err error) {
		outcome = current.Claim(r)
		if outcome == task.ClaimRun && !before.isRest(rest) {
			rest, err = t.readRest(ctx, before)
		}
		return err
	})
	if err != nil {
		return 0, task.Task{}, err
	}
	t.lastWasLarge.Store(after.AnswerBytes > 0)
	if outcome == task.ClaimRun && !after.isRest(rest) {
		return 0, task.Task{}, noAnswer(r.TaskID)
	}
	return outcome, after.withRest(rest), nil
}

// guessClaim guesses that the task is PENDING, was never claimed, and has a large
// answer or has none.
func guessClaim(r task.ClaimRequest, large bool) *guess {
	claimed := task.Task{ID: r.TaskID, Run: r.Run, Status: task.Pending}
	claimed.Claim(r)
	after := newRecord(claimed)
	answerBytes := expression.Name("answerBytes")
	size := expression.AttributeNotExists(answerBytes)
	if large {
		size = expression.AttributeExists(answerBytes)
	}
	return &guess{
		condition: expression.And(
			expression.Name("status").Equal(expression.Value(task.Pending)),
			expression.Name("run").Equal(expression.Value(r.Run)),
			expression.AttributeNotExists(expression.Name("attempts")),
			size,
		),
		change: expression.
			Set(expression.Name("status"), expression.Value(after.Status)).
			Set(expression.Name("executionId"), expression.Value(after.ExecutionID)).
			Set(expression.Name("owner"), expression.Value(after.Owner)).
			Set(expression.Name("leaseUntil"), expression.Value(after.LeaseUntil)).
			Set(expression.Name("updatedAt"), expression.Value(after.UpdatedAt)).
			Set(expression.Name("attempts"), expression.Value(after.Attempts)).
			Remove(expression.Name("nextAttemptAt")),
	}
}

// Finish implements task.Store.
func (t *Table) Finish(ctx context.Context, r task.FinishRequest) error {
	_, err := t.update(ctx, r.ID, guessFinish(r), func(_ record, current *task.Task) error {
		_, err := current.Finish(r)
		return err
	})
	return err
}

// guessFinish guesses that the task's last attempt runs and is the caller's, and
// that all of them were made in one run. It leaves a large answer that doesn't live
// long enough to the next try.
func guessFinish(r task.FinishRequest) *guess {
	attempts := max(r.Attempts, 1)
	finished := task.Task{ID: r.ID, Status: task.Processing, Owner: r.Token, Attempts: make([]task.Attempt, attempts)}
	finished.Attempts[attempts-1].Number = attempts
	if _, err := finished.Finish(r); err != nil {
		return nil
	}
	after := newRecord(finished)
	last := fmt.Sprintf("attempts[%d]", attempts-1)
	change := expression.
		Set(expression.Name("class"), expression.Value(after.Class)).
		Set(expression.Name("status"), expression.Value(after.Status)).
		Set(expression.Name("updatedAt"), expression.Value(after.UpdatedAt)).
		Set(expression.Name(last+".finishedAt"), expression.Value(after.Attempts[attempts-1].FinishedAt)).
		Remove(expression.Name("leaseUntil"))
	condition := expression.And(
		expression.Name("owner").Equal(expression.Value(r.Token)),
		expression.Name("status").Equal(expression.Value(task.Processing)),
		expression.Name("attempts").Size().Equal(expression.Value(attempts)),
		expression.Name(last+".number").Equal(expression.Value(attempts)),
	)
	if r.Err != nil {
		change = change.
			Set(expression.Name("errorType"), expression.Value(after.ErrorType)).
			Set(expression.Name("errorMessage"), expression.Value(after.ErrorMessage)).
			Set(expression.Name(last+".errorType"), expression.Value(after.ErrorType)).
			Set(expression.Name(last+".errorMessage"), expression.Value(after.ErrorMessage))
		if after.NextAttemptAt > 0 {
			change = change.Set(expression.Name("nextAttemptAt"), expression.Value(after.NextAttemptAt))
		}
		return &guess{condition, change}
	}
	change = change.
		Set(expression.Name("expiresAt"), expression.Value(after.ExpiresAt)).
		Remove(expression.Name("errorType")).
		Remove(expression.Name("errorMessage"))
	condition = condition.And(expression.Or(
		expression.AttributeNotExists(expression.Name("answerExpiresAt")),
		expression.Name("answerExpiresAt").GreaterThanEqual(expression.Value(after.answerNeededUntil())),
	))
	return &guess{condition, change}
}

// MarkDead implements task.Store.
func (t *Table) MarkDead(ctx context.Context, r task.MarkRequest) (task.MarkOutcome, task.Task, error) {
	var outcome task.MarkOutcome
	after, err := t.update(ctx, r.TaskID, nil, func(_ record, current *task.Task) error {
		outcome = current.MarkDead(r)
		return nil
	})
	if task.IsKind(err, task.NotFound) {
		return task.Stale, task.Task{}, nil
	}
	if err != nil {
		return "", task.Task{}, err
	}
	return outcome, after.task(), nil
}

// Redrive implements task.Store.
func (t *Table) Redrive(ctx context.Context, m task.Message, now task.Time) (task.Task, bool, error) {
	return t.newRun(ctx, m.TaskID, func(current *task.Task) error { return current.Redrive(m.Run, now) })
}

// Restart implements task.Store.
func (t *Table) Restart(ctx context.Context, m task.Message, now task.Time) (task.Task, bool, error) {
	return t.newRun(ctx, m.TaskID, func(current *task.Task) error { return current.Restart(m.Run, now) })
}

func (t *Table) newRun(ctx context.Context, id task.ID, apply func(*task.Task) error) (after task.Task, queued bool, err error) {
	r, err := t.update(ctx, id, nil, func(_ record, current *task.Task) error { return apply(current) })
	if err != nil {
		return task.Task{}, false, err
	}
	return r.task(), false, nil
}

// Defer implements task.Store.
func (t *Table) Defer(ctx context.Context, m task.Message, now task.Time) error {
	_, err := t.update(ctx, m.TaskID, nil, func(_ record, current *task.Task) error {
		current.Defer(m.Run, now)
		return nil
	})
	return err
}
