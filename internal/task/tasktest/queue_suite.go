package tasktest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tasks/internal/task"
)

// ExerciseQueue runs the conformance suite of task.Queue. open returns an
// empty queue, and receive, which takes from it what is there and returns the
// bodies, in any order; it may miss some for a while.
func ExerciseQueue(t *testing.T, open func(t *testing.T) (q task.Queue, receive func() []string)) {
	t.Run("carries messages", func(t *testing.T) {
		t.Parallel()
		q, receive := open(t)
		id := newIDAt(t, time.Now())
		var want []string
		for run := 1; run <= 3; run++ {
			m := task.Message{TaskID: id, Run: run}
			if err := q.Send(t.Context(), m); err != nil {
				t.Fatalf("Send: %v", err)
			}
			want = append(want, m.Body())
		}
		wantBodies(t, receive, want)
	})
	t.Run("carries a message again that is sent again", func(t *testing.T) {
		t.Parallel()
		q, receive := open(t)
		m := task.Message{TaskID: newIDAt(t, time.Now()), Run: 1}
		for range 2 {
			if err := q.Send(t.Context(), m); err != nil {
				t.Fatalf("Send: %v", err)
			}
			wantBodies(t, receive, []string{m.Body()})
		}
	})
	t.Run("takes concurrent senders", func(t *testing.T) {
		t.Parallel()
		q, receive := open(t)
		var want []string
		var all sync.WaitGroup
		for range 40 {
			m := task.Message{TaskID: newIDAt(t, time.Now()), Run: 1}
			want = append(want, m.Body())
			all.Go(func() {
				if err := q.Send(t.Context(), m); err != nil {
					t.Errorf("Send: %v", err)
				}
			})
		}
		all.Wait()
		wantBodies(t, receive, want)
	})
}

// ExerciseDeadLetterQueue runs the conformance suite of task.DeadLetterQueue.
// open is as ExerciseQueue's.
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
