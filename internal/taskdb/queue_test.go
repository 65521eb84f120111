package taskdb

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
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
				id, err := task.NewID()
				if err != nil {
					t.Fatal(err)
				}
				create(t, db, id)
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
	id, err := task.NewID()
	if err != nil {
		t.Fatal(err)
	}
	create(t, db, id)
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
