package host

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"tasks/internal/asl"
	"tasks/internal/samtemplate"
	"tasks/internal/task"
)

// integrated tells whether a resource is an integrated service that one machine has.
func integrated(resource string) bool {
	return resource == asl.LambdaInvoke || resource == asl.SQSSendMessage
}

// knows tells whether one machine has the resource of a Task state: a service, or a
// function by its own ARN.
func (h *Host) knows(resource string) bool {
	return integrated(resource) || h.taskFunctions[samtemplate.LogicalID(resource)] != nil
}

// runTask does what a Task state asks for, and returns what the function or the
// service answers.
func (h *Host) runTask(ctx context.Context, c asl.InvokeTask) (json.RawMessage, *functionError) {
	if c.Resource == asl.SQSSendMessage {
		return h.sqsSendMessage(ctx, c.Parameters)
	}
	f := h.taskFunctions[samtemplate.LogicalID(c.FunctionName)]
	if f == nil {
		return nil, &functionError{Type: "Lambda.ResourceNotFoundException", Message: "Function not found: " + cmp.Or(c.FunctionName, c.Resource)}
	}
	return f(ctx, c.Payload)
}

func (h *Host) sqsSendMessage(ctx context.Context, parameters json.RawMessage) (json.RawMessage, *functionError) {
	var p struct {
		QueueURL    string `json:"QueueUrl"`
		MessageBody json.RawMessage
	}
	if err := json.Unmarshal(parameters, &p); err != nil {
		return nil, &functionError{Type: "States.Runtime", Message: "sqs:sendMessage: " + err.Error()}
	}
	if id := samtemplate.LogicalID(p.QueueURL); id != h.deadLetterQueue {
		return nil, &functionError{Type: "SQS.QueueDoesNotExistException", Message: fmt.Sprintf("one machine sends to %s only, not to %q", h.deadLetterQueue, id)}
	}
	body := string(p.MessageBody) // an object is sent as its JSON
	var text string
	if json.Unmarshal(p.MessageBody, &text) == nil {
		body = text
	}
	if err := h.db.DeadLetterQueue().Send(ctx, body); err != nil {
		return nil, &functionError{Type: "SQS.SqsException", Message: err.Error()}
	}
	sum := md5.Sum([]byte(body)) // what SQS answers with; not for security
	return mustMarshal(sent{hex.EncodeToString(sum[:]), uuid.NewString()}), nil
}

// sent is what SQS answers.
type sent struct {
	MD5OfMessageBody string
	MessageID        string `json:"MessageId"`
}

// requestID returns the id of the request that was a task of m's execution. It is
// the same whenever the journal is read.
func requestID(m task.Message, ref int64) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s/%d", m.ExecutionName(), ref)).String()
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs of strings and checked JSON always marshal
	}
	return b
}
