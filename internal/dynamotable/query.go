package dynamotable

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"tasks/internal/task"
)

// concurrency bounds the requests that one call has under way.
const concurrency = 16

// shardQuery asks for some ids of one shard of a class.
type shardQuery struct {
	class        class
	shard        int
	from, before string // before is exclusive; no bound, if empty
	oldestFirst  bool
	limit        int
}

type shardResult struct {
	ids  []task.ID
	more bool // there may be more
}

// queryAll runs queries side by side and returns their results in order.
func (t *Table) queryAll(ctx context.Context, queries []shardQuery) ([]shardResult, error) {
	results := make([]shardResult, len(queries))
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(concurrency)
	for n, q := range queries {
		all.Go(func() (err error) {
			results[n], err = t.query(ctx, q)
			return err
		})
	}
	return results, all.Wait()
}

func (t *Table) query(ctx context.Context, q shardQuery) (shardResult, error) {
	condition := expression.Key("class").Equal(expression.Value(q.class.shard(q.shard)))
	pk := expression.Key("pk")
	switch {
	case q.from != "" && q.before != "":
		// BETWEEN takes both bounds in: one that is an id is left out below.
		condition = condition.And(pk.Between(expression.Value(q.from), expression.Value(q.before)))
	case q.from != "":
		condition = condition.And(pk.GreaterThanEqual(expression.Value(q.from)))
	case q.before != "":
		condition = condition.And(pk.LessThan(expression.Value(q.before)))
	}
	e, err := expression.NewBuilder().WithKeyCondition(condition).Build()
	if err != nil {
		return shardResult{}, err
	}
	out, err := t.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &t.name, IndexName: aws.String("byClass"),
		KeyConditionExpression:    e.KeyCondition(),
		ExpressionAttributeNames:  e.Names(),
		ExpressionAttributeValues: e.Values(),
		ScanIndexForward:          &q.oldestFirst,
		Limit:                     aws.Int32(int32(q.limit)),
	})
	if err != nil {
		return shardResult{}, task.Errorf(task.Unavailable, "query %s: %w", q.class.shard(q.shard), err)
	}
	var entries []struct {
		ID task.ID `dynamodbav:"pk"`
	}
	if err := attributevalue.UnmarshalListOfMaps(out.Items, &entries); err != nil {
		return shardResult{}, fmt.Errorf("read the index: %w", err)
	}
	var result shardResult
	for _, e := range entries {
		if string(e.ID) != q.before {
			result.ids = append(result.ids, e.ID)
		}
	}
	result.more = len(out.LastEvaluatedKey) > 0 && len(result.ids) > 0
	return result, nil
}

// readAll returns the records of ids, as far as they are there.
func (t *Table) readAll(ctx context.Context, ids []task.ID, consistent bool) (map[task.ID]record, error) {
	var keys []item
	for _, id := range ids {
		keys = append(keys, key(string(id)))
	}
	items, err := t.batchGet(ctx, keys, consistent)
	if err != nil {
		return nil, err
	}
	records := map[task.ID]record{}
	for _, it := range items {
		var r record
		if err := attributevalue.UnmarshalMap(it, &r); err != nil {
			return nil, fmt.Errorf("read a task's item: %w", err)
		}
		records[r.ID] = r
	}
	return records, nil
}

// readRests returns what records don't have of their answers, by their tasks.
func (t *Table) readRests(ctx context.Context, records []record) (map[task.ID]string, error) {
	var keys []item
	owners := map[string]task.ID{}
	for _, r := range records {
		if r.AnswerBytes > 0 {
			owners[answerKey(r.ID)] = r.ID
			keys = append(keys, key(answerKey(r.ID)))
		}
	}
	// Consistently, because a listing must not show a task without its answer.
	items, err := t.batchGet(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	rests := map[task.ID]string{}
	for _, it := range items {
		var a largeAnswer
		if err := attributevalue.UnmarshalMap(it, &a); err != nil {
			return nil, fmt.Errorf("read an answer's item: %w", err)
		}
		rests[owners[a.Key]] = a.Rest + a.Answer
	}
	return rests, nil
}

// maxBatch is how many items one BatchGetItem can ask for (API reference).
const maxBatch = 100

// batchGet returns items by their keys, in any order. The service may leave
// some out of an answer; they are asked for again.
func (t *Table) batchGet(ctx context.Context, keys []item, consistent bool) ([]item, error) {
	var items []item
	for fruitless := 0; len(keys) > 0; {
		batch := keys[:min(maxBatch, len(keys))]
		out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{t.name: {Keys: batch, ConsistentRead: &consistent}},
		})
		if err != nil {
			return nil, task.Errorf(task.Unavailable, "read %d items: %w", len(batch), err)
		}
		items = append(items, out.Responses[t.name]...)
		left := out.UnprocessedKeys[t.name].Keys
		if keys = append(slices.Clone(left), keys[len(batch):]...); len(left) < len(batch) {
			fruitless = 0
			continue
		}
		if fruitless++; fruitless == 5 {
			return nil, task.Errorf(task.Unavailable, "read %d items: the table gave none of them", len(batch))
		}
		if err := pause(ctx, fruitless); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// pause waits before a request is sent again, for so many times 100 ms.
func pause(ctx context.Context, times int) error {
	timer := time.NewTimer(time.Duration(times) * 100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return task.Errorf(task.Unavailable, "read items: %w", context.Cause(ctx))
	case <-timer.C:
		return nil
	}
}
