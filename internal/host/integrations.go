package host

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"tasks/internal/asl"
	"tasks/internal/samtemplate"
)

// The resources of Task states that one machine has. A function's own ARN is
// one too.
const (
	lambdaInvoke   = "arn:aws:states:::lambda:invoke"
	sqsSendMessage = "arn:aws:states:::sqs:sendMessage"
)

// knows tells whether one machine has the resource of a Task state.
func (h *Host) knows(resource string) bool {
	return resource == lambdaInvoke || resource == sqsSendMessage || h.tasks[samtemplate.LogicalID(resource)] != nil
}

// runTask does what a Task state asks for, and answers in the shape of the
// service integration.
func (h *Host) runTask(ctx context.Context, c asl.InvokeTask) (json.RawMessage, *functionError) {
	switch c.Resource {
	case lambdaInvoke:
		return h.lambdaInvoke(ctx, c.Parameters)
	case sqsSendMessage:
		return h.sqsSendMessage(ctx, c.Parameters)
	}
	return h.invokeTask(ctx, c.Resource, c.Parameters)
}

// invokeTask invokes the function that a name or an ARN stands for.
func (h *Host) invokeTask(ctx context.Context, name string, payload json.RawMessage) (json.RawMessage, *functionError) {
	f := h.tasks[samtemplate.LogicalID(name)]
	if f == nil {
		return nil, &functionError{Type: "Lambda.ResourceNotFoundException", Message: "Function not found: " + name}
	}
	return f(ctx, payload)
}

func (h *Host) lambdaInvoke(ctx context.Context, parameters json.RawMessage) (json.RawMessage, *functionError) {
	var p struct {
		FunctionName string
		Payload      json.RawMessage
	}
	if err := json.Unmarshal(parameters, &p); err != nil {
		return nil, &functionError{Type: "States.Runtime", Message: "lambda:invoke: " + err.Error()}
	}
	out, failure := h.invokeTask(ctx, p.FunctionName, p.Payload)
	if failure != nil {
		return nil, failure
	}
	return mustMarshal(struct {
		ExecutedVersion string
		Payload         json.RawMessage
		StatusCode      int
	}{"$LATEST", out, 200}), nil
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
	return mustMarshal(struct {
		MD5OfMessageBody string
		MessageID        string `json:"MessageId"`
	}{hex.EncodeToString(sum[:]), uuid.NewString()}), nil
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs of strings and checked JSON always marshal
	}
	return b
}
