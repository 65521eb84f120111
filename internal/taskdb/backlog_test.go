package taskdb

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

func TestBacklog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tasks.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	want := func(what string, n int) {
		t.Helper()
		if got := db.Backlog(); got != n {
			t.Errorf("%s: got %d, want %d", what, got, n)
		}
	}
	want("an empty file", 0)
	var ids []task.ID
	for range 3 {
		id := newTask(t, db)
		ids = append(ids, id)
	}
	want("three tasks", 3)
	if err := tasktest.Create(t.Context(), db, task.New(ids[0], "x", time.Now())); !task.IsKind(err, task.Conflict) {
		t.Fatalf("got %v, want Conflict", err)
	}
	want("an id that is taken", 3)

	if _, err := db.writer.conn.ExecContext(context.Background(), "PRAGMA query_only = ON"); err != nil {
		t.Fatal(err)
	}
	id, _ := task.NewID()
	if err := tasktest.Create(t.Context(), db, task.New(id, "x", time.Now())); !task.IsKind(err, task.Unavailable) {
		t.Fatalf("got %v, want Unavailable", err)
	}
	if _, err := db.writer.conn.ExecContext(context.Background(), "PRAGMA query_only = OFF"); err != nil {
		t.Fatal(err)
	}
	want("one that can't be written", 3)

	finish(t, db, "x", false)
	dead := finish(t, db, "x", true)
	want("two that were finished", 3)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(path); err != nil {
		t.Fatal(err)
	}
	want("the file opened again", 3)
	if _, _, err := db.Redrive(t.Context(), task.Message{TaskID: dead}, task.At(time.Now())); err != nil {
		t.Fatal(err)
	}
	want("a dead one redriven", 4)
}
