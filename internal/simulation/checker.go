package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tasks/internal/task"
)

// retried are the failures of an attempt that are retried. How often can't be held
// against the record: a retry is used up too by an invocation that died before it
// had claimed the task.
var retried = []task.Kind{task.WorkerError, task.WorkerPanic, task.WorkerTimeout}

// Checker holds everything that is seen of the tasks against the promise. It is
// safe for concurrent use.
type Checker struct {
	// ClockSlack is how much sooner than it should a retry may seem to begin,
	// where clocks differ.
	ClockSlack time.Duration

	world *World // nil: a real system
	retry task.RetryPolicy

	mu       sync.Mutex
	tasks    map[task.ID]*seen
	names    []task.ID // in the order of their numbers
	marks    int       // records that went to the DLQ
	garbage  map[string]bool
	holders  map[string]task.ID // by idempotency key
	problems []string
}

// seen is what has been seen of a task.
type seen struct {
	number   int
	accepted bool
	record   task.Task // after the last write, zero before the first
	worked   []work
	letters  map[int]bool // by run: the log has a dead letter that was marked
}

// work is a run of the worker.
type work struct {
	run       int
	succeeded bool
}

// NewChecker returns a Checker for a world, or with nil for a real system, which
// is seen from outside: see Saw and Logged. Tasks are to be retried as the policy says.
func NewChecker(w *World, retry task.RetryPolicy) *Checker {
	return &Checker{world: w, retry: retry, tasks: map[task.ID]*seen{}, garbage: map[string]bool{}, holders: map[string]task.ID{}}
}

