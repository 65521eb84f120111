package sqsqueue_test

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/sqsqueue"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const endpointVariable = "TASKS_TEST_SQS_ENDPOINT"

// create makes a queue, and a way to receive what is there.
func create(t *testing.T) (url string, receive func() []string) {
	t.Helper()
	client := sqs.NewFromConfig(awstest.Config(t, endpointVariable, nil))
	name := "tasks-" + strings.ToLower(rand.Text())
	created, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatalf("create queue: %v", err)
	}
	url = *created.QueueUrl
	t.Cleanup(func() {
		if _, err := client.DeleteQueue(context.WithoutCancel(t.Context()), &sqs.DeleteQueueInput{QueueUrl: &url}); err != nil {
			t.Logf("queue %s is left behind: %v", name, err)
		}
	})
	return url, func() (bodies []string) {
		received, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
		var done []types.DeleteMessageBatchRequestEntry
		for _, m := range received.Messages {
			bodies = append(bodies, *m.Body)
			done = append(done, types.DeleteMessageBatchRequestEntry{Id: m.MessageId, ReceiptHandle: m.ReceiptHandle})
		}
		if len(done) > 0 {
			if _, err := client.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: done}); err != nil {
				t.Fatalf("delete: %v", err)
			}
		}
		return bodies
	}
}

// transports are the ways to the queues.
func transports() map[string]http.RoundTripper {
	return map[string]http.RoundTripper{
		"over a good way": nil,
		"when every answer is lost once": &awstest.Transport{
			Choose: awstest.Rotate(awstest.AppliedThenReset),
		},
		"over an unreliable way": &awstest.Transport{
			Choose: awstest.Rotate(awstest.Throttled, awstest.None, awstest.Lost, awstest.ServerError, awstest.AppliedThenReset),
		},
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	for name, transport := range transports() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tasktest.ExerciseQueue(t, func(t *testing.T) tasktest.QueueUnderTest {
				url, receive := create(t)
				return tasktest.QueueUnderTest{Queue: sqsqueue.NewQueue(awstest.Config(t, endpointVariable, transport), url), Receive: receive}
			})
		})
	}
}

func TestDeadLetterQueue(t *testing.T) {
	t.Parallel()
	for name, transport := range transports() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tasktest.ExerciseDeadLetterQueue(t, func(t *testing.T) (task.DeadLetterQueue, func() []string) {
				url, receive := create(t)
				return sqsqueue.NewDeadLetterQueue(awstest.Config(t, endpointVariable, transport), url), receive
			})
		})
	}
}

func TestDeadLetterQueueReplacesWhatSQSDoesNotCarry(t *testing.T) {
	t.Parallel()
	url, receive := create(t)
	err := sqsqueue.NewDeadLetterQueue(awstest.Config(t, endpointVariable, nil), url).Send(t.Context(), "a\x00b\x1fc\uFFFEd\xffe\tf\U0010FFFF")
	if err != nil {
		t.Fatal(err)
	}
	want := "a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\tf\U0010FFFF"
	if got := receive(); len(got) != 1 || got[0] != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestQueuesWhicheverRequestIsHit(t *testing.T) {
	t.Parallel()
	m := task.Message{TaskID: "01939a3e-7c00-7000-8000-000000000001", Run: 1}
	// sending returns a call of Send.
	sending := func(send func(context.Context, aws.Config, string) error) []awstest.Call {
		return []awstest.Call{{Name: "Send", Prepare: func(t *testing.T, transport http.RoundTripper) awstest.Prepared {
			url, receive := create(t)
			received := map[string]bool{} // that a message has come twice is allowed
			return awstest.Prepared{
				ID: url,
				Do: func(ctx context.Context) (any, error) {
					return nil, send(ctx, awstest.Config(t, endpointVariable, transport), url)
				},
				State: func() any {
					for _, body := range receive() {
						received[body] = true
					}
					return received
				},
			}
		}}}
	}
	t.Run("task queue", func(t *testing.T) {
		awstest.Sweep[task.Queue](t, sending(func(ctx context.Context, cfg aws.Config, url string) error {
			return sqsqueue.NewQueue(cfg, url).Send(ctx, task.Outgoing{Message: m})
		}))
	})
	t.Run("task queue, two messages", func(t *testing.T) {
		second := m
		second.Run++
		awstest.Sweep[task.Queue](t, sending(func(ctx context.Context, cfg aws.Config, url string) error {
			return sqsqueue.NewQueue(cfg, url).Send(ctx, task.Outgoing{Message: m}, task.Outgoing{Message: second})
		}))
	})
	t.Run("dead letter queue", func(t *testing.T) {
		awstest.Sweep[task.DeadLetterQueue](t, sending(func(ctx context.Context, cfg aws.Config, url string) error {
			return sqsqueue.NewDeadLetterQueue(cfg, url).Send(ctx, m.Body())
		}))
	})
}

// TestABatchOfWhichAPartIsRefused is one of 15 messages, in two requests, of which the
// service refuses one or none: it answers 200 all the same.
func TestABatchOfWhichAPartIsRefused(t *testing.T) {
	t.Parallel()
	type entry struct {
		ID     string `json:"Id"`
		Body   string `json:"MessageBody,omitempty"`
		MD5    string `json:"MD5OfMessageBody,omitempty"`
		Sender bool   `json:"SenderFault"`
		Code   string `json:",omitempty"`
	}
	for name, test := range map[string]struct {
		refused int // of the messages; none, if negative
		want    task.Kind
	}{
		"none":                   {-1, ""},
		"one of the first ten":   {3, task.Unavailable},
		"one of the second five": {14, task.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			transport := awstest.Answers(func(_ string, body []byte) (int, string) {
				var request struct{ Entries []entry }
				if err := json.Unmarshal(body, &request); err != nil {
					t.Error(err)
				}
				answer := map[string][]entry{"Successful": {}, "Failed": {}}
				for _, e := range request.Entries {
					if sent == test.refused {
						answer["Failed"] = append(answer["Failed"], entry{ID: e.ID, Code: "InternalError"})
					} else {
						answer["Successful"] = append(answer["Successful"], entry{ID: e.ID, MD5: fmt.Sprintf("%x", md5.Sum([]byte(e.Body)))})
					}
					sent++
				}
				document, _ := json.Marshal(answer)
				return http.StatusOK, string(document)
			})
			messages := make([]task.Outgoing, 15)
			err := sqsqueue.NewQueue(awstest.FunctionConfig(transport), "http://service.test/queue").Send(t.Context(), messages...)
			if task.KindOf(err) != test.want || (err == nil) != (test.want == "") {
				t.Errorf("got %v, want kind %q", err, test.want)
			}
			if n := transport.Count("SendMessageBatch"); n != 2 || sent != len(messages) {
				t.Errorf("got %d messages in %d requests, want %d in 2", sent, n, len(messages))
			}
		})
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	const url = "http://service.test/queue"
	t.Run("task queue", func(t *testing.T) {
		awstest.Outage(t, func(cfg aws.Config) task.Queue { return sqsqueue.NewQueue(cfg, url) })
	})
	t.Run("dead letter queue", func(t *testing.T) {
		awstest.Outage(t, func(cfg aws.Config) task.DeadLetterQueue { return sqsqueue.NewDeadLetterQueue(cfg, url) })
	})
}
