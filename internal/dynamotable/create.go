package dynamotable

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"tasks/internal/task"
)

const (
	// answerLife is the time to live of a large answer when it is written: so
	// much longer than most records are kept that it is written only once, unless they
	// are kept for more than 80 days. See Table.keepAnswer.
	answerLife = 100 * 24 * time.Hour
	// answerSlack is how much longer than its record an answer lives at least;
	// than the next check of an open task, which has no end.
	answerSlack = 20 * 24 * time.Hour
)

// createAtOnce is how many tasks of a batch are written at the same time.
const createAtOnce = 20

// Create implements task.Store. No message is queued with a task: a table has no
// queue. Each task is a conditional write of its own: BatchWriteItem has no
// conditions, and sent again it could reset a record.
func (t *Table) Create(ctx context.Context, submissions ...task.Submission) []task.Created {
	created := make([]task.Created, len(submissions))
	var all sync.WaitGroup
	places := make(chan struct{}, createAtOnce)
	for i, s := range submissions {
		places <- struct{}{}
		all.Go(func() {
			created[i] = t.create(ctx, s)
			<-places
		})
	}
	all.Wait()
	return created
}

func (t *Table) create(ctx context.Context, s task.Submission) (created task.Created) {
	if s.Key != nil {
		created.ID, created.Err = t.createOnce(ctx, s.Task, *s.Key)
		return created
	}
	r, err := t.writeRest(ctx, s.Task)
	if err == nil {
		err = t.put(ctx, s.ID, r.Rev, r)
	}
	if err != nil {
		return task.Created{Err: err}
	}
	return task.Created{ID: s.ID}
}

// writeRest returns the record of a new task, and writes the rest of its answer if
// that is large: one whose record is never written expires.
func (t *Table) writeRest(ctx context.Context, created task.Task) (record, error) {
	r := newRecord(created)
	r.Rev = rand.Text()
	if len(created.Answer) <= maxInlineAnswer {
		r.Answer = created.Answer
		return r, nil
	}
	r.AnswerHead = task.Cut(created.Answer, headOfLarge)
	rest := created.Answer[len(r.AnswerHead):]
	r.AnswerBytes = len(created.Answer)
	r.AnswerExpiresAt = seconds(created.CreatedAt.Plus(answerLife))
	// Its rev is its own, not random: it must not be in the way of the same request
	// sent again.
	sum := sha256.Sum256([]byte(rest))
	answerRev := hex.EncodeToString(sum[:])
	return r, t.put(ctx, created.ID, answerRev, largeAnswer{
		Key: answerKey(created.ID), Rev: answerRev, Rest: rest, ExpiresAt: r.AnswerExpiresAt,
	})
}

// put writes an item that is not there, or is there because this very put was
// sent before.
func (t *Table) put(ctx context.Context, id task.ID, rev string, v any) error {
	it, err := attributevalue.MarshalMap(v)
	if err != nil {
		return err
	}
	condition, err := expression.NewBuilder().WithCondition(expression.Or(
		expression.AttributeNotExists(expression.Name("pk")),
		expression.Name("rev").Equal(expression.Value(rev)),
	)).Build()
	if err != nil {
		return err
	}
	_, err = t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: it,
		ConditionExpression:       condition.Condition(),
		ExpressionAttributeNames:  condition.Names(),
		ExpressionAttributeValues: condition.Values(),
	})
	if _, taken := conditionFailed(err); taken {
		return task.Errorf(task.Conflict, "task %s exists already", id)
	}
	if err != nil {
		return unavailable("create", id, err)
	}
	return nil
}

// keepAnswer sees to it that a large answer outlives its record, and changes r
// accordingly. It writes only for tasks that live, or are kept, unusually long.
func (t *Table) keepAnswer(ctx context.Context, r *record) error {
	needed := r.answerNeededUntil()
	if r.AnswerBytes == 0 || r.AnswerExpiresAt >= needed {
		return nil
	}
	r.AnswerExpiresAt = needed + int64(answerLife/time.Second)
	change, err := expression.NewBuilder().
		WithUpdate(expression.Set(expression.Name("expiresAt"), expression.Value(r.AnswerExpiresAt))).
		WithCondition(expression.AttributeExists(expression.Name("pk"))).
		Build()
	if err != nil {
		return err
	}
	_, err = t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.name, Key: key(answerKey(r.ID)),
		UpdateExpression:          change.Update(),
		ConditionExpression:       change.Condition(),
		ExpressionAttributeNames:  change.Names(),
		ExpressionAttributeValues: change.Values(),
	})
	if _, gone := conditionFailed(err); err != nil && !gone {
		return unavailable("keep the answer of", r.ID, err)
	}
	return nil
}

// answerNeededUntil is when a large answer may expire at the earliest.
func (r record) answerNeededUntil() int64 {
	until := r.ExpiresAt
	if until == 0 {
		until = r.NextCheckAt / 1000
	}
	return until + int64(answerSlack/time.Second)
}
