package host

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"tasks/internal/asl"
	"tasks/internal/task"
)

// What is around the answers is the engine's: see its TestResponse.
func TestIntegrationsAnswer(t *testing.T) {
	t.Parallel()
	cfg := Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Worker: workerFunc(func(context.Context, task.Task) error { return nil }), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	host, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	h := &testHost{Host: host, t: t}
	m := task.Message{TaskID: h.submit("x"), Run: 1}
	payload := `{"taskId":"` + string(m.TaskID) + `","run":1,"retryCount":0,"executionId":"e"}`
	for _, tt := range []struct {
		command asl.InvokeTask
		want    []string // the members of the answer
	}{
		{asl.InvokeTask{Resource: asl.LambdaInvoke, FunctionName: "arn:aws:lambda:local:000000000000:function:ProcessFunction", Payload: json.RawMessage(payload)},
			[]string{"outcome", "run", "taskId"}},
		{asl.InvokeTask{Resource: asl.SQSSendMessage, Parameters: json.RawMessage(`{"QueueUrl":"https://sqs.local/000000000000/DeadLetterQueue","MessageBody":` + payload + `}`)},
			[]string{"MD5OfMessageBody", "MessageId"}},
	} {
		out, failure := h.runTask(t.Context(), tt.command)
		if failure != nil {
			t.Fatalf("%s: %v", tt.command.Resource, failure)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if members := slices.Sorted(maps.Keys(got)); !slices.Equal(members, tt.want) {
			t.Errorf("%s: got members %v, want %v", tt.command.Resource, members, tt.want)
		}
	}
}
