package dynamotable

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"tasks/internal/task"
)

const (
	// answerLife is the time to live of a large answer when it is written: so
	// much longer than most records are kept that it is written only once. See
	// Table.keepAnswer.
	answerLife = 100 * 24 * time.Hour
	// answerSlack is how much longer than its record an answer lives at least;
	// than the next check of an open task, which has no end.
	answerSlack = 20 * 24 * time.Hour
)

// Create implements task.Store. The message is never queued: a table has no
// queue.
func (t *Table) Create(ctx context.Context, created task.Task) (queued bool, err error) {
	r, err := t.answered(ctx, created)
	if err != nil {
		return false, err
	}
	return false, t.put(ctx, created.ID, r.Rev, r)
}

// answered returns the record of a new task, and writes its answer if that is
// large: one whose record is never written expires.
func (t *Table) answered(ctx context.Context, created task.Task) (record, error) {
	r := newRecord(created)
	r.Rev = rand.Text()
	if len(created.Answer) <= maxInlineAnswer {
		r.Answer = created.Answer
		return r, nil
	}
	r.AnswerBytes = len(created.Answer)
	r.AnswerExpiresAt = seconds(created.CreatedAt.Plus(answerLife))
	// Its rev is its own, not random: it must not be in the way of the same request
	// sent again.
	sum := sha256.Sum256([]byte(created.Answer))
	answerRev := hex.EncodeToString(sum[:])
	return r, t.put(ctx, created.ID, answerRev, largeAnswer{
		Key: answerKey(created.ID), Rev: answerRev, Answer: created.Answer, ExpiresAt: r.AnswerExpiresAt,
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
// accordingly. It writes only for tasks that live unusually long.
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
