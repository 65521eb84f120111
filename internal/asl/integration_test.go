package asl

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const lambdaARN = "arn:aws:lambda:eu-central-1:123456789012:function:f"

// The members and their order are those of answers that Step Functions recorded.
func TestResponse(t *testing.T) {
	t.Parallel()
	const id = "01a20b0b-a542-7d64-8f66-00d0bafd16ca"
	tests := []struct {
		name, resource, answer string
		want                   string // an output, or the start of an error
	}{
		{
			"of a function", LambdaInvoke, `{"outcome": "processed"}`,
			`{"ExecutedVersion":"$LATEST","Payload":{"outcome":"processed"},"SdkHttpMetadata":{"AllHttpHeaders":{` +
				`"Content-Length":["24"],"Content-Type":["application/json"],"Date":["Fri, 02 Jan 2026 03:04:05 GMT"],"X-Amz-Executed-Version":["$LATEST"],"x-amzn-RequestId":["` + id + `"]},"HttpHeaders":{` +
				`"Content-Length":"24","Content-Type":"application/json","Date":"Fri, 02 Jan 2026 03:04:05 GMT","X-Amz-Executed-Version":"$LATEST","x-amzn-RequestId":"` + id + `"},` +
				`"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"` + id + `"},"StatusCode":200}`,
		},
		{
			"of SQS", SQSSendMessage, `{"MD5OfMessageBody":"x","MessageId":"y"}`,
			`{"MD5OfMessageBody":"x","MessageId":"y","SdkHttpMetadata":{"AllHttpHeaders":{` +
				`"Content-Length":["106"],"Content-Type":["application/x-amz-json-1.0"],"Date":["Fri, 02 Jan 2026 03:04:05 GMT"],"x-amzn-RequestId":["` + id + `"]},"HttpHeaders":{` +
				`"Content-Length":"106","Content-Type":"application/x-amz-json-1.0","Date":"Fri, 02 Jan 2026 03:04:05 GMT","x-amzn-RequestId":"` + id + `"},` +
				`"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"` + id + `"}}`,
		},
		{"that is no JSON", LambdaInvoke, `{`, "asl: the output of task 1: "},
		{"of SQS that is no object", SQSSendMessage, `"sent"`, "asl: the output of task 1: no answer of " + SQSSendMessage},
		{"of what is not integrated", lambdaARN, `{}`, "asl: the output of task 1: no answer of " + lambdaARN},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			parameters := `{"FunctionName": "f"}`
			if tt.resource == SQSSendMessage {
				parameters = `{"QueueUrl": "q", "MessageBody": "m"}`
			}
			h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "`+tt.resource+`", "Parameters": `+parameters+`, "End": true}}}`, `{}`)
			_, _, err := h.x.Step(Event{Kind: TaskSucceeded, Time: epoch, Ref: 1, Answer: json.RawMessage(tt.answer), RequestID: id})
			if strings.HasPrefix(tt.want, "asl: ") {
				if err == nil || !strings.HasPrefix(err.Error(), tt.want) || h.x.Status() != Running {
					t.Errorf("got %v, %s, want %s and no change", err, h.x.Status(), tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(h.x.Output())); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInvocation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, resource, parameters string
		function, payload          string
	}{
		{"lambda:invoke", LambdaInvoke, `{"FunctionName": "f", "Payload": {"id.$": "$.id"}}`, "f", `{"id":7}`},
		{"without a payload", LambdaInvoke, `{"FunctionName.$": "$.name"}`, "g", `{}`},
		{"with a name that is no text", LambdaInvoke, `{"FunctionName.$": "$.id"}`, "", `{}`},
		{"a function's ARN", lambdaARN, `{"id.$": "$.id"}`, lambdaARN, `{"id":7}`},
		{"another service", SQSSendMessage, `{"QueueUrl": "q", "MessageBody": "m"}`, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "`+tt.resource+`", "Parameters": `+tt.parameters+`, "End": true}}}`, `{"id": 7, "name": "g"}`)
			if c := h.invoked()[0]; c.FunctionName != tt.function || string(c.Payload) != tt.payload {
				t.Errorf("got %q with %s, want %q with %s", c.FunctionName, c.Payload, tt.function, tt.payload)
			}
		})
	}
}
