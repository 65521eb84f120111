package host

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tasks/internal/asl"
	"tasks/internal/task"
)

// The fields are those of answers that Step Functions recorded.
func TestIntegrationsAnswerInTheServicesShape(t *testing.T) {
	t.Parallel()
	cfg := Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Parameters: map[string]string{"FailureRate": "0"}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	host, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	h := &testHost{Host: host, t: t}
	m := task.Message{TaskID: h.submit("x"), Run: 1}
	payload := `{"taskId":"` + string(m.TaskID) + `","run":1,"retryCount":0,"executionId":"e"}`
	for _, tt := range []struct {
		resource, parameters string
		want                 []string
	}{
		{lambdaInvoke, `{"FunctionName":"arn:aws:lambda:local:000000000000:function:ProcessFunction","Payload":` + payload + `}`,
			[]string{"ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"}},
		{sqsSendMessage, `{"QueueUrl":"https://sqs.local/000000000000/DeadLetterQueue","MessageBody":` + payload + `}`,
			[]string{"MD5OfMessageBody", "MessageId", "SdkHttpMetadata", "SdkResponseMetadata"}},
	} {
		out, failure := h.runTask(t.Context(), asl.InvokeTask{Resource: tt.resource, Parameters: json.RawMessage(tt.parameters)})
		if failure != nil {
			t.Fatalf("%s: %v", tt.resource, failure)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(responseOf(tt.resource, out, requestID(m, 1), time.Now()), &got); err != nil {
			t.Fatal(err)
		}
		if fields := slices.Sorted(maps.Keys(got)); !slices.Equal(fields, tt.want) {
			t.Errorf("%s: got fields %v, want %v", tt.resource, fields, tt.want)
		}
	}
}
