package count

import (
	"context"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

type counter struct {
	calls   int
	changes map[task.Status]int
	err     error
}

func (c *counter) AddCounts(_ context.Context, token string, changes map[task.Status]int, _ task.Time) error {
	c.calls++
	c.changes = changes
	return c.err
}

func image(status string) map[string]events.DynamoDBAttributeValue {
	if status == "" {
		return nil
	}
	return map[string]events.DynamoDBAttributeValue{"status": events.NewStringAttribute(status)}
}

func record(before, after string) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{Change: events.DynamoDBStreamRecord{OldImage: image(before), NewImage: image(after)}}
}

func TestHandle(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		records []events.DynamoDBEventRecord
		want    map[task.Status]int // nil: nothing is written
	}{
		"a new task":               {[]events.DynamoDBEventRecord{record("", "PENDING")}, map[task.Status]int{task.Pending: 1}},
		"a task that is removed":   {[]events.DynamoDBEventRecord{record("PROCESSED", "")}, map[task.Status]int{task.Processed: -1}},
		"a change of status":       {[]events.DynamoDBEventRecord{record("PENDING", "PROCESSING")}, map[task.Status]int{task.Pending: -1, task.Processing: 1}},
		"another change":           {[]events.DynamoDBEventRecord{record("FAILED", "FAILED")}, nil},
		"there and back":           {[]events.DynamoDBEventRecord{record("DLQ", "PENDING"), record("PENDING", "DLQ")}, nil},
		"an item that is no task":  {[]events.DynamoDBEventRecord{{Change: events.DynamoDBStreamRecord{NewImage: map[string]events.DynamoDBAttributeValue{"PENDING": events.NewNumberAttribute("1")}}}}, nil},
		"a status that is none":    {[]events.DynamoDBEventRecord{record("", "DONE")}, nil},
		"a status of another type": {[]events.DynamoDBEventRecord{{Change: events.DynamoDBStreamRecord{NewImage: map[string]events.DynamoDBAttributeValue{"status": events.NewNumberAttribute("1")}}}}, nil},
		"nothing":                  {nil, nil},
	} {
		var c counter
		_, err := (&Handler{Counter: &c}).Handle(t.Context(), events.DynamoDBEvent{Records: tt.records})
		if diff := cmp.Diff(tt.want, c.changes); diff != "" || err != nil {
			t.Errorf("%s: %v, changes (-want +got):\n%s", name, err, diff)
		}
	}
	c := counter{err: task.Errorf(task.Unavailable, "away")}
	if _, err := (&Handler{Counter: &c}).Handle(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{record("", "PENDING")}}); !task.IsKind(err, task.Unavailable) || c.calls != 1 {
		t.Errorf("got %v after %d calls, want the counter's error, so that the batch comes again", err, c.calls)
	}
}
