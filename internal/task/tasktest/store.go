package tasktest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"tasks/internal/task"
)

// Store is a task.Store in memory.
type Store struct {
	Faults
	// Queue, if set, gets the message of every new run in the same step as the
	// record: Create, Redrive and Restart then answer that it is queued.
	Queue *Queue

	mu          sync.Mutex
	tasks       map[task.ID]task.Task
	keys        map[string]heldKey // by the key's name
	quarantined map[string]task.Quarantined
}

var _ task.Store = (*Store)(nil)

// heldKey is an idempotency key that is in use.
type heldKey struct {
	key       task.IdempotencyKey
	holder    task.ID
	expiresAt task.Time
}

// NewStore returns an empty Store.
func NewStore() *Store {
	return &Store{tasks: map[task.ID]task.Task{}, keys: map[string]heldKey{}, quarantined: map[string]task.Quarantined{}}
}

// Put sets a record as it is, past all rules.
func (s *Store) Put(t task.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks[t.ID] = t
}

// Quarantined returns the messages in quarantine, by message id.
func (s *Store) Quarantined() []task.Quarantined {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []task.Quarantined
	for _, q := range s.quarantined {
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b task.Quarantined) int { return cmp.Compare(a.MessageID, b.MessageID) })
	return all
}

// Create implements task.Store. A fault hits all submissions.
func (s *Store) Create(_ context.Context, submissions ...task.Submission) []task.Created {
	created := make([]task.Created, len(submissions))
	err := s.do("Create", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, submitted := range submissions {
			created[i] = s.create(submitted)
		}
		return nil
	})
	if err != nil {
		for i := range created {
			created[i] = task.Created{Err: err}
		}
	}
	return created
}

func (s *Store) create(submitted task.Submission) task.Created {
	t, key := submitted.Task, submitted.Key
	if key != nil {
		if held, ok := s.keys[key.Name]; ok && t.CreatedAt.Before(held.expiresAt.Time) {
			if held.key != *key {
				return task.Created{Err: task.Errorf(task.KeyReused, "the idempotency key of task %s was used for another request", held.holder)}
			}
			return task.Created{ID: held.holder, Queued: s.Queue != nil}
		}
	}
	if _, taken := s.tasks[t.ID]; taken {
		return task.Created{Err: task.Errorf(task.Conflict, "task %s exists already", t.ID)}
	}
	s.tasks[t.ID] = t
	if key != nil {
		s.keys[key.Name] = heldKey{*key, t.ID, t.CreatedAt.Plus(task.KeyLife)}
	}
	return task.Created{ID: t.ID, Queued: s.enqueue(t)}
}

// Create creates one task, without a key.
func Create(ctx context.Context, s task.Store, t task.Task) error {
	return s.Create(ctx, task.Submission{Task: t})[0].Err
}

// Get implements task.Store.
func (s *Store) Get(_ context.Context, id task.ID) (t task.Task, err error) {
	err = s.do("Get", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		t, err = s.get(id)
		return err
	})
	return t, err
}

// List implements task.Store.
func (s *Store) List(_ context.Context, q task.Query) (page task.Page, err error) {
	err = s.do("List", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		size := 0
		for _, t := range s.newestFirst() {
			if q.Before != "" && t.ID >= q.Before || !q.Matches(&t) {
				continue
			}
			size += len(t.Answer)
			if n := len(page.Tasks); n == q.Limit || n > 0 && size > task.MaxPageBytes {
				page.Next = page.Tasks[n-1].ID
				break
			}
			t.Attempts = nil
			page.Tasks = append(page.Tasks, t)
		}
		return nil
	})
	return page, err
}

// Counts implements task.Store.
func (s *Store) Counts(context.Context) (counts task.Counts, err error) {
	err = s.do("Counts", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		counts = task.Counts{Tasks: map[task.Status]int{}, AsOf: task.At(time.Now())}
		for _, status := range task.Statuses {
			counts.Tasks[status] = 0
		}
		for _, t := range s.newestFirst() {
			counts.Tasks[t.Status]++
			if t.Status.Open() {
				counts.OldestOpen = t.ID.Time()
			}
		}
		return nil
	})
	return counts, err
}

