package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	tasks "tasks"
	"tasks/functions/monitor"
	"tasks/functions/poller"
	"tasks/functions/process"
	"tasks/functions/reconcile"
	"tasks/internal/asl"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// TestScale has a backlog of tasks worked off while the services refuse what is
// past their quotas, in virtual time: the functions and the state machine are the
// real ones, with tasktest.Retries, and nothing fails but what is refused, and three attempts in ten. TASKS
// is how many there are. docs/scale.md has the quotas.
func TestScale(t *testing.T) {
	t.Parallel()
	n := 20_000
	if text := os.Getenv("TASKS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			t.Fatalf("TASKS=%s: want a number", text)
		}
	}
	for _, row := range []struct {
		name    string
		quotas  quotas
		tasks   int
		binding float64 // tasks a second at which the quota lets them through
		share   float64 // of that, which must be reached
	}{
		{"starts, 300 a second", quotas{starts: newBucket(1300, 300), transitions: newBucket(5000, 5000), workers: 1000}, n, 300, 0.8},
		{"transitions, 200 a second", quotas{starts: newBucket(1300, 300), transitions: newBucket(200, 200), workers: 1000}, n, 200 / 1.444, 0.8},
		{"workers, 10 at once", quotas{starts: newBucket(1300, 300), transitions: newBucket(5000, 5000), workers: 10}, min(n, 50_000) / 4, 10 / (1.39 * 0.1), 0.4}, // the last wait for up to a minute
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScale(t, row.quotas, row.tasks)
				lasted := s.run()
				s.check(t)
				rate := float64(row.tasks) / lasted.Seconds()
				t.Logf("%d tasks in %v: %.0f a second, where the quota lets %.0f through; refused: %d starts, %d transitions (delayed), %d invocations; %v; received again: %d, sent again by reconcile: %d",
					row.tasks, lasted.Round(time.Second), rate, row.binding, s.quotas.starts.refused, s.quotas.transitions.refused, s.throttled, s.ended, s.again, s.resent)
				if rate < row.share*row.binding {
					t.Errorf("the backlog was worked off at %.1f tasks a second, want at least %.0f %% of %.1f", rate, 100*row.share, row.binding)
				}
			})
		})
	}
}

// quotas are what the services let through.
type quotas struct {
	starts, transitions *bucket
	workers             int // at once
}

// bucket is a token bucket, as the quotas of Step Functions are.
type bucket struct {
	mu                 sync.Mutex
	size, rate, tokens float64
	at                 time.Time
	refused            int
}

func newBucket(size, rate float64) *bucket { return &bucket{size: size, rate: rate, tokens: size} }

// take takes a token, or returns how long it takes until there is one for those who
// came before and this one.
func (b *bucket) take(wait bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.at.IsZero() {
		b.tokens = min(b.size, b.tokens+now.Sub(b.at).Seconds()*b.rate)
	}
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	b.refused++
	if wait { // it has it, later
		b.tokens--
		return time.Duration(-b.tokens / b.rate * float64(time.Second))
	}
	return time.Millisecond
}

// scale is the system with its quotas.
type scale struct {
	quotas  quotas
	machine *asl.Machine
	store   *scaleStore
	process *process.Handler
	poller  *poller.Handler
	monitor *monitor.Handler
	letters chan string

	mu                  sync.Mutex
	waiting             []*waiting
	running             map[string]bool // the executions that were started, by name
	active, throttled   int
	open, again, resent int
	ended               map[string]int
	done                chan struct{}
}

// waiting is a message on the queue.
type waiting struct {
	message  task.Message
	receives int
}

const (
	backlogPollers = 5                     // template.yaml's PollerConcurrency
	visibility     = 300 * time.Second     // its VisibilityTimeout
	receivesMax    = 3                     // its MaxReceiveCount
	latency        = 20 * time.Millisecond // of a request, in one region
)

