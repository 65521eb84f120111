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
		sdkResponse
		StatusCode int
	}{"$LATEST", out, newSDKResponse("application/json", len(out), "X-Amz-Executed-Version", "$LATEST"), 200}), nil
}

// sdkResponse is what every service integration answers with besides the
// service's own fields: the HTTP response that the SDK got.
type sdkResponse struct {
	SDKHTTPMetadata struct {
		AllHTTPHeaders map[string][]string `json:"AllHttpHeaders"`
		HTTPHeaders    map[string]string   `json:"HttpHeaders"`
		HTTPStatusCode int                 `json:"HttpStatusCode"`
	} `json:"SdkHttpMetadata"`
	SDKResponseMetadata struct {
		RequestID string `json:"RequestId"`
	} `json:"SdkResponseMetadata"`
}

// newSDKResponse returns the metadata of a response of so many bytes; more are
// names and values of further headers.
func newSDKResponse(contentType string, length int, more ...string) (r sdkResponse) {
	r.SDKResponseMetadata.RequestID = uuid.NewString()
	r.SDKHTTPMetadata.HTTPStatusCode = http.StatusOK
	r.SDKHTTPMetadata.HTTPHeaders = map[string]string{
		"Content-Length":   strconv.Itoa(length),
		"Content-Type":     contentType,
		"Date":             time.Now().UTC().Format(http.TimeFormat),
		"x-amzn-RequestId": r.SDKResponseMetadata.RequestID,
	}
	for i := 0; i < len(more); i += 2 {
		r.SDKHTTPMetadata.HTTPHeaders[more[i]] = more[i+1]
	}
	r.SDKHTTPMetadata.AllHTTPHeaders = map[string][]string{}
	for name, value := range r.SDKHTTPMetadata.HTTPHeaders {
		r.SDKHTTPMetadata.AllHTTPHeaders[name] = []string{value}
	}
	return r
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
		sdkResponse
	}{hex.EncodeToString(sum[:]), uuid.NewString(), newSDKResponse("application/x-amz-json-1.0", 106)}), nil
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs of strings and checked JSON always marshal
	}
	return b
}
