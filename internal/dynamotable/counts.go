package dynamotable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tasks/internal/task"
)

// countsKey is the key of the item that has the counts: an attribute for each
// status, and asOf.
const countsKey = "counts"

// Counts implements task.Store. They lag: the count function keeps them. The oldest
// open task is the first of the index.
func (t *Table) Counts(ctx context.Context) (task.Counts, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.name, Key: key(countsKey)})
	if err != nil {
		return task.Counts{}, task.Errorf(task.Unavailable, "read the counts: %w", err)
	}
	kept := map[string]int64{}
	delete(out.Item, "pk")
	if err := attributevalue.UnmarshalMap(out.Item, &kept); err != nil {
		return task.Counts{}, fmt.Errorf("read the counts: %w", err)
	}
	counts := task.Counts{Tasks: map[task.Status]int{}, AsOf: task.AtMilli(kept["asOf"])}
	for _, status := range task.Statuses {
		counts.Tasks[status] = int(max(0, kept[string(status)]))
	}
	var heads []shardQuery
	for n := range shards {
		heads = append(heads, shardQuery{class: open, shard: n, oldestFirst: true, limit: 1})
	}
	results, err := t.queryAll(ctx, heads)
	if err != nil {
		return task.Counts{}, err
	}
	var oldest task.ID
	for _, r := range results {
		for _, id := range r.ids {
			if oldest == "" || id < oldest {
				oldest = id
			}
		}
	}
	counts.OldestOpen = oldest.Time()
	return counts, nil
}

// AddCounts adds to the counts what changes says, and sets asOf: once for all
// requests with the same token, of up to 36 characters, within 10 minutes
// (TransactWriteItems in the API reference). Each shard of the stream has a function
// that does it at the same time as the others: it is sent again, until ctx ends, when
// their transactions were in the way, which the SDK doesn't do.
func (t *Table) AddCounts(ctx context.Context, token string, changes map[task.Status]int, asOf task.Time) error {
	change := expression.Set(expression.Name("asOf"), expression.Value(asOf.Milli()))
	for _, status := range slices.Sorted(maps.Keys(changes)) { // a token's requests must be the same
		change = change.Add(expression.Name(string(status)), expression.Value(changes[status]))
	}
	e, err := expression.NewBuilder().WithUpdate(change).Build()
	if err != nil {
		return err
	}
	for {
		_, err = t.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			ClientRequestToken: &token,
			TransactItems: []types.TransactWriteItem{{Update: &types.Update{
				TableName: &t.name, Key: key(countsKey),
				UpdateExpression: e.Update(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
			}}},
		})
		if err == nil {
			return nil
		}
		var canceled *types.TransactionCanceledException
		met := errors.As(err, &canceled) && len(canceled.CancellationReasons) == 1 && aws.ToString(canceled.CancellationReasons[0].Code) == reasonConflict
		if !met {
			return task.Errorf(task.Unavailable, "add to the counts: %w", err)
		}
		select {
		case <-time.After(rand.N(maxConflictWait)):
		case <-ctx.Done():
			return task.Errorf(task.Unavailable, "add to the counts: %w", err)
		}
	}
}