func newScale(t *testing.T, q quotas, n int) *scale {
	t.Helper()
	definition, err := tasks.Files.ReadFile("statemachine/task.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	retried, err := tasktest.RetryBy(string(definition), tasktest.Retries) // what the figures are of
	if err != nil {
		t.Fatal(err)
	}
	machine, err := asl.Parse([]byte(retried))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &scale{
		quotas: q, machine: machine, store: &scaleStore{Store: tasktest.NewStore()}, letters: make(chan string, n+1),
		running: map[string]bool{}, ended: map[string]int{}, open: n, done: make(chan struct{}),
	}
	random := rand.New(rand.NewPCG(8, uint64(n)))
	s.process = &process.Handler{Store: s.store, Retention: retention, Log: log, Worker: scaleWorker(func(ctx context.Context) error {
		<-time.After(100 * time.Millisecond)
		s.mu.Lock()
		defer s.mu.Unlock()
		if random.Float64() < 0.3 {
			return errors.New("simulated failure")
		}
		return nil
	})}
	s.poller = &poller.Handler{Executions: s, DeadLetterQueue: scaleLetters{s}, Metrics: tasktest.NewMetrics(), Log: log}
	s.monitor = &monitor.Handler{Store: s.store, Metrics: tasktest.NewMetrics(), Retention: retention, Log: log}
	now := time.Now()
	for i := range n {
		id := task.ID(fmt.Sprintf("01939a3e-7c00-7000-8000-%012d", i))
		created := task.New(id, "forty-two", now)
		s.store.Put(created)
		s.store.ids = append(s.store.ids, id)
		s.waiting = append(s.waiting, &waiting{message: created.Message()})
	}
	return s
}

// run works the backlog off and returns how long that took.
func (s *scale) run() time.Duration {
	began := time.Now()
	ctx, stop := context.WithCancel(context.Background())
	var sources sync.WaitGroup
	for range backlogPollers {
		sources.Go(func() { s.poll(ctx) })
	}
	sources.Go(func() { s.monitorLetters(ctx) })
	sources.Go(func() { s.reconcileEveryMinute(ctx) })
	<-s.done
	lasted := time.Since(began)
	stop()
	sources.Wait()
	return lasted
}

// check looks at every task.
func (s *scale) check(t *testing.T) {
	t.Helper()
	for _, id := range s.store.ids {
		now, err := s.store.Get(context.Background(), id)
		if err != nil || now.Status.Open() || now.Status == task.DLQ && now.ErrorType == "" {
			t.Fatalf("task %s: %s, %q, %v, want it final, with a reason if it is dead", id, now.Status, now.ErrorType, err)
		}
		s.ended[string(now.Status)+" "+now.ErrorType]++
	}
	if n := s.ended["DLQ NotStarted"]; n > 0 {
		t.Errorf("%d tasks are dead because their executions were refused", n)
	}
}

// final counts a task that has become final.
func (s *scale) final() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open == 0 {
		close(s.done)
	}
}

// poll is an event source mapping's poller: it has the function handle what waits,
// ten messages at a time.
func (s *scale) poll(ctx context.Context) {
	for ctx.Err() == nil {
		var batch []*waiting
		s.mu.Lock()
		for len(batch) < 10 && len(s.waiting) > 0 {
			m := s.waiting[0]
			s.waiting = s.waiting[1:]
			if m.receives++; m.receives > receivesMax {
				s.letters <- m.message.Body()
				continue
			}
			if m.receives > 1 {
				s.again++
			}
			batch = append(batch, m)
		}
		s.mu.Unlock()
		if len(batch) == 0 {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		var event events.SQSEvent
		for i, m := range batch {
			event.Records = append(event.Records, events.SQSMessage{MessageId: strconv.Itoa(i), Body: m.message.Body()})
		}
		invocation, cancel := context.WithTimeout(context.Background(), 50*time.Second)
		resp, _ := s.poller.Handle(invocation, event)
		cancel()
		for _, f := range resp.BatchItemFailures {
			i, _ := strconv.Atoi(f.ItemIdentifier)
			time.AfterFunc(visibility, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.waiting = append(s.waiting, batch[i])
			})
		}
	}
}

// Start implements task.Executions: a request as internal/sfnexecutions sends it,
// again and again until ctx ends, but for the SDK's own rate limit, which would have
// fewer of them refused.
func (s *scale) Start(ctx context.Context, m task.Message) error {
	for wait := time.Second; ; wait = min(2*wait, 5*time.Second) {
		<-time.After(latency)
		if s.quotas.starts.take(false) == 0 {
			s.mu.Lock()
			runs := s.running[m.ExecutionName()]
			s.running[m.ExecutionName()] = true
			s.mu.Unlock()
			if !runs {
				go s.execute(m)
			}
			return nil
		}
		select {
		case <-time.After(time.Duration(rand.Float64() * float64(wait))):
		case <-ctx.Done():
			return task.Errorf(task.Unavailable, "ThrottlingException: %w", ctx.Err())
		}
	}
}

