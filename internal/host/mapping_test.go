package host

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"tasks/internal/samtemplate"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

func testMapping(t *testing.T, handle sqsHandler) *mapping {
	return &mapping{
		source:      samtemplate.Mapping{Queue: "Queue", BatchSize: 10},
		queue:       samtemplate.Queue{VisibilityTimeout: 5 * time.Minute, MaxReceiveCount: 3, DeadLetterQueue: "Dead"},
		function:    function{name: "test", timeout: 50 * time.Second},
		handle:      handle,
		log:         slog.New(slog.NewTextHandler(io.Discard, nil)),
		outage:      &outage{},
		invocations: t.Context(), goroutines: newGoroutines(t.Context()),
	}
}

func failAll(batch events.SQSEvent) (resp events.SQSEventResponse) {
	for _, m := range batch.Records {
		resp.BatchItemFailures = append(resp.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	return resp
}

// A message that fails comes again after the visibility timeout, also when the
// host was down meanwhile, and after maxReceiveCount goes to the dead letter
// queue.
func TestRedrivePolicy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		handle func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)
	}{
		{"of a message that is reported", func(_ context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
			return failAll(batch), nil
		}},
		{"of a batch whose function fails", func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
			return events.SQSEventResponse{}, errors.New("out of order")
		}},
		{"of a batch whose function hangs", func(ctx context.Context, _ events.SQSEvent) (events.SQSEventResponse, error) {
			<-ctx.Done()
			<-time.After(time.Hour)
			return events.SQSEventResponse{}, nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				var mu sync.Mutex // invocations that hang are still there
				var received []time.Duration
				began := time.Now()
				m := testMapping(t, func(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
					mu.Lock()
					received = append(received, time.Since(began))
					mu.Unlock()
					return tt.handle(ctx, batch)
				})
				id, err := task.NewID()
				if err != nil {
					t.Fatal(err)
				}
				var dead []taskdb.Received
				for life := range 4 {
					db, err := taskdb.Open(path)
					if err != nil {
						t.Fatal(err)
					}
					if life == 0 {
						if err := tasktest.Create(t.Context(), db, task.New(id, "x", began)); err != nil {
							t.Fatal(err)
						}
					}
					intake, stop := context.WithCancel(t.Context())
					done := make(chan struct{})
					go func() {
						m.feedTasks(intake, db.Queue(), func(ctx context.Context) error { return ctx.Err() })
						close(done)
					}()
					pass(5*time.Minute + 55*time.Second)
					stop()
					<-done
					if life == 3 {
						now, cancel := context.WithTimeout(t.Context(), time.Second)
						dead, err = db.DeadLetterQueue().Receive(now, 10, time.Minute)
						cancel()
						if err != nil {
							t.Fatal(err)
						}
					}
					if err := db.Close(); err != nil {
						t.Fatal(err)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				if len(received) != 3 {
					t.Fatalf("received %d times, want 3: %v", len(received), received)
				}
				for i := range received[1:] {
					if gap := received[i+1] - received[i]; gap < 5*time.Minute {
						t.Errorf("received again after %v, want 5 minutes at least", gap)
					}
				}
				want := task.Message{TaskID: id, Run: 1}.Body()
				if len(dead) != 1 || dead[0].Body != want {
					t.Errorf("got dead letters %+v, want %s", dead, want)
				}
				<-time.After(2 * time.Hour) // for the handlers that hang
			})
		})
	}
}

func TestADeadLetterThatFailsComesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, err := taskdb.Open(filepath.Join(t.TempDir(), "tasks.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, body := range []string{"good", "bad"} {
			if err := db.DeadLetterQueue().Send(t.Context(), body); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		got := map[string][]string{}
		m := testMapping(t, func(_ context.Context, batch events.SQSEvent) (resp events.SQSEventResponse, _ error) {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range batch.Records {
				got[r.Body] = append(got[r.Body], r.Attributes["ApproximateReceiveCount"])
				if r.Body == "bad" && len(got["bad"]) < 3 {
					resp.BatchItemFailures = append(resp.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
				}
			}
			return resp, nil
		})
		intake, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { m.feedDeadLetters(intake, db.DeadLetterQueue()); close(done) }()
		pass(time.Minute)
		mu.Lock()
		if len(got["good"]) != 1 || len(got["bad"]) != 1 {
			t.Errorf("after a minute: got %v, want each once", got)
		}
		mu.Unlock()
		pass(time.Hour)
		mu.Lock()
		if len(got["good"]) != 1 || len(got["bad"]) != 3 || got["bad"][2] != "3" {
			t.Errorf("after an hour: got receive counts %v, want good once, and bad up to 3", got)
		}
		mu.Unlock()
		stop()
		<-done
	})
}
