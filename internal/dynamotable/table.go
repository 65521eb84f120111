package dynamotable

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tasks/internal/task"
)

// Limits of DynamoDB and what follows from them.
const (
	// maxInlineAnswer is the size of an answer, in bytes, up to which all of it is part
	// of the record, and headOfLarge how much of a longer one: a task is written three
	// times, so its record is to stay within the KiB that a write unit pays for, after
	// failures with short messages too; and so is the rest of an answer of 1 KiB.
	maxInlineAnswer = 512
	headOfLarge     = 192
	// maxPart is the size of a quarantined part. An item has 400 KB at most
	// ("Service, account, and table quotas in Amazon DynamoDB").
	maxPart = 350 << 10
)

type item = map[string]types.AttributeValue

// Table is a task.Store.
type Table struct {
	client *dynamodb.Client
	name   string
	// lastWasLarge tells that the task that was claimed last has a large answer.
	lastWasLarge atomic.Bool
}

var _ task.Store = (*Table)(nil)

// New returns the store in the table of that name.
func New(cfg aws.Config, name string) *Table {
	return &Table{client: dynamodb.NewFromConfig(cfg), name: name}
}

// Get implements task.Store.
func (t *Table) Get(ctx context.Context, id task.ID) (task.Task, error) {
	r, err := t.read(ctx, id)
	if err != nil {
		return task.Task{}, err
	}
	return t.whole(ctx, r)
}

// read returns a record as it is stored, without a large answer.
func (t *Table) read(ctx context.Context, id task.ID) (record, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key(string(id)), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return record{}, unavailable("get", id, err)
	}
	return decode(id, out.Item)
}

// whole returns the task of a record with its answer, large or not.
func (t *Table) whole(ctx context.Context, r record) (task.Task, error) {
	rest, err := t.readRest(ctx, r)
	return r.withRest(rest), err
}

// readRest returns what a record does not have of its answer. It is written once: who
// does not find it, reading at half the price, reads consistently.
func (t *Table) readRest(ctx context.Context, r record) (string, error) {
	if r.AnswerBytes == 0 {
		return "", nil
	}
	for _, consistent := range []bool{false, true} {
		rest, err := t.rest(ctx, r.ID, consistent)
		if err != nil || r.isRest(rest) {
			return rest, err
		}
	}
	return "", noAnswer(r.ID)
}

// rest returns what is in the table of a task's answer apart from its record.
func (t *Table) rest(ctx context.Context, id task.ID, consistent bool) (string, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key(answerKey(id)), ConsistentRead: &consistent,
	})
	if err != nil {
		return "", unavailable("get the answer of", id, err)
	}
	var a largeAnswer
	if err := attributevalue.UnmarshalMap(out.Item, &a); err != nil {
		return "", fmt.Errorf("read the item of the answer of task %s: %w", id, err)
	}
	return a.Rest + a.Answer, nil
}

// Quarantine implements task.Store.
func (t *Table) Quarantine(ctx context.Context, m task.Quarantined) error {
	for number, rest := 1, strings.ToValidUTF8(m.Body, "\uFFFD"); number == 1 || rest != ""; number++ {
		body := task.Cut(rest, maxPart)
		rest = rest[len(body):]
		part, err := attributevalue.MarshalMap(quarantined{
			Key: quarantineKey(m.MessageID, number), Body: body,
			ReceivedAt: m.ReceivedAt.Milli(), ExpiresAt: seconds(m.ExpiresAt),
		})
		if err != nil {
			return err
		}
		if _, err := t.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &t.name, Item: part}); err != nil {
			return task.Errorf(task.Unavailable, "quarantine message %s: %w", m.MessageID, err)
		}
	}
	return nil
}

// key returns the primary key of an item.
func key(pk string) item { return item{"pk": &types.AttributeValueMemberS{Value: pk}} }

// unavailable returns err as the domain's. Whatever the service says but a
// failed condition: what was asked may be done later, and may be done already.
func unavailable(action string, id task.ID, err error) error {
	return task.Errorf(task.Unavailable, "%s task %s: %w", action, id, err)
}

func noAnswer(id task.ID) error { return fmt.Errorf("the answer of task %s is not in the table", id) }

func notFound(id task.ID) error { return task.Errorf(task.NotFound, "there is no task %s", id) }

// conditionFailed tells whether err is a failed condition, and returns the item
// as it is; none, if there is none.
func conditionFailed(err error) (item, bool) {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return failed.Item, true
	}
	return nil, false
}
