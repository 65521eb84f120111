package host

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"tasks/internal/asl"
	"tasks/internal/samtemplate"
	"tasks/internal/task"
)

// The resources of Task states that one machine has. A function's own ARN is
// one too.
const (
	lambdaInvoke   = "arn:aws:states:::lambda:invoke"
	sqsSendMessage = "arn:aws:states:::sqs:sendMessage"
)

// integrated tells whether a resource is an integrated service, whose answer comes
// in the SDK's response.
func integrated(resource string) bool { return resource == lambdaInvoke || resource == sqsSendMessage }

// knows tells whether one machine has the resource of a Task state.
func (h *Host) knows(resource string) bool {
	return integrated(resource) || h.taskFunctions[samtemplate.LogicalID(resource)] != nil
}

// runTask does what a Task state asks for, and returns what the function or the
// service answers.
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
	f := h.taskFunctions[samtemplate.LogicalID(name)]
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
	return h.invokeTask(ctx, p.FunctionName, p.Payload)
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

// responseOf returns the output of a Task state with an integrated service: its
// answer, with the SDK's response around it.
func responseOf(resource string, answer json.RawMessage, request uuid.UUID, at time.Time) json.RawMessage {
	if resource == sqsSendMessage {
		return fmt.Appendf(answer[:len(answer)-1:len(answer)-1], ",%s}", sdkResponse("application/x-amz-json-1.0", 106, request, at))
	}
	return fmt.Appendf(nil, `{"ExecutedVersion":"$LATEST","Payload":%s,%s,"StatusCode":200}`,
		answer, sdkResponse("application/json", len(answer), request, at, "X-Amz-Executed-Version", "$LATEST"))
}

// requestID returns the id of the request that was a task of m's execution. It is
// the same whenever the journal is read.
func requestID(m task.Message, ref int64) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s/%d", m.ExecutionName(), ref))
}

// sdkResponse returns the members that every service integration answers with
// besides the service's own: the HTTP response that the SDK got, of so many bytes.
// more are names and values of further headers.
func sdkResponse(contentType string, length int, request uuid.UUID, at time.Time, more ...string) []byte {
	headers := append([]string{"Content-Length", strconv.Itoa(length), "Content-Type", contentType, "Date", at.UTC().Format(http.TimeFormat)}, more...)
	headers = append(headers, "x-amzn-RequestId", request.String())
	out := append(make([]byte, 0, 1024), `"SdkHttpMetadata":{"AllHttpHeaders":{`...)
	out = appendMembers(out, headers, `["`, `"]`)
	out = append(out, `},"HttpHeaders":{`...)
	out = appendMembers(out, headers, `"`, `"`)
	out = append(out, `},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"`...)
	return append(append(out, request.String()...), `"}`...)
}

// appendMembers appends names and values, in which there is nothing to escape, as
// the members of a JSON object.
func appendMembers(out []byte, pairs []string, before, after string) []byte {
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), pairs[i]...), `":`...)
		out = append(append(append(out, before...), pairs[i+1]...), after...)
	}
	return out
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs of strings and checked JSON always marshal
	}
	return b
}
