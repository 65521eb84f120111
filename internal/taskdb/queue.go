package taskdb

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"tasks/internal/task"
)

// unsettledAfter is when a message comes again whose flight could not be ended,
// because the file can't be written.
const unsettledAfter = 10 * time.Second

// Received is a message in the hands of a consumer, who deletes it or gives it
// back.
type Received struct {
	MessageID string
	Body      string
	Receives  int // with this one
	SentAt    task.Time

	message *queued // of the task queue
}

// Queue is the task queue. Its messages are columns of the tasks' rows; what is
// in memory is their order. A task has one message on the queue at most, so
// sending twice is sending once.
type Queue struct {
	db *DB

	mu       sync.Mutex
	known    map[key]*queued // waiting, delayed or in flight
	waiting  []*queued       // in the order of their becoming visible
	delayed  delayedHeap
	arrivals chan struct{} // holds one signal: a message may be there
}

// queued is a message of the queue in memory.
type queued struct {
	key       key
	run       int
	receives  int
	sentAt    int64 // ms: when it could be received first, or again
	visibleAt int64 // ms
}

func newQueue(db *DB) *Queue {
	return &Queue{db: db, known: map[key]*queued{}, arrivals: make(chan struct{}, 1)}
}

// Queue returns the task queue.
func (db *DB) Queue() *Queue { return db.queue }

// The record's time of a delay counts too: its clock follows the machine's forward, and
// the queue's only when the file is opened. But not if that is before its creation: the
// machine's clock was set back since.
const selectQueued = `SELECT id, run, receives, updated_at, CASE WHEN created_at > ? THEN visible_at ELSE max(visible_at, next_attempt_at) END FROM tasks WHERE live = 1 AND visible_at > 0 ORDER BY id`

// load reads what is on the queue from the file.
func (q *Queue) load() error {
	return q.db.read(Operation{Name: "Queue.load"}, func() error {
		rows, err := q.db.reader.Query(selectQueued, q.db.clock.now())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id []byte
			m := &queued{}
			if err := rows.Scan(&id, &m.run, &m.receives, &m.sentAt, &m.visibleAt); err != nil {
				return err
			}
			if m.key, err = uuid.FromBytes(id); err != nil {
				return err
			}
			if now := q.db.clock.now(); m.visibleAt > now+maxHidden.Milliseconds() {
				m.visibleAt = now
			}
			q.push(m)
		}
		return rows.Err()
	})
}

// Send implements task.Queue. It puts a message on the queue if its task is
// PENDING in that run, has no execution and no message there yet.
func (q *Queue) Send(ctx context.Context, messages ...task.Outgoing) error {
	for _, m := range messages {
		if err := q.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) send(ctx context.Context, m task.Outgoing) error {
	return q.db.change(ctx, Operation{Name: "Queue.Send", Task: m.TaskID}, func(tx *tx, r *row) (bool, error) {
		if r.Run != m.Run || r.Status != task.Pending || r.execution != "" || r.visibleAt != 0 {
			return false, nil
		}
		r.visibleAt, r.receives = q.db.clock.now()+m.Delay.Milliseconds(), 0
		q.pushOnCommit(tx, r)
		return true, nil
	})
}

// pushOnCommit puts the message of a row in memory once the row is on disk.
func (q *Queue) pushOnCommit(tx *tx, r *row) {
	m := &queued{key: r.key, run: r.Run, receives: r.receives, sentAt: r.visibleAt, visibleAt: r.visibleAt}
	tx.onCommit(func() { q.push(m) })
}

// pushNew puts the message of a new row in memory at once, so that the start of its
// execution may share the commit of its creation. If there is no commit the message
// is dropped, and who has received it finds no task.
func (q *Queue) pushNew(tx *tx, r *row) {
	tx.onFailure(func() { q.forget(r.key, r.Run) })
	q.push(&queued{key: r.key, run: r.Run, sentAt: r.visibleAt, visibleAt: r.visibleAt})
}

// replace puts a message in the place of old, unless that is gone meanwhile.
func (q *Queue) replace(old, m *queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.known[old.key] == old {
		q.add(m)
	}
}

func (q *Queue) push(m *queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(m)
}

// add is push, with the lock held.
func (q *Queue) add(m *queued) {
	q.known[m.key] = m
	if m.visibleAt > q.db.clock.now() {
		heap.Push(&q.delayed, m)
	} else {
		q.waiting = append(q.waiting, m)
	}
	q.signal()
}

// forget drops the message of a task's run from memory.
func (q *Queue) forget(k key, run int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.known[k]; m != nil && m.run == run {
		delete(q.known, k)
	}
}

func (q *Queue) signal() {
	select {
	case q.arrivals <- struct{}{}:
	default:
	}
}

// Len returns how many messages are on the queue, those in flight included.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.known)
}

