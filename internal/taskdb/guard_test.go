package taskdb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// submitted tries to create a task, in a bubble, when the guard looks again.
func submitted(t *testing.T, db *DB) error {
	t.Helper()
	<-time.After(guardEvery)
	id, err := task.NewID()
	if err != nil {
		t.Fatal(err)
	}
	return tasktest.Create(t.Context(), db, task.New(id, "an answer", time.Now()))
}

// A task is not accepted into a file that is not where it was any more.
func TestAFileThatIsTakenAway(t *testing.T) {
	t.Parallel()
	rename := func(from, to string) func(string) error {
		return func(dir string) error { return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)) }
	}
	tests := []struct {
		name       string
		take, back func(dir string) error // back is nil if there is no way
	}{
		{"moved", rename("data/tasks.db", "data/moved"), rename("data/moved", "data/tasks.db")},
		{"moved with its folder", rename("data", "moved"), rename("moved", "data")},
		{"its log moved", rename("data/tasks.db-wal", "data/moved"), rename("data/moved", "data/tasks.db-wal")},
		{"its shared memory moved", rename("data/tasks.db-shm", "data/moved"), rename("data/moved", "data/tasks.db-shm")},
		{"removed with its folder", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "data")) }, nil},
		{"replaced", func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "other"), nil, 0o600), rename("other", "data/tasks.db")(dir))
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				db, err := Open(filepath.Join(dir, "data", "tasks.db"))
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				if err := errors.Join(submitted(t, db), tt.take(dir)); err != nil {
					t.Fatal(err)
				}
				var reads sync.WaitGroup
				for range 4 * readers { // by no connection that would make the file anew
					reads.Go(func() {
						if page, err := db.List(t.Context(), task.Query{Limit: 10}); err != nil || len(page.Tasks) != 1 {
							t.Errorf("listed %d tasks, %v, want the one", len(page.Tasks), err)
						}
					})
				}
				reads.Wait()
				for range 2 {
					if err := submitted(t, db); !task.IsKind(err, task.Unavailable) || !strings.Contains(err.Error(), "was moved, removed or replaced") {
						t.Errorf("got %v, want Unavailable, and why", err)
					}
				}
				if tt.back == nil {
					return
				}
				if err := tt.back(dir); err != nil {
					t.Fatal(err)
				}
				if err := submitted(t, db); err != nil {
					t.Errorf("got %v when it was back, want none", err)
				}
			})
		})
	}
}

// A host that does nothing does not see its lock removed. It sees that another one has
// come, has written and is gone.
func TestAHostThatCameAndWent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		first := openAt(t, path)
		if err := errors.Join(submitted(t, first), os.Remove(path+".lock")); err != nil {
			t.Fatal(err)
		}
		second, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(submitted(t, second), second.Close()); err != nil {
			t.Fatal(err)
		}
		if err := submitted(t, first); !task.IsKind(err, task.Unavailable) || !strings.Contains(err.Error(), "another host has opened the file since") {
			t.Errorf("got %v, want Unavailable, and why", err)
		}
	})
}

// What keeps a lock from being taken again may pass.
func TestALockThatCannotBeTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		db := openAt(t, path)
		if err := errors.Join(os.Remove(path+".lock"), os.Mkdir(path+".lock", 0o700)); err != nil {
			t.Fatal(err)
		}
		if err := submitted(t, db); !task.IsKind(err, task.Unavailable) {
			t.Errorf("got %v, want Unavailable", err)
		}
		if err := os.Remove(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		if err := submitted(t, db); err != nil {
			t.Errorf("got %v when it could be taken, want none", err)
		}
	})
}

// Of two hosts, one of which has opened the file when the lock of the other was removed,
// one writes.
func TestALockThatIsRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		first := openAt(t, path)
		if err := errors.Join(os.Remove(path+".lock"), submitted(t, first)); err != nil {
			t.Fatal(err)
		}
		if second, err := Open(path); err == nil {
			second.Close()
			t.Fatal("a second host has opened the file when the first had locked it again")
		}
		if err := os.Remove(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		second, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := submitted(t, second); err != nil {
			t.Error(err)
		}
		if err := submitted(t, first); !task.IsKind(err, task.Unavailable) || !strings.Contains(err.Error(), "another host has opened the file since") {
			t.Errorf("got %v, want Unavailable, and why", err)
		}
		if err := second.Close(); err != nil {
			t.Error(err)
		}
		if err := submitted(t, first); !task.IsKind(err, task.Unavailable) {
			t.Errorf("got %v when the second has stopped, want Unavailable: the first knows nothing of what it did", err)
		}
	})
}
