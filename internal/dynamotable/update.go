package dynamotable

import (
	"context"
	"crypto/rand"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tasks/internal/task"
)

// maxTries bounds the writes of one update, each of which can lose against
// another writer of the same record.
const maxTries = 20

// A guess is a write that reads nothing before: it holds only for a record that
// is as it usually is.
type guess struct {
	condition expression.ConditionBuilder
	change    expression.UpdateBuilder
}

// update applies a transition to a record's task, which comes without its answer, and
// returns the record after it. The guess, if there is one, is tried first and stands for
// the transition's usual effect.
func (t *Table) update(ctx context.Context, id task.ID, usual *guess, apply func(before record, t *task.Task) error) (record, error) {
	var current record
	var err error
	var rev string // of the last write
	if usual != nil {
		rev = rand.Text()
		var held bool
		change := usual.change.Set(expression.Name("rev"), expression.Value(rev))
		current, held, err = t.write(ctx, id, usual.condition, change)
		if held || err != nil {
			return current, err
		}
	} else if current, err = t.read(ctx, id); err != nil {
		return record{}, err
	}
	for range maxTries {
		if rev != "" && current.Rev == rev {
			return current, nil // written by a request whose answer was lost
		}
		before := current.task()
		after := before
		if err := apply(current, &after); err != nil || reflect.DeepEqual(before, after) {
			return current, err
		}
		// A new one for each write: others may have read the last one.
		rev = rand.Text()
		next := newRecord(after)
		next.Rev = rev
		next.AnswerBytes, next.AnswerExpiresAt = current.AnswerBytes, current.AnswerExpiresAt
		if err := t.keepAnswer(ctx, &next); err != nil {
			return record{}, err
		}
		change, err := replace(next)
		if err != nil {
			return record{}, err
		}
		unchanged := expression.Name("rev").Equal(expression.Value(current.Rev))
		var held bool
		if current, held, err = t.write(ctx, id, unchanged, change); held || err != nil {
			return current, err
		}
	}
	return record{}, task.Errorf(task.Unavailable, "update task %s: lost %d times against other writers", id, maxTries)
}

// write changes a record if a condition holds, and returns it as it is then, or
// as it is when the condition does not hold.
func (t *Table) write(ctx context.Context, id task.ID, condition expression.ConditionBuilder, change expression.UpdateBuilder) (r record, held bool, err error) {
	e, err := expression.NewBuilder().WithCondition(condition).WithUpdate(change).Build()
	if err != nil {
		return record{}, false, err
	}
	out, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.name, Key: key(string(id)),
		UpdateExpression:                    e.Update(),
		ConditionExpression:                 e.Condition(),
		ExpressionAttributeNames:            e.Names(),
		ExpressionAttributeValues:           e.Values(),
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if old, failed := conditionFailed(err); failed {
		r, err = decode(id, old)
		return r, false, err
	}
	if err != nil {
		return record{}, false, unavailable("update", id, err)
	}
	r, err = decode(id, out.Attributes)
	return r, true, err
}

// replace sets, or removes, all that a transition can change.
func replace(r record) (expression.UpdateBuilder, error) {
	var change expression.UpdateBuilder
	attributes, err := attributevalue.MarshalMap(r)
	if err != nil {
		return change, err
	}
	for _, name := range changing {
		if value, ok := attributes[name]; ok {
			change = change.Set(expression.Name(name), expression.Value(value))
		} else {
			change = change.Remove(expression.Name(name))
		}
	}
	return change, nil
}