// Name returns a short name for a task, which is the same in each run of a seed.
func (c *Checker) Name(id task.ID) string {
	if id == "" {
		return "-"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name(id)
}

func (c *Checker) name(id task.ID) string { return "t" + strconv.Itoa(c.task(id).number) }

func (c *Checker) task(id task.ID) *seen {
	s := c.tasks[id]
	if s == nil {
		c.names = append(c.names, id)
		s = &seen{number: len(c.names), letters: map[int]bool{}}
		c.tasks[id] = s
	}
	return s
}

func (c *Checker) problem(id task.ID, format string, args ...any) {
	where := "task " + string(id)
	if c.world != nil {
		where = fmt.Sprintf("%s: after %s", c.name(id), c.world.Since())
	}
	c.problems = append(c.problems, where+": "+fmt.Sprintf(format, args...))
}

// Accepted notes that a client was told that its task is accepted, by a request
// with an idempotency key unless that is "".
func (c *Checker) Accepted(id task.ID, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.task(id)
	holder, again := c.holders[key]
	switch {
	case again && holder != id:
		c.problem(id, "accepted with the idempotency key of %s", c.name(holder))
	case !again && s.accepted:
		c.problem(id, "accepted twice under one id")
	}
	if key != "" {
		c.holders[key] = id
	}
	s.accepted = true
}

// KeyedAnswer returns what a task has for its answer whose request has an
// idempotency key, so that the task can be told by it.
func KeyedAnswer(key, answer string) string { return key + ": " + answer }

// keyOf returns the idempotency key of the request that made a task, or "".
func keyOf(t task.Task) string {
	key, _, keyed := strings.Cut(t.Answer, ": ")
	if !keyed {
		return ""
	}
	return key
}

// next are the statuses that a record may have after a write in the same run.
var next = map[task.Status][]task.Status{
	task.Pending:    {task.Pending, task.Processing, task.DLQ},
	task.Processing: {task.Processing, task.Processed, task.Failed, task.DLQ},
	task.Failed:     {task.Failed, task.Processing, task.DLQ},
	task.Processed:  {task.Processed},
	task.DLQ:        {task.DLQ},
}

// Wrote notes the record of a task after a write that may have changed it. It
// has to be called after each.
func (c *Checker) Wrote(now task.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.task(now.ID)
	before := s.record
	s.record = now
	switch {
	case before.ID == "":
		if now.Status != task.Pending || now.Run != 1 || len(now.Attempts) > 0 {
			c.problem(now.ID, "created %s in run %d", now.Status, now.Run)
		}
		if s.accepted {
			c.problem(now.ID, "accepted before its record was written")
		}
		return
	case now.Run == before.Run+1:
		if now.Status != task.Pending || before.Status != task.DLQ && before.Status != task.Pending {
			c.problem(now.ID, "run %d begins %s after a run that ended %s", now.Run, now.Status, before.Status)
		}
	case now.Run != before.Run:
		c.problem(now.ID, "run %d follows run %d", now.Run, before.Run)
	case !slices.Contains(next[before.Status], now.Status):
		c.problem(now.ID, "%s follows %s", now.Status, before.Status)
	}
	if now.Status == task.DLQ && before.Status != task.DLQ {
		c.marks++
	}
	c.attempts(before, now)
}

// maxCounted is how many attempts of a run may count: the first, and the retries.
func (c *Checker) maxCounted() int { return c.retry.MaxAttempts + 1 }

// attempts checks what a write did to the attempts.
func (c *Checker) attempts(before, now task.Task) {
	if len(now.Attempts) < len(before.Attempts) || len(now.Attempts) > len(before.Attempts)+1 {
		if len(before.Attempts) < task.MaxAttempts {
			c.problem(now.ID, "%d attempts follow %d", len(now.Attempts), len(before.Attempts))
		}
		return
	}
	for i, a := range before.Attempts {
		if b := now.Attempts[i]; !a.FinishedAt.IsZero() && a.ErrorType != string(task.LambdaUnknown) && a != b {
			c.problem(now.ID, "attempt %d has changed after its end: %+v to %+v", i+1, a, b)
		}
	}
	if len(now.Attempts) == len(before.Attempts) {
		return
	}
	begun := now.Attempts[len(now.Attempts)-1]
	if early := before.NextAttemptAt.Sub(begun.StartedAt.Time); before.Run == now.Run && early > c.ClockSlack {
		c.problem(now.ID, "attempt %d of run %d begins %v before it is due", begun.Number, begun.Run, early)
	}
	if begun.Number > c.maxCounted() {
		c.problem(now.ID, "attempt %d of run %d begins, and at most %d count", begun.Number, begun.Run, c.maxCounted())
	}
	if len(now.Attempts) < 2 {
		return
	}
	last := now.Attempts[len(now.Attempts)-2]
	if last.Run == begun.Run && last.ErrorType == string(task.PermanentError) {
		c.problem(now.ID, "attempt %d begins after a failure for good", begun.Number)
	}
	if !last.FinishedAt.IsZero() && last.ErrorType == "" {
		c.problem(now.ID, "attempt %d of run %d begins after a success", begun.Number, begun.Run)
	}
	if begun.Number == 1 {
		return
	}
	// An attempt that died without a word is closed when the next one begins:
	// when it failed is not in the record, but it did after it had begun.
	failed := last.FinishedAt
	if last.ErrorType == string(task.LambdaUnknown) {
		failed = last.StartedAt
	}
	wait := c.retry.Wait(begun.Number - 1)
	if gap := begun.StartedAt.Sub(failed.Time); !last.NotCounted && gap < wait-c.ClockSlack {
		c.problem(now.ID, "attempt %d began %v after attempt %d failed, want %v at least", begun.Number, gap, last.Number, wait)
	}
}

// Working notes that the worker begins with a task, as the claim of its attempt
// gave it. None may begin when a success is recorded but one that was slow to hear that
// it had claimed the task, and was taken for dead meanwhile: by a second invocation at
// once, by a retry after that one, or because its own answer was given up.
func (c *Checker) Working(t task.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.task(t.ID)
	if s.record.Status != task.Processed {
		return
	}
	own := t.Attempts[len(t.Attempts)-1]
	takenForDead := slices.ContainsFunc(s.record.Attempts, func(a task.Attempt) bool {
		return a.Run == own.Run && a.StartedAt == own.StartedAt && (a.NotCounted || a.ErrorType == string(task.LambdaUnknown))
	})
	if !takenForDead {
		c.problem(t.ID, "the worker begins although a success is recorded")
	}
}

// Worked notes that the worker is done with a task, in a run.
func (c *Checker) Worked(id task.ID, run int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.task(id)
	s.worked = append(s.worked, work{run, err == nil})
}

// Dead returns the tasks that are in the DLQ.
func (c *Checker) Dead() (dead []task.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.names {
		if c.tasks[id].record.Status == task.DLQ {
			dead = append(dead, id)
		}
	}
	return dead
}

// Settled tells whether every task is final.
func (c *Checker) Settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.tasks {
		if s.record.Status.Open() {
			return false
		}
	}
	for _, logged := range c.garbage {
		if !logged {
			return false
		}
	}
	return true
}