// Receive waits for messages and returns up to max of them, which nobody else
// receives until they are given back. It returns none when ctx is done.
func (q *Queue) Receive(ctx context.Context, max int) []Received {
	for {
		batch, next := q.take(max)
		if len(batch) > 0 || !q.db.wait(ctx, q.arrivals, next) {
			return batch
		}
	}
}

// take returns up to max visible messages, or the time in ms of the next one,
// 0 for none.
func (q *Queue) take(max int) (batch []Received, next int64) {
	now := q.db.clock.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.delayed) > 0 && q.delayed[0].visibleAt <= now {
		q.waiting = append(q.waiting, heap.Pop(&q.delayed).(*queued))
	}
	for len(batch) < max && len(q.waiting) > 0 {
		m := q.waiting[0]
		q.waiting[0] = nil // or it would be kept until the slice moves
		q.waiting = q.waiting[1:]
		if q.known[m.key] != m {
			continue // deleted while it waited, or superseded
		}
		m.receives++
		message := m.message()
		batch = append(batch, Received{MessageID: message.ExecutionName(), Body: message.Body(), Receives: m.receives, SentAt: task.AtMilli(m.sentAt), message: m})
	}
	if len(q.waiting) > 0 {
		q.signal() // for the next consumer
	}
	if len(q.delayed) > 0 {
		next = q.delayed[0].visibleAt
	}
	return batch, next
}

func (m *queued) message() task.Message {
	return task.Message{TaskID: task.ID(uuid.UUID(m.key).String()), Run: m.run}
}

// inFlight returns the message that r holds, or nil if it is no longer on the
// queue.
func (q *Queue) inFlight(r Received) *queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.known[r.message.key] == r.message {
		return r.message
	}
	return nil
}

// Delete takes a received message off the queue. One whose execution was
// started is off already.
func (q *Queue) Delete(ctx context.Context, r Received) error {
	return q.settle(ctx, Operation{Name: "Queue.Delete"}, r, func(_ *tx, row *row) error {
		row.visibleAt, row.receives = 0, 0
		return nil
	})
}

// GiveBack makes a received message visible again at the given time, with its
// receives on record.
func (q *Queue) GiveBack(ctx context.Context, r Received, at time.Time) error {
	return q.settle(ctx, Operation{Name: "Queue.GiveBack"}, r, func(tx *tx, row *row) error {
		row.visibleAt, row.receives = q.db.clock.at(at), r.Receives
		q.pushOnCommit(tx, row)
		return nil
	})
}

// MoveToDeadLetters moves a received message to the dead letter queue: the
// redrive policy.
func (q *Queue) MoveToDeadLetters(ctx context.Context, r Received) error {
	return q.settle(ctx, Operation{Name: "Queue.MoveToDeadLetters"}, r, func(tx *tx, row *row) error {
		row.visibleAt, row.receives = 0, 0
		return q.db.dead.insert(tx, r.Body, r.SentAt.Milli())
	})
}

// settle ends a message's flight. If the change can't be written, the message
// comes again after unsettledAfter and this receive is not counted: the fault is
// the file's, not the message's.
func (q *Queue) settle(ctx context.Context, op Operation, r Received, change func(*tx, *row) error) error {
	m := q.inFlight(r)
	if m == nil {
		return nil
	}
	op.Task = m.message().TaskID
	err := q.db.change(ctx, op, func(tx *tx, row *row) (bool, error) {
		tx.onCommit(func() { q.forget(m.key, m.run) })
		if row.Run != m.run || row.visibleAt == 0 {
			return false, nil
		}
		return true, change(tx, row)
	})
	if task.IsKind(err, task.NotFound) { // there is no task that it could be of
		q.forget(m.key, m.run)
		return nil
	}
	if err != nil {
		q.replace(m, &queued{key: m.key, run: m.run, receives: m.receives - 1, sentAt: m.sentAt, visibleAt: q.db.clock.at(time.Now().Add(unsettledAfter))})
	}
	return err
}

// wait waits for a signal or for a moment (of the clock, 0 for none) and tells
// whether ctx is still alive.
func (db *DB) wait(ctx context.Context, signal <-chan struct{}, until int64) bool {
	var timer <-chan time.Time
	if until > 0 {
		t := time.NewTimer(db.clock.until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-signal:
	case <-timer:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// delayedHeap holds messages, the next visible one first.
type delayedHeap []*queued

func (h delayedHeap) Len() int           { return len(h) }
func (h delayedHeap) Less(i, j int) bool { return h[i].visibleAt < h[j].visibleAt }
func (h delayedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *delayedHeap) Push(m any)        { *h = append(*h, m.(*queued)) }
func (h *delayedHeap) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil // or it would be kept
	*h = old[:len(old)-1]
	return m
}
