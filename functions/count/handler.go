// Package count is the function behind the table's stream, on AWS alone: it keeps
// the counts of the tasks by status. They follow the records by seconds, and a
// task's own path writes nothing for them. On one machine the database counts.
package count

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"tasks/internal/task"
)

// Counter adds to the counts, once for all calls with the same token that come
// within minutes.
type Counter interface {
	AddCounts(ctx context.Context, token string, changes map[task.Status]int, asOf task.Time) error
}

// Handler counts what a batch of the stream has changed.
type Handler struct {
	Counter Counter
}

// Output is for the eye.
type Output struct {
	Changes map[task.Status]int `json:"changes"` // of the counts
}

// Handle takes a batch. After an error the stream delivers the same batch again,
// and then it is known by its token.
func (h *Handler) Handle(ctx context.Context, e events.DynamoDBEvent) (Output, error) {
	changes := map[task.Status]int{}
	var asOf task.Time
	for _, r := range e.Records {
		before, after := statusOf(r.Change.OldImage), statusOf(r.Change.NewImage)
		if before == after {
			continue
		}
		changes[before]--
		changes[after]++
		asOf = task.At(r.Change.ApproximateCreationDateTime.Time)
	}
	delete(changes, "") // before a task's creation, or after its removal
	for status, n := range changes {
		if n == 0 {
			delete(changes, status)
		}
	}
	if len(changes) == 0 {
		return Output{}, nil
	}
	if err := h.Counter.AddCounts(ctx, token(e.Records), changes, asOf); err != nil {
		return Output{}, fmt.Errorf("count %d changes: %w", len(e.Records), err)
	}
	return Output{changes}, nil
}

// statusOf returns the status in an image of a task's item, and "" if it is none.
func statusOf(image map[string]events.DynamoDBAttributeValue) task.Status {
	v, ok := image["status"]
	if !ok || v.DataType() != events.DataTypeString {
		return ""
	}
	if s := task.Status(v.String()); s.Valid() {
		return s
	}
	return ""
}

// token returns what names a batch: 32 characters, the same whenever it comes.
func token(records []events.DynamoDBEventRecord) string {
	h := sha256.New()
	for _, r := range records {
		fmt.Fprintf(h, "%s\n", r.EventID)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