// Stored is what is there at the end.
type Stored struct {
	Tasks        map[task.ID]task.Task
	DeadLettered int // the metric
	Waiting      int // messages on the queues
}

// Final holds what is there at the end against the promise and returns all
// problems of the run.
func (c *Checker) Final(stored Stored) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := map[string]task.ID{} // by idempotency key
	for _, id := range c.names {
		s := c.tasks[id]
		t, there := stored.Tasks[id]
		if key := keyOf(t); key != "" {
			if other, again := made[key]; again {
				c.problem(id, "has the idempotency key of %s", c.name(other))
			}
			made[key] = id
		}
		switch {
		case there:
			c.final(s, t)
		case s.accepted:
			c.problem(id, "was accepted and is lost")
		}
	}
	if len(stored.Tasks) > len(c.names) {
		c.problems = append(c.problems, fmt.Sprintf("there are %d tasks and %d were made", len(stored.Tasks), len(c.names)))
	}
	if stored.DeadLettered < c.marks {
		c.problems = append(c.problems, fmt.Sprintf("%d dead-lettered tasks are counted, and there were %d", stored.DeadLettered, c.marks))
	}
	if stored.Waiting > 0 {
		c.problems = append(c.problems, fmt.Sprintf("%d messages are still on a queue", stored.Waiting))
	}
	for body, logged := range c.garbage {
		if !logged {
			c.problems = append(c.problems, fmt.Sprintf("the malformed message %q is not in the log", body))
		}
	}
	return c.problems
}

func (c *Checker) final(s *seen, t task.Task) {
	begun, counted, successes := 0, 0, 0
	for _, a := range t.Attempts {
		if a.Run == t.Run {
			begun++
			if !a.NotCounted {
				counted++
			}
		}
		if !a.FinishedAt.IsZero() && a.ErrorType == "" {
			successes++
		}
	}
	worked := slices.Contains(s.worked, work{t.Run, true})
	switch {
	case t.Status.Open():
		c.problem(t.ID, "is still %s in run %d, with %+v", t.Status, t.Run, t.Attempts)
	case counted > c.maxCounted():
		c.problem(t.ID, "%d attempts of run %d count: %+v", counted, t.Run, t.Attempts)
	case t.Status == task.Processed && (successes != 1 || !worked):
		c.problem(t.ID, "is PROCESSED with %d successes recorded (the worker succeeded: %t): %+v", successes, worked, t.Attempts)
	case t.Status == task.DLQ && successes > 0:
		c.problem(t.ID, "is in the DLQ with a success recorded: %+v", t.Attempts)
	case t.Status == task.DLQ && (t.ErrorType == "" || t.ErrorMessage == ""):
		c.problem(t.ID, "is in the DLQ and its record does not say why: %q, %q", t.ErrorType, t.ErrorMessage)
	case t.Status == task.DLQ && t.ErrorType == string(task.NotStarted) && begun > 0:
		c.problem(t.ID, "is in the DLQ as never started: %+v", t.Attempts)
	case t.Status == task.DLQ && slices.Contains(retried, task.Kind(t.ErrorType)) &&
		c.retry.MaxAttempts > 0 && counted == 1 && t.Attempts[len(t.Attempts)-1].RetryCount == 0:
		c.problem(t.ID, "is in the DLQ with %s and was never retried: %+v", t.ErrorType, t.Attempts)
	case t.Status == task.DLQ && !s.letters[t.Run]:
		c.problem(t.ID, "is in the DLQ and the log has no record of it")
	case t.ExpiresAt.IsZero():
		c.problem(t.ID, "is final and never expires")
	}
}
