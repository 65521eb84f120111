package dynamotable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tasks/internal/task"
)

// The codes of the reasons for which a transaction is cancelled.
const reasonConditionFailed, reasonConflict = "ConditionalCheckFailed", "TransactionConflict"

// maxConflictWait bounds the random wait after a transaction that met another one.
const maxConflictWait = 100 * time.Millisecond

// createOnce creates a task, unless another one holds its key. The key is read
// first: a request that is sent again then costs a read, and not a transaction that
// fails, which costs as much as one that doesn't.
func (t *Table) createOnce(ctx context.Context, created task.Task, key task.IdempotencyKey) (holder task.ID, err error) {
	var r record
	for range maxTries {
		holder, err := t.holder(ctx, key, created.CreatedAt)
		if holder != "" || err != nil {
			return holder, err
		}
		if r.ID == "" {
			if r, err = t.writeRest(ctx, created); err != nil {
				return "", err
			}
		}
		again, err := t.putWithKey(ctx, r, key, created.CreatedAt)
		if err != nil {
			return "", err
		}
		if !again {
			return created.ID, nil
		}
		select {
		case <-time.After(rand.N(maxConflictWait)):
		case <-ctx.Done():
			return "", unavailable("create", created.ID, ctx.Err())
		}
	}
	return "", task.Errorf(task.Unavailable, "create task %s: lost %d times against other requests with its idempotency key", created.ID, maxTries)
}

// holder returns the task that was created with a key, or "" if the key is free at
// that time. The error is of kind KeyReused if it was created for another request.
func (t *Table) holder(ctx context.Context, k task.IdempotencyKey, now task.Time) (task.ID, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key(idempotencyKey(k)), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return "", task.Errorf(task.Unavailable, "get an idempotency key: %w", err)
	}
	var held heldKey
	if err := attributevalue.UnmarshalMap(out.Item, &held); err != nil {
		return "", fmt.Errorf("read the item of an idempotency key: %w", err)
	}
	switch {
	case held.ExpiresAt <= now.Unix(): // or not there
		return "", nil
	case !bytes.Equal(held.Request, k.Request[:]):
		return "", task.Errorf(task.KeyReused, "the idempotency key of task %s was used for another request", held.TaskID)
	}
	return held.TaskID, nil
}

// putWithKey writes a record that is not there, and a key that is free, or neither.
// It tells whether to look at the key again: it may not be free, or another
// transaction was in the way.
func (t *Table) putWithKey(ctx context.Context, r record, k task.IdempotencyKey, now task.Time) (again bool, err error) {
	free := expression.Or(expression.AttributeNotExists(expression.Name("pk")), expression.Name("expiresAt").LessThanEqual(expression.Value(now.Unix())))
	keyPut, errKey := t.putIf(free, heldKey{Key: idempotencyKey(k), Request: k.Request[:], TaskID: r.ID, ExpiresAt: seconds(now.Plus(task.KeyLife))})
	recordPut, errRecord := t.putIf(expression.AttributeNotExists(expression.Name("pk")), r)
	if err := errors.Join(errKey, errRecord); err != nil {
		return false, err
	}
	_, err = t.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{{Put: keyPut}, {Put: recordPut}},
	})
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) || len(canceled.CancellationReasons) != 2 {
		if err != nil {
			err = unavailable("create", r.ID, err)
		}
		return false, err
	}
	ofKey, ofRecord := aws.ToString(canceled.CancellationReasons[0].Code), aws.ToString(canceled.CancellationReasons[1].Code)
	switch {
	case ofKey == reasonConditionFailed, ofKey == reasonConflict, ofRecord == reasonConflict:
		return true, nil
	case ofRecord == reasonConditionFailed:
		return false, task.Errorf(task.Conflict, "task %s exists already", r.ID)
	}
	return false, unavailable("create", r.ID, err)
}

// putIf returns the write of an item under a condition.
func (t *Table) putIf(condition expression.ConditionBuilder, v any) (*types.Put, error) {
	it, err := attributevalue.MarshalMap(v)
	if err != nil {
		return nil, err
	}
	e, err := expression.NewBuilder().WithCondition(condition).Build()
	if err != nil {
		return nil, err
	}
	return &types.Put{
		TableName: &t.name, Item: it,
		ConditionExpression: e.Condition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
	}, nil
}
