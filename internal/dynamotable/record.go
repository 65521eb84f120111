package dynamotable

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"tasks/internal/task"
)

// record is a task's item. Times are in milliseconds since the epoch but for
// those of the time to live, which DynamoDB wants in seconds.
type record struct {
	ID            task.ID           `dynamodbav:"pk"`
	Class         string            `dynamodbav:"class"`
	Rev           string            `dynamodbav:"rev"`
	Status        task.Status       `dynamodbav:"status"`
	Labels        map[string]string `dynamodbav:"labels,omitempty"`
	NextAttemptAt int64             `dynamodbav:"nextAttemptAt,omitempty"`
	Run           int               `dynamodbav:"run"`
	Retries       int               `dynamodbav:"retries,omitempty"`
	CreatedAt     int64             `dynamodbav:"createdAt"`
	UpdatedAt     int64             `dynamodbav:"updatedAt"`
	ErrorType     string            `dynamodbav:"errorType,omitempty"`
	ErrorMessage  string            `dynamodbav:"errorMessage,omitempty"`
	Attempts      []attempt         `dynamodbav:"attempts,omitempty"`
	ExecutionID   string            `dynamodbav:"executionId,omitempty"`
	Owner         string            `dynamodbav:"owner,omitempty"`
	LeaseUntil    int64             `dynamodbav:"leaseUntil,omitempty"`
	NextCheckAt   int64             `dynamodbav:"nextCheckAt,omitempty"`
	Checks        int               `dynamodbav:"checks,omitempty"`
	ExpiresAt     int64             `dynamodbav:"expiresAt,omitempty"`

	Answer string `dynamodbav:"answer,omitempty"`
	// AnswerHead, AnswerBytes and AnswerExpiresAt are of a large answer: how it begins,
	// how long it is, and when the item of its rest expires.
	AnswerHead      string `dynamodbav:"answerHead,omitempty"`
	AnswerBytes     int    `dynamodbav:"answerBytes,omitempty"`
	AnswerExpiresAt int64  `dynamodbav:"answerExpiresAt,omitempty"`
}

// changing are the attributes that a transition may change, or remove. Others stay as
// they are: what newRecord makes of a task lacks some.
var changing = []string{
	"class", "rev", "status", "run", "retries", "updatedAt", "errorType", "errorMessage", "attempts", "executionId",
	"owner", "leaseUntil", "nextAttemptAt", "nextCheckAt", "checks", "expiresAt", "answerExpiresAt",
}

type attempt struct {
	Number       int    `dynamodbav:"number"`
	Run          int    `dynamodbav:"run"`
	StartedAt    int64  `dynamodbav:"startedAt"`
	FinishedAt   int64  `dynamodbav:"finishedAt,omitempty"`
	RetryCount   int    `dynamodbav:"retryCount,omitempty"`
	ErrorType    string `dynamodbav:"errorType,omitempty"`
	ErrorMessage string `dynamodbav:"errorMessage,omitempty"`
	NotCounted   bool   `dynamodbav:"notCounted,omitempty"`
}

// largeAnswer is the item of what its record doesn't have of a large answer.
type largeAnswer struct {
	Key       string `dynamodbav:"pk"`
	Rev       string `dynamodbav:"rev"`
	Rest      string `dynamodbav:"rest"`
	Answer    string `dynamodbav:"answer,omitempty"` // all of it, as earlier versions kept it: their records have no head
	ExpiresAt int64  `dynamodbav:"expiresAt"`
}

// heldKey is the item of an idempotency key.
type heldKey struct {
	Key       string  `dynamodbav:"pk"`
	Request   []byte  `dynamodbav:"request"`
	TaskID    task.ID `dynamodbav:"taskId"`
	ExpiresAt int64   `dynamodbav:"expiresAt"`
}

// quarantined is the item of a part of a quarantined message.
type quarantined struct {
	Key        string `dynamodbav:"pk"`
	Body       string `dynamodbav:"body"`
	ReceivedAt int64  `dynamodbav:"receivedAt"`
	ExpiresAt  int64  `dynamodbav:"expiresAt"`
}

func answerKey(id task.ID) string { return "answer#" + string(id) }

func idempotencyKey(k task.IdempotencyKey) string {
	digest := k.Digest()
	return "key#" + hex.EncodeToString(digest[:])
}