// execute is an execution of the state machine.
func (s *scale) execute(m task.Message) {
	x := s.machine.NewExecution()
	next := []asl.Event{{Kind: asl.Start, Start: &asl.StartInput{ExecutionID: "arn:aws:states:::execution:m:" + m.ExecutionName(), Input: json.RawMessage(m.Body()), Seed: rand.Uint64()}}}
	for len(next) > 0 {
		event := next[0]
		next = next[1:]
		event.Time = time.Now().UTC()
		commands, _, err := x.Step(event)
		if err != nil {
			panic(err) // a bug of this test
		}
		for _, c := range commands {
			switch c := c.(type) {
			case asl.SetTimer:
				<-time.After(time.Until(c.At))
				next = append(next, asl.Event{Kind: asl.TimerFired, Ref: c.Ref})
			case asl.InvokeTask:
				<-time.After(s.quotas.transitions.take(true)) // a transition past the quota is delayed
				next = append(next, s.integrate(c))
			}
		}
	}
	if x.Status() == asl.Succeeded {
		s.final()
	}
}

// integrate carries out a Task state.
func (s *scale) integrate(c asl.InvokeTask) asl.Event {
	answer := asl.Event{Kind: asl.TaskSucceeded, Ref: c.Ref, Answer: json.RawMessage(`{}`)}
	fail := func(errorType, cause string) asl.Event {
		return asl.Event{Kind: asl.TaskFailed, Ref: c.Ref, Error: errorType, Cause: cause}
	}
	if c.State == "DeadLetter" {
		var parameters struct{ MessageBody json.RawMessage }
		unmarshal(c.Parameters, &parameters)
		s.letters <- string(parameters.MessageBody)
		return answer
	}
	s.mu.Lock()
	if s.active >= s.quotas.workers {
		s.throttled++
		s.mu.Unlock()
		return fail("Lambda.TooManyRequestsException", "Rate Exceeded.")
	}
	s.active++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.active--
		s.mu.Unlock()
	}()
	var in process.Input
	unmarshal(c.Payload, &in)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := s.process.Handle(ctx, in); err != nil {
		failure, _ := errors.AsType[*task.Error](err)
		return fail(string(failure.Kind), `{"errorMessage":`+strconv.Quote(failure.Message)+`}`)
	}
	return answer
}

func (s *scale) monitorLetters(ctx context.Context) {
	for {
		select {
		case body := <-s.letters:
			if _, err := s.monitor.Handle(ctx, events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: body}}}); err != nil {
				panic(err)
			}
			s.final()
		case <-ctx.Done():
			return
		}
	}
}

// reconcileEveryMinute looks after tasks that have been open for long, as most of a
// backlog have.
func (s *scale) reconcileEveryMinute(ctx context.Context) {
	handler := &reconcile.Handler{Store: s.store, Queue: scaleQueue{s}, DeadLetterQueue: scaleLetters{s}, Executions: s, Metrics: tasktest.NewMetrics(), Log: slog.New(slog.DiscardHandler)}
	for {
		select {
		case <-time.After(time.Minute):
			invocation, cancel := context.WithTimeout(context.Background(), 50*time.Second)
			_, err := handler.Handle(invocation, reconcile.Input{})
			cancel()
			if err != nil {
				panic(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Status implements task.Executions.
func (s *scale) Status(_ context.Context, m task.Message) (task.ExecutionOutcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running[m.ExecutionName()] {
		return task.ExecutionOutcome{}, task.Errorf(task.NotFound, "ExecutionDoesNotExist")
	}
	return task.ExecutionOutcome{Status: task.ExecutionRunning}, nil
}

// History implements task.Executions.
func (s *scale) History(context.Context, task.Message) ([]json.RawMessage, error) {
	return nil, task.Errorf(task.Unsupported, "not simulated")
}

type scaleWorker func(context.Context) error

func (w scaleWorker) Work(ctx context.Context, _ task.Task) error { return w(ctx) }

type scaleLetters struct{ *scale }

func (l scaleLetters) Send(_ context.Context, body string) error {
	l.letters <- body
	return nil
}

type scaleQueue struct{ *scale }

func (q scaleQueue) Send(_ context.Context, messages ...task.Outgoing) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range messages {
		q.resent++
		q.waiting = append(q.waiting, &waiting{message: m.Message})
	}
	return nil
}

// scaleStore is a store whose Due looks at a bounded number of tasks, as the table's
// does: some from a random one on.
type scaleStore struct {
	*tasktest.Store
	ids []task.ID
}

func (s *scaleStore) Due(ctx context.Context, now task.Time, limit int) (due []task.Task, err error) {
	from := rand.IntN(len(s.ids))
	for i := range min(512, len(s.ids)) {
		t, err := s.Get(ctx, s.ids[(from+i)%len(s.ids)])
		if err != nil {
			return nil, err
		}
		if t.Status.Open() && !t.NextCheckAt.After(now.Time) {
			due = append(due, t)
		}
	}
	return due[:min(limit, len(due))], nil
}
