package sfnexecutions

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

func TestEventJSON(t *testing.T) {
	t.Parallel()
	at := aws.Time(time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("", 3600)))
	for _, row := range []struct {
		name  string
		event types.HistoryEvent
		want  string
	}{
		{
			"without details", types.HistoryEvent{Id: 1, Timestamp: at, Type: types.HistoryEventTypeWaitStateEntered},
			`{"id":1,"previousEventId":0,"timestamp":"2026-01-02T02:04:05.678Z","type":"WaitStateEntered"}`,
		},
		{
			"nested details, and false kept", types.HistoryEvent{
				Id: 2, PreviousEventId: 1, Timestamp: at, Type: types.HistoryEventTypeTaskScheduled,
				TaskScheduledEventDetails: &types.TaskScheduledEventDetails{
					Resource: aws.String("invoke"), ResourceType: aws.String("lambda"), Region: aws.String("eu-west-1"),
					Parameters: aws.String(`{"a":1}`), TimeoutInSeconds: aws.Int64(90),
				},
				StateEnteredEventDetails: &types.StateEnteredEventDetails{
					Name: aws.String("Process"), Input: aws.String("{}"), InputDetails: &types.HistoryEventExecutionDataDetails{},
				},
			},
			`{"id":2,"previousEventId":1,"stateEnteredEventDetails":{"input":"{}","inputDetails":{"truncated":false},"name":"Process"},` +
				`"taskScheduledEventDetails":{"parameters":"{\"a\":1}","region":"eu-west-1","resource":"invoke","resourceType":"lambda","timeoutInSeconds":90},` +
				`"timestamp":"2026-01-02T02:04:05.678Z","type":"TaskScheduled"}`,
		},
		{
			"assigned variables", types.HistoryEvent{
				Id: 3, PreviousEventId: 2, Timestamp: at, Type: types.HistoryEventTypePassStateExited,
				StateExitedEventDetails: &types.StateExitedEventDetails{Name: aws.String("P"), AssignedVariables: map[string]string{"x": "1"}},
			},
			`{"id":3,"previousEventId":2,"stateExitedEventDetails":{"assignedVariables":{"x":"1"},"name":"P"},` +
				`"timestamp":"2026-01-02T02:04:05.678Z","type":"PassStateExited"}`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(eventJSON(row.event))
			if err != nil || string(got) != row.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, row.want)
			}
		})
	}
}
