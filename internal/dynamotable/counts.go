package dynamotable

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"tasks/internal/task"
)

// countsKey is the key of the item that has the counts: an attribute for each
// status, and asOf.
const countsKey = "counts"

// Counts implements task.Store. They lag: the count function keeps them.
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
		counts.Tasks[status] = int(kept[string(status)])
	}
	return counts, nil
}