// Claim implements task.Store.
func (s *Store) Claim(_ context.Context, r task.ClaimRequest) (outcome task.ClaimOutcome, t task.Task, err error) {
	t, err = s.update("Claim", r.TaskID, func(t *task.Task) error {
		outcome = t.Claim(r)
		return nil
	})
	return outcome, t, err
}

// Finish implements task.Store.
func (s *Store) Finish(_ context.Context, r task.FinishRequest) error {
	_, err := s.update("Finish", r.ID, func(t *task.Task) error {
		_, err := t.Finish(r)
		return err
	})
	return err
}

// MarkDead implements task.Store.
func (s *Store) MarkDead(_ context.Context, r task.MarkRequest) (outcome task.MarkOutcome, t task.Task, err error) {
	t, err = s.update("MarkDead", r.TaskID, func(t *task.Task) error {
		outcome = t.MarkDead(r)
		return nil
	})
	if task.IsKind(err, task.NotFound) {
		return task.Stale, task.Task{}, nil
	}
	t.Answer = ""
	return outcome, t, err
}

// Redrive implements task.Store.
func (s *Store) Redrive(_ context.Context, m task.Message, now task.Time) (t task.Task, queued bool, err error) {
	t, err = s.update("Redrive", m.TaskID, func(t *task.Task) error {
		if err := t.Redrive(m.Run, now); err != nil {
			return err
		}
		queued = s.enqueue(*t)
		return nil
	})
	return t, queued, err
}

// Restart implements task.Store.
func (s *Store) Restart(_ context.Context, m task.Message, now task.Time) (t task.Task, queued bool, err error) {
	t, err = s.update("Restart", m.TaskID, func(t *task.Task) error {
		if err := t.Restart(m.Run, now); err != nil {
			return err
		}
		queued = s.enqueue(*t)
		return nil
	})
	return t, queued, err
}

// Due implements task.Store.
func (s *Store) Due(_ context.Context, now task.Time, limit int) (due []task.Task, err error) {
	err = s.do("Due", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, t := range slices.Backward(s.newestFirst()) {
			if len(due) < limit && t.Status.Open() && !t.NextCheckAt.After(now.Time) {
				t.Answer = ""
				due = append(due, t)
			}
		}
		return nil
	})
	return due, err
}

// Defer implements task.Store.
func (s *Store) Defer(_ context.Context, m task.Message, now task.Time) error {
	_, err := s.update("Defer", m.TaskID, func(t *task.Task) error {
		t.Defer(m.Run, now)
		return nil
	})
	return err
}

// Quarantine implements task.Store.
func (s *Store) Quarantine(_ context.Context, m task.Quarantined) error {
	return s.do("Quarantine", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, known := s.quarantined[m.MessageID]; !known {
			s.quarantined[m.MessageID] = m
		}
		return nil
	})
}

// update applies a transition to a record. One that fails changes nothing.
func (s *Store) update(op string, id task.ID, apply func(*task.Task) error) (t task.Task, err error) {
	err = s.do(op, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t, err = s.get(id); err != nil {
			return err
		}
		if err := apply(&t); err != nil {
			return err
		}
		s.tasks[id] = t
		return nil
	})
	return t, err
}

func (s *Store) get(id task.ID) (task.Task, error) {
	t, ok := s.tasks[id]
	if !ok {
		return task.Task{}, task.Errorf(task.NotFound, "there is no task %s", id)
	}
	return t, nil
}

func (s *Store) enqueue(t task.Task) (queued bool) {
	if s.Queue == nil {
		return false
	}
	s.Queue.add(t.Outgoing(t.UpdatedAt))
	return true
}

func (s *Store) newestFirst() []task.Task {
	all := make([]task.Task, 0, len(s.tasks))
	for _, t := range s.tasks {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b task.Task) int { return cmp.Compare(b.ID, a.ID) })
	return all
}
