package monitor

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"tasks/internal/task"
)

// maxLoggedBody is how much of a malformed message is logged, before escaping.
const maxLoggedBody = 1 << 10

// letter is a message and what became of it.
type letter struct {
	events.SQSMessage
	dead    task.DeadLetter // unless it is malformed
	record  task.Task       // unless the task is gone
	outcome task.MarkOutcome
}

// counts tells whether the message is one for the metric. One that has come
// before is, if that time it may have been marked and not counted: the task is in
// the DLQ, or was redriven since.
func (l *letter) counts() bool {
	switch l.outcome {
	case task.Marked, task.Malformed:
		return true
	case task.Duplicate:
		return l.receiveCount() > 1
	case task.Stale:
		return l.receiveCount() > 1 && l.record.Run > l.dead.Run
	}
	return false
}

func (l *letter) receiveCount() int {
	n, _ := strconv.Atoi(l.Attributes["ApproximateReceiveCount"]) // 0 if it is missing
	return n
}

// attrs returns the attributes of the message's DLQ_MESSAGE log record. The task's
// answer is not among them. retryCount is the record's retries: those of the task, and
// not those that Lambda's throttles took.
func (l *letter) attrs() []slog.Attr {
	sent, _ := strconv.ParseInt(l.Attributes["SentTimestamp"], 10, 64) // 0 if it is missing
	attrs := []slog.Attr{
		slog.String("eventType", "DLQ_MESSAGE"),
		slog.String("outcome", string(l.outcome)),
		slog.String("messageId", l.MessageId),
		slog.Int("receiveCount", l.receiveCount()),
		slog.String("sentAt", task.AtMilli(sent).String()),
	}
	if l.outcome == task.Malformed {
		return append(attrs,
			slog.Int("bodyBytes", len(l.Body)),
			slog.String("bodySha256", fmt.Sprintf("%x", sha256.Sum256([]byte(l.Body)))),
			slog.String("bodyStart", strconv.QuoteToASCII(l.Body[:min(len(l.Body), maxLoggedBody)])),
		)
	}
	errorType, errorMessage := l.dead.Why()
	return append(attrs,
		slog.String("taskId", string(l.dead.TaskID)),
		slog.Int("run", l.dead.Run),
		slog.String("errorType", errorType),
		slog.String("errorMessage", errorMessage),
		slog.Int("retryCount", l.record.Retries),
		slog.Int("attempts", l.attempts()),
		slog.String("executionId", cmp.Or(l.dead.ExecutionID, l.record.ExecutionID)),
	)
}

// attempts counts the attempts that the record has of the message's run.
func (l *letter) attempts() int {
	n := 0
	for _, a := range l.record.Attempts {
		if a.Run == l.dead.Run {
			n++
		}
	}
	return n
}
