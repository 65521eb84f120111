package sfnexecutions

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"tasks/internal/task"
)

// answering answers every request with the same.
type answering struct {
	status int
	body   []byte
}

func (a answering) Do(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Request: req,
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

// FuzzAnswers checks that whatever Step Functions answers is an error of a kind
// that the functions know, or events that are JSON and can be shown.
func FuzzAnswers(f *testing.F) {
	f.Add(200, []byte(`{"executionArn":"e","status":"FAILED","error":"WorkerError","cause":"no","startDate":1.767323045678E9,"stopDate":1.767323049E9}`))
	f.Add(200, []byte(`{"events":[{"timestamp":1.767323045678E9,"type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{}","inputDetails":{"truncated":false},"roleArn":"r"}}]}`))
	f.Add(200, []byte(`{"events":[{"timestamp":1.7E9,"type":"TaskFailed","id":2,"previousEventId":1,"taskFailedEventDetails":{"cause":"\u001b[2J","error":"E","resource":"invoke","resourceType":"lambda"}},{"type":"?"},{}]}`))
	f.Add(200, []byte(`{"events":[{"timestamp":1e15,"type":"MapRunStarted","id":-1,"mapRunStartedEventDetails":{"mapRunArn":null}},{"timestamp":-1e15,"stateExitedEventDetails":{"assignedVariables":{"a":"1"}}}]}`))
	f.Add(400, []byte(`{"__type":"com.amazonaws.swf.service.v2.model#ExecutionDoesNotExist","message":"Execution Does Not Exist"}`))
	f.Add(500, []byte(`<html>`))
	m := task.Message{TaskID: "01939a3e-7c00-7000-8000-000000000001", Run: 1}
	kinds := map[task.Kind]bool{task.NotFound: true, task.Unavailable: true, task.Closed: true}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 || bytes.Contains(body, []byte("nextToken")) { // it would go on for ever
			return
		}
		x := New(aws.Config{
			Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
			HTTPClient: answering{status, body}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		}, "arn:aws:states:eu-west-1:000000000000:stateMachine:m", Standard)
		if _, err := x.Status(t.Context(), m); err != nil && !kinds[task.KindOf(err)] {
			t.Errorf("status: got the error %v", err)
		}
		events, err := x.History(t.Context(), m)
		if err != nil && !kinds[task.KindOf(err)] {
			t.Errorf("history: got the error %v", err)
		}
		for _, event := range events {
			var shown struct {
				Timestamp task.Time
				Type      string
				ID        int64
			}
			if err := json.Unmarshal(event, &shown); err != nil {
				t.Errorf("the event %s can't be read: %v", event, err)
			}
		}
	})
}
