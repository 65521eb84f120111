package asl

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The service integrations that this package knows.
const (
	LambdaInvoke   = "arn:aws:states:::lambda:invoke"
	SQSSendMessage = "arn:aws:states:::sqs:sendMessage"
)

// integration is what Parameters may and must have for a service integration
// that CreateStateMachine checks.
type integration struct {
	required, optional []string
}

// integrations are by resource ("Invoke an AWS Lambda function with Step Functions",
// "Send messages to an Amazon SQS queue with Step Functions").
var integrations = map[string]integration{
	LambdaInvoke: {
		required: []string{"FunctionName"},
		optional: []string{"ClientContext", "InvocationType", "Payload", "Qualifier"},
	},
	SQSSendMessage: {
		required: []string{"QueueUrl", "MessageBody"},
		optional: []string{"DelaySeconds", "MessageAttributes", "MessageDeduplicationId", "MessageGroupId", "MessageSystemAttributes"},
	},
}

func (i integration) check(f *fields) {
	v, ok := f.obj.get("Parameters")
	if !ok {
		f.p.report(f.place("Parameters"), "is missing: the resource needs %s", strings.Join(i.required, " and "))
		return
	}
	o, ok := v.(*object)
	if !ok {
		return
	}
	for _, name := range i.required {
		if o.find(name) < 0 && o.find(name+".$") < 0 {
			f.p.report(f.place("Parameters"), "must have %s", name)
		}
	}
	for _, m := range o.members {
		name := strings.TrimSuffix(m.key, ".$")
		if !slices.Contains(i.required, name) && !slices.Contains(i.optional, name) {
			f.p.refuse(f.place("Parameters")+"."+m.key, "unknown field: the resource does not take it")
		}
	}
}

// invocation returns the function that lambda:invoke is to invoke, and with what.
func invocation(parameters any) (function string, payload json.RawMessage) {
	o, ok := parameters.(*object)
	if !ok {
		return "", nil
	}
	if v, ok := o.get("FunctionName"); ok {
		function, _ = v.(string)
	}
	v, ok := o.get("Payload")
	if !ok {
		v = emptyObject
	}
	return function, encode(v)
}

// response returns the output of a task for the answer of its service: the answer,
// with the SDK's response around it, as recorded on Step Functions.
func response(resource string, e Event) (any, error) {
	answer, err := decode(e.Answer, nil)
	if err != nil {
		return nil, err
	}
	switch resource {
	case LambdaInvoke:
		sdk := sdkResponse(e, "application/json", len(e.Answer), member{"X-Amz-Executed-Version", "$LATEST"})
		return newObject(member{"ExecutedVersion", "$LATEST"}, member{"Payload", answer}, sdk[0], sdk[1], member{"StatusCode", number("200")}), nil
	case SQSSendMessage:
		if o, ok := answer.(*object); ok {
			sdk := sdkResponse(e, "application/x-amz-json-1.0", 106) // always: of a message id and a sum
			return newObject(append(slices.Clip(o.members), sdk[:]...)...), nil
		}
	}
	return nil, fmt.Errorf("no answer of %s", resource)
}

// sdkResponse returns the members that every service integration answers with
// besides the service's own: the HTTP response that the SDK got, of so many bytes.
func sdkResponse(e Event, contentType string, length int, more ...member) [2]member {
	headers := append([]member{
		{"Content-Length", strconv.Itoa(length)},
		{"Content-Type", contentType},
		{"Date", e.Time.UTC().Format(http.TimeFormat)},
	}, more...)
	headers = append(headers, member{"x-amzn-RequestId", e.RequestID})
	lists, values := make([]member, len(headers)), make([]any, len(headers))
	for i, h := range headers {
		values[i] = h.value
		lists[i] = member{h.key, values[i : i+1 : i+1]}
	}
	return [2]member{
		{"SdkHttpMetadata", newObject(
			member{"AllHttpHeaders", newObject(lists...)},
			member{"HttpHeaders", newObject(headers...)},
			member{"HttpStatusCode", number("200")},
		)},
		{"SdkResponseMetadata", newObject(member{"RequestId", e.RequestID})},
	}
}