func quarantineKey(messageID string, part int) string {
	return "quarantine#" + messageID + "#" + strconv.Itoa(part)
}

// newRecord returns the record of a task, apart from what concerns its answer.
func newRecord(t task.Task) record {
	r := record{
		ID: t.ID, Class: classOf(t.Status).shard(shardOf(t.ID)), Status: t.Status, Run: t.Run, Retries: t.Retries,
		CreatedAt: t.CreatedAt.Milli(), UpdatedAt: t.UpdatedAt.Milli(),
		ErrorType: t.ErrorType, ErrorMessage: t.ErrorMessage,
		ExecutionID: t.ExecutionID, Owner: t.Owner, LeaseUntil: t.LeaseUntil.Milli(),
		Labels: t.Labels, NextAttemptAt: t.NextAttemptAt.Milli(), NextCheckAt: t.NextCheckAt.Milli(), Checks: t.Checks, ExpiresAt: seconds(t.ExpiresAt),
	}
	for _, a := range t.Attempts {
		r.Attempts = append(r.Attempts, attempt{
			Number: a.Number, Run: a.Run, StartedAt: a.StartedAt.Milli(), FinishedAt: a.FinishedAt.Milli(),
			RetryCount: a.RetryCount, ErrorType: a.ErrorType, ErrorMessage: a.ErrorMessage, NotCounted: a.NotCounted,
		})
	}
	return r
}

// withRest returns the task of a record, given the rest of its answer if that is large:
// if it is not the one that the record wants, the task has no answer.
func (r record) withRest(rest string) task.Task {
	t := r.task()
	t.Answer = r.Answer
	if r.AnswerBytes > 0 && r.isRest(rest) {
		t.Answer = r.AnswerHead + rest
	}
	return t
}

// isRest tells whether a large answer's head and a rest are as long as the answer.
func (r record) isRest(rest string) bool { return len(r.AnswerHead)+len(rest) == r.AnswerBytes }

// task returns the task of a record, without its answer.
func (r record) task() task.Task {
	t := task.Task{
		ID: r.ID, Status: r.Status, Run: r.Run, Retries: r.Retries,
		CreatedAt: task.AtMilli(r.CreatedAt), UpdatedAt: task.AtMilli(r.UpdatedAt),
		ErrorType: r.ErrorType, ErrorMessage: r.ErrorMessage,
		ExecutionID: r.ExecutionID, Owner: r.Owner, LeaseUntil: task.AtMilli(r.LeaseUntil),
		Labels: r.Labels, NextAttemptAt: task.AtMilli(r.NextAttemptAt), NextCheckAt: task.AtMilli(r.NextCheckAt), Checks: r.Checks, ExpiresAt: task.AtMilli(1000 * r.ExpiresAt),
	}
	for _, a := range r.Attempts {
		t.Attempts = append(t.Attempts, task.Attempt{
			Number: a.Number, Run: a.Run, StartedAt: task.AtMilli(a.StartedAt), FinishedAt: task.AtMilli(a.FinishedAt),
			RetryCount: a.RetryCount, ErrorType: a.ErrorType, ErrorMessage: a.ErrorMessage, NotCounted: a.NotCounted,
		})
	}
	return t
}

// decode returns the record in an item. The error is of kind NotFound if there
// is no item.
func decode(id task.ID, it item) (record, error) {
	if len(it) == 0 {
		return record{}, notFound(id)
	}
	var r record
	if err := attributevalue.UnmarshalMap(it, &r); err != nil {
		return record{}, fmt.Errorf("read the item of task %s: %w", id, err)
	}
	return r, nil
}

// class is a part of the index.
type class string

const (
	open class = "open"
	done class = "done"
	dead class = "dead"
)

func classOf(s task.Status) class {
	switch s {
	case task.Processed:
		return done
	case task.DLQ:
		return dead
	}
	return open
}

// shards is how many partitions of the index share a class: a partition takes
// 1,000 writes a second, and a task writes its entry two or three times. It
// can't be changed for a table that is in use.
const shards = 16

func shardOf(id task.ID) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % shards)
}

// shard returns the partition key of one of a class's shards.
func (c class) shard(n int) string { return fmt.Sprintf("%s#%02d", c, n) }

// seconds returns t for the time to live, rounded up.
func seconds(t task.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Add(time.Second - time.Millisecond).Unix()
}
