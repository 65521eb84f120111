package dynamotable

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"tasks/internal/task"
)

// answers is a DynamoDB, mocked, that gives one answer to each request, the last
// again and again.
type answers struct {
	bodies   []string // "" is a success
	requests int
	tokens   map[string]bool
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, token, ok := strings.Cut(string(sent), `"ClientRequestToken":"`)
	if !ok {
		return nil, errors.New("a request without a token")
	}
	token, _, _ = strings.Cut(token, `"`)
	a.tokens[token] = true
	body := a.bodies[min(a.requests, len(a.bodies)-1)]
	a.requests++
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	if body != "" {
		resp.StatusCode, resp.Body = http.StatusBadRequest, io.NopCloser(strings.NewReader(body))
	}
	return resp, nil
}

// Functions that add to the counts at the same time are in each other's way.
func TestAddCountsIsSentAgainAfterAConflict(t *testing.T) {
	t.Parallel()
	cancelled := func(code string) string {
		return `{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "cancelled", "CancellationReasons": [{"Code": "` + code + `"}]}`
	}
	met := cancelled("TransactionConflict")
	for _, row := range []struct {
		name     string
		bodies   []string
		requests int
		ok       bool
	}{
		{"three times", []string{met, met, met, ""}, 4, true},
		{"another reason", []string{cancelled("ValidationError")}, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := &answers{bodies: row.bodies, tokens: map[string]bool{}}
				table := New(aws.Config{
					Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
					HTTPClient: &http.Client{Transport: service},
				}, "tasks")
				err := table.AddCounts(t.Context(), "a token", map[task.Status]int{task.Pending: 1}, task.AtMilli(1))
				if (err == nil) != row.ok || err != nil && !task.IsKind(err, task.Unavailable) {
					t.Errorf("got %v", err)
				}
				if service.requests != row.requests || len(service.tokens) != 1 {
					t.Errorf("got %d requests with %d tokens, want %d with one", service.requests, len(service.tokens), row.requests)
				}
			})
		})
	}
}
