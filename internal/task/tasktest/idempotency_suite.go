package tasktest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"tasks/internal/task"
)

// keyed is a request for a task with an idempotency key.
type keyed struct {
	task.Task
	key task.IdempotencyKey
}

// createIn sends the request alone.
func (r keyed) createIn(t *testing.T, store task.Store) (holder task.ID, err error) {
	created := store.Create(t.Context(), task.Submission{Task: r.Task, Key: &r.key})
	return created[0].ID, created[0].Err
}

func newKeyed(t *testing.T, name, answer string, now time.Time) keyed {
	t.Helper()
	k := keyed{task.New(newIDAt(t, now), answer, now), task.IdempotencyKey{Name: name}}
	copy(k.key.Request[:], answer)
	return k
}

// createOnce checks what a request with an idempotency key gets, and that it is
// there afterwards.
func createOnce(t *testing.T, store task.Store, r keyed, want task.ID) {
	t.Helper()
	holder, err := r.createIn(t, store)
	if err != nil || holder != want {
		t.Fatalf("Create: got %s, %v, want %s", holder, err, want)
	}
	got, err := store.Get(t.Context(), want)
	if err != nil || got.Answer != r.Answer {
		t.Errorf("Get: got %d bytes, %v, want %d", len(got.Answer), err, len(r.Answer))
	}
	if r.ID != want {
		_, err := store.Get(t.Context(), r.ID)
		wantKind(t, "Get of a task that was not created", err, task.NotFound)
	}
}

func exerciseKeys(t *testing.T, open func(t *testing.T) task.Store) {
	store := open(t)
	for size, answer := range map[string]string{"small": "42", "large": strings.Repeat("x", task.MaxAnswerBytes)} {
		t.Run("the first of its key is created, "+size, func(t *testing.T) {
			name, now := size+" ~\"'\\", time.Now()
			first := newKeyed(t, name, answer, now)
			createOnce(t, store, first, first.ID)
			createOnce(t, store, first, first.ID) // its answer was lost
			createOnce(t, store, newKeyed(t, name, answer, now.Add(time.Minute)), first.ID)
			createOnce(t, store, newKeyed(t, name, answer, now.Add(task.KeyLife-time.Second)), first.ID)

			other := newKeyed(t, name, "43", now)
			_, err := other.createIn(t, store)
			wantKind(t, "Create for another request", err, task.KeyReused)
			_, err = store.Get(t.Context(), other.ID)
			wantKind(t, "Get of the other", err, task.NotFound)

			another := newKeyed(t, strings.ToUpper(name), answer, now)
			createOnce(t, store, another, another.ID)
			late := newKeyed(t, name, "44", now.Add(task.KeyLife+time.Second))
			createOnce(t, store, late, late.ID)
			createOnce(t, store, newKeyed(t, name, "44", late.CreatedAt.Add(time.Second)), late.ID)
		})
	}
	t.Run("refuses a taken id, and leaves the key free", func(t *testing.T) {
		s := submit(t, store, "the first", 0)
		r := newKeyed(t, "a taken id", "42", time.Now())
		taken := r
		taken.ID = s.want.ID
		_, err := taken.createIn(t, store)
		s.wantKind("Create", err, task.Conflict)
		s.check()
		createOnce(t, store, r, r.ID)
	})
	t.Run("is one task for 50 requests at once", func(t *testing.T) {
		holders := make([]task.ID, 50)
		var all sync.WaitGroup
		for n := range holders {
			r := newKeyed(t, "at once", "42", time.Now())
			all.Go(func() {
				var err error
				if holders[n], err = r.createIn(t, store); err != nil {
					t.Errorf("Create: %v", err)
				}
			})
		}
		all.Wait()
		for _, holder := range holders {
			if holder != holders[0] {
				t.Errorf("got the tasks %s and %s", holder, holders[0])
			}
		}
		if _, err := store.Get(t.Context(), holders[0]); err != nil {
			t.Error(err)
		}
	})
}
