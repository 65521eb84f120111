package tasktest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tasks/internal/task"
)

// QueueUnderTest is an implementation of task.Queue and ways to see it work.
type QueueUnderTest struct {
	task.Queue
	// Prepare makes the record of m's task, PENDING in that run and without a
	// message, where the queue needs one; nil if it needs none.
	Prepare func(t *testing.T, m task.Message)
	// Receive takes from the queue what is there and returns the bodies, in any
	// order; it may miss some for a while.
	Receive func() []string
}

// ExerciseQueue runs the conformance suite of task.Queue. open returns an
// empty queue.
func ExerciseQueue(t *testing.T, open func(t *testing.T) QueueUnderTest) {
	t.Run("carries a message, and again when it is sent again", func(t *testing.T) {
		t.Parallel()
		q := open(t)
		m := q.newMessage(t)
		for range 2 {
			if err := q.Send(t.Context(), task.Outgoing{Message: m}); err != nil {
				t.Fatalf("Send: %v", err)
			}
			wantBodies(t, q.Receive, []string{m.Body()})
		}
	})
	t.Run("carries many together, and holds back what is delayed", func(t *testing.T) {
		t.Parallel()
		q := open(t)
		var messages []task.Outgoing
		want := map[string]bool{}
		for range 25 { // more than SQS takes at once
			m := task.Outgoing{Message: q.newMessage(t)}
			messages, want[m.Body()] = append(messages, m), true
		}
		messages[11].Delay = 2 * time.Second
		sent := time.Now()
		if err := q.Send(t.Context(), messages...); err != nil {
			t.Fatalf("Send: %v", err)
		}
		eventually(t, func() string {
			bodies := q.Receive()
			if time.Since(sent) < messages[11].Delay && slices.Contains(bodies, messages[11].Body()) {
				t.Fatalf("received what is delayed by %v after %v", messages[11].Delay, time.Since(sent))
			}
			for _, body := range bodies {
				delete(want, body)
			}
			if len(want) > 0 {
				return fmt.Sprintf("%d messages have not come", len(want))
			}
			return ""
		})
	})
	t.Run("takes concurrent senders", func(t *testing.T) {
		t.Parallel()
		q := open(t)
		var messages []task.Message
		var want []string
		for range 40 {
			m := q.newMessage(t)
			messages, want = append(messages, m), append(want, m.Body())
		}
		var all sync.WaitGroup
		for _, m := range messages {
			all.Go(func() {
				if err := q.Send(t.Context(), task.Outgoing{Message: m}); err != nil {
					t.Errorf("Send: %v", err)
				}
			})
		}
		all.Wait()
		wantBodies(t, q.Receive, want)
	})
}

func (q QueueUnderTest) newMessage(t *testing.T) task.Message {
	t.Helper()
	m := task.Message{TaskID: newIDAt(t, time.Now()), Run: 1}
	if q.Prepare != nil {
		q.Prepare(t, m)
	}
	return m
}

// ExerciseDeadLetterQueue runs the conformance suite of task.DeadLetterQueue.
// open returns an empty queue, and receive, which is as QueueUnderTest.Receive.
func ExerciseDeadLetterQueue(t *testing.T, open func(t *testing.T) (q task.DeadLetterQueue, receive func() []string)) {
	m := task.Message{TaskID: newIDAt(t, time.Now()), Run: 2}
	bodies := map[string]string{
		"a dead letter": task.DeadLetter{
			Message: m, Error: "WorkerError", Cause: "\x00 \" 👩‍👩‍👧‍👦 \r\n<>&", ExecutionID: "arn:aws:states:eu-west-1:123456789012:execution:m:n",
		}.Body(),
		"a raw message":      m.Body(),
		"what is not JSON":   "\t{not JSON} 'x' \"y\" \\ <a href=\"&amp;\">\r\n",
		"other scripts":      "наука 科学 علم 👩‍👩‍👧‍👦 \uFFFD",
		"200 KiB":            strings.Repeat("x", 200<<10),
		"a single character": "?",
	}
	for name, body := range bodies {
		t.Run("carries "+name, func(t *testing.T) {
			t.Parallel()
			q, receive := open(t)
			if err := q.Send(t.Context(), body); err != nil {
				t.Fatalf("Send: %v", err)
			}
			wantBodies(t, receive, []string{body})
		})
	}
}

// wantBodies receives until every body has come. Delivery is at least once, so
// that one may come twice.
func wantBodies(t *testing.T, receive func() []string, want []string) {
	t.Helper()
	wanted, got := map[string]bool{}, map[string]bool{}
	for _, body := range want {
		wanted[body] = true
	}
	eventually(t, func() string {
		for _, body := range receive() {
			got[body] = true
			if !wanted[body] {
				t.Fatalf("received %q, which was not sent", task.Cut(body, 200))
			}
		}
		if len(got) < len(wanted) {
			return fmt.Sprintf("received %d messages, want %d", len(got), len(wanted))
		}
		return ""
	})
}
