package taskdb

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// A message whose flight can't be ended, because the file can't be written,
// comes again when it can, and that receive is not counted.
func TestAMessageIsNotStuckWhenTheFileCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, settle := range map[string]func(*Queue, Received) error{
		"deleted": func(q *Queue, r Received) error { return q.Delete(context.Background(), r) },
		"given back": func(q *Queue, r Received) error {
			return q.GiveBack(context.Background(), r, time.Now().Add(time.Hour))
		},
		"moved": func(q *Queue, r Received) error { return q.MoveToDeadLetters(context.Background(), r) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := openTest(t)
				newTask(t, db)
				readOnly := func(on string) {
					t.Helper()
					if _, err := db.writer.conn.ExecContext(context.Background(), "PRAGMA query_only = "+on); err != nil {
						t.Fatal(err)
					}
				}
				first := db.Queue().Receive(t.Context(), 10)
				readOnly("ON")
				if err := settle(db.Queue(), first[0]); !task.IsKind(err, task.Unavailable) {
					t.Fatalf("got error %v, want one of kind Unavailable", err)
				}
				readOnly("OFF")
				again := db.Queue().Receive(t.Context(), 10)
				if len(again) != 1 || again[0].Body != first[0].Body || again[0].Receives != first[0].Receives {
					t.Fatalf("got %+v, want %+v again", again, first)
				}
				if err := settle(db.Queue(), again[0]); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// What ends the flight of one run's message leaves the next run's alone.
func TestAMessageOfAnotherRunIsLeftAlone(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	id := newTask(t, db)
	first := db.Queue().Receive(t.Context(), 10)[0]
	held := db.Queue().inFlight(first)
	if _, _, err := db.Restart(t.Context(), task.Message{TaskID: id, Run: 1}, task.At(time.Now())); err != nil {
		t.Fatal(err)
	}
	db.Queue().forget(held.key, held.run) // as a settle does that began before
	if err := db.Queue().GiveBack(t.Context(), first, time.Now()); err != nil {
		t.Fatal(err)
	}
	second := db.Queue().Receive(t.Context(), 10)
	if len(second) != 1 || second[0].Body != (task.Message{TaskID: id, Run: 2}).Body() {
		t.Errorf("got %+v, want the message of run 2", second)
	}
}

// A flight that can't be ended, because the file can't be written, ends no other: by
// then the task's message may be that of its next run.
func TestAMessageThatCameMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t)
		newTask(t, db)
		first := db.Queue().Receive(t.Context(), 10)[0]
		hold, settled := make(chan struct{}), make(chan error, 1)
		inTransaction(db, func(*tx) error { <-hold; return nil })
		go func() { settled <- db.Queue().GiveBack(context.Background(), first, time.Now()) }()
		synctest.Wait()
		inTransaction(db, func(*tx) error { return errors.New("disk I/O error") })
		next := &queued{key: first.message.key, run: 2, visibleAt: db.clock.now()}
		db.Queue().push(next)
		close(hold)
		if err := <-settled; !task.IsKind(err, task.Unavailable) {
			t.Fatalf("got %v, want Unavailable", err)
		}
		second := db.Queue().Receive(t.Context(), 10)
		if len(second) != 1 || second[0].message != next {
			t.Errorf("got %+v, want the message of run 2", second)
		}
	})
}

// The machine's clock is set forward while a host runs, a task is delayed, and the host
// is started again: the task does not begin before its record says.
func TestADelayOutlivesASetClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		ahead time.Duration // the record's clock
		want  time.Duration // of the wait
	}{
		{"set forward", 5 * time.Minute, 15 * time.Minute},
		{"set forward for a moment, and back", 10 * time.Minute, 10 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			delayOutlivesASetClock(t, tt.ahead, tt.want)
		})
	}
}

func delayOutlivesASetClock(t *testing.T, ahead, want time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		path := filepath.Join(t.TempDir(), "tasks.db")
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		db.clock.ahead.Store(int64(ahead))
		id, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		delayed := task.New(id, "an answer", db.Now())
		delayed.Delay(10 * time.Minute)
		if err := tasktest.Create(t.Context(), db, delayed); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Minute) // the machine's clock comes to where the first was set
		if db, err = Open(path); err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if got := db.Queue().Receive(t.Context(), 1); len(got) != 1 || time.Since(begun) != want {
			t.Errorf("got %+v after %v, want the message after %v", got, time.Since(begun), want)
		}
	})
}

// The message of a new task is received, and its execution started, before the
// commit of its creation, and shares it: both are on disk, or neither.
func TestATaskIsStartedWithItsCreation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		err  error // of another operation of the same transaction
	}{
		{"and both are on disk", nil},
		{"and both are lost", errors.New("disk I/O error")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := openTest(t)
				id, err := task.NewID()
				if err != nil {
					t.Fatal(err)
				}
				s := task.Submission{Task: task.New(id, "an answer", time.Now())}
				hold, fail := make(chan struct{}), make(chan struct{})
				inTransaction(db, func(*tx) error { <-hold; return nil })
				created, started := make(chan error, 1), make(chan error, 1)
				go func() { created <- db.Create(context.Background(), s)[0].Err }()
				synctest.Wait()
				inTransaction(db, func(*tx) error { <-fail; return row.err })
				close(hold)
				received := db.Queue().Receive(t.Context(), 10)
				if len(received) != 1 || len(created) > 0 {
					t.Fatalf("got %+v, and %d answered, want the message before the commit", received, len(created))
				}
				m := task.Message{TaskID: s.ID, Run: 1}
				go func() {
					_, err := db.StartExecution(context.Background(), Execution{Message: m, Status: task.ExecutionRunning})
					started <- err
				}()
				synctest.Wait()
				close(fail)
				err = <-created
				startErr := <-started
				settled := db.Queue().GiveBack(context.Background(), received[0], time.Now())
				_, getErr := db.Get(context.Background(), s.ID)
				waiting := db.Queue().Len()
				if row.err == nil && (err != nil || startErr != nil || getErr != nil) {
					t.Errorf("got %v, %v and %v, want all to be done", err, startErr, getErr)
				}
				if row.err != nil && (!task.IsKind(err, task.Unavailable) || !task.IsKind(startErr, task.Closed) && !task.IsKind(startErr, task.Unavailable) || !task.IsKind(getErr, task.NotFound)) {
					t.Errorf("got %v, %v and %v, want nothing to be there", err, startErr, getErr)
				}
				if settled != nil || waiting != 0 {
					t.Errorf("the queue has %d messages, %v, want none", waiting, settled)
				}
			})
		})
	}
}

func TestSendOnlyWhatWaitsForItsMessage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		run  int // of the message that is sent
		do   func(db *DB, m task.Message) error
		want int // messages
	}{
		{"a run that waits for its message", 1, func(*DB, task.Message) error { return nil }, 1},
		{"a run that was restarted since", 1, func(db *DB, m task.Message) error {
			_, _, err := db.Restart(context.Background(), m, task.At(time.Now()))
			for _, r := range db.Queue().Receive(context.Background(), 10) {
				err = errors.Join(err, db.Queue().Delete(context.Background(), r))
			}
			return err
		}, 0},
		{"a run that is yet to come", 2, func(*DB, task.Message) error { return nil }, 0},
		{"a run whose execution was started", 1, func(db *DB, m task.Message) error {
			_, err := db.StartExecution(context.Background(), Execution{Message: m, Status: task.ExecutionRunning})
			return err
		}, 0},
		{"a task that was claimed", 1, func(db *DB, m task.Message) error {
			_, _, err := db.Claim(context.Background(), task.ClaimRequest{Message: m, ExecutionID: "x", Token: "t", Now: task.At(time.Now()), Lease: time.Minute})
			return err
		}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t)
			m := task.Message{TaskID: newTask(t, db), Run: 1}
			if err := db.Queue().Delete(t.Context(), db.Queue().Receive(t.Context(), 1)[0]); err != nil {
				t.Fatal(err)
			}
			if err := row.do(db, m); err != nil {
				t.Fatal(err)
			}
			if err := db.Queue().Send(t.Context(), task.Outgoing{Message: task.Message{TaskID: m.TaskID, Run: row.run}}); err != nil {
				t.Fatal(err)
			}
			if got := db.Queue().Len(); got != row.want {
				t.Errorf("got %d messages, want %d", got, row.want)
			}
		})
	}
}

// A message that is on the queue already stays where it is, whatever the delay of
// another.
func TestSendTwiceIsSendOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t)
		m := task.Message{TaskID: newTask(t, db), Run: 1}
		if err := db.Queue().Delete(t.Context(), db.Queue().Receive(t.Context(), 1)[0]); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, delay := range []time.Duration{time.Minute, time.Hour, 0} {
			if err := db.Queue().Send(t.Context(), task.Outgoing{Message: m, Delay: delay}); err != nil {
				t.Fatal(err)
			}
		}
		got := db.Queue().Receive(t.Context(), 10)
		if after := time.Since(began); len(got) != 1 || got[0].Body != m.Body() || after != time.Minute {
			t.Errorf("got %+v after %v, want the message after a minute", got, after)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if more := db.Queue().Receive(ctx, 10); len(more) != 0 {
			t.Errorf("got %+v besides", more)
		}
	})
}
