package taskdb

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	exec := func(t *testing.T, path, statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	ours := func(t *testing.T, path string) {
		t.Helper()
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			id, err := task.NewID()
			if err != nil {
				t.Fatal(err)
			}
			if err := tasktest.Create(t.Context(), db, task.New(id, strings.Repeat("x", 500), time.Now())); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"a file that another host has open", func(t *testing.T, path string) {
			db, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
		}, "in use by another host"},
		{"a file that another host has open by another name", func(t *testing.T, path string) {
			for from, to := range map[string]string{path: "link.db", filepath.Join(filepath.Dir(path), "link.db"): "real.db"} { // which is not there yet
				if err := os.Symlink(to, from); err != nil {
					t.Fatal(err)
				}
			}
			db, err := Open(path) // by links that lead nowhere yet; for the next one they do
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
		}, "in use by another host"},
		{"a file with a second name", func(t *testing.T, path string) {
			ours(t, path)
			if err := os.Link(path, path+"2"); err != nil {
				t.Fatal(err)
			}
		}, "has 2 names"},
		{"a file of a newer schema", func(t *testing.T, path string) {
			ours(t, path)
			exec(t, path, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion+1))
		}, "written by a newer version"},
		{"a SQLite file of another program", func(t *testing.T, path string) {
			exec(t, path, "CREATE TABLE contacts (name TEXT)")
		}, "of another program"},
		{"a file that is no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("not a database\n"), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "damaged or no SQLite database"},
		{"a file with a page overwritten", func(t *testing.T, path string) {
			ours(t, path)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), 10*4096); err != nil {
				t.Fatal(err)
			}
		}, "damaged or no SQLite database"},
		{"a file that was cut", func(t *testing.T, path string) {
			ours(t, path)
			if err := os.Truncate(path, 20*4096); err != nil {
				t.Fatal(err)
			}
		}, "damaged or no SQLite database"},
		{"a task whose id was cut", func(t *testing.T, path string) {
			ours(t, path)
			exec(t, path, "UPDATE tasks SET id = substr(id, 1, 3) WHERE id = (SELECT max(id) FROM tasks)")
		}, "invalid UUID"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "tasks.db")
			tt.make(t, path)
			db, err := Open(path)
			if err == nil {
				db.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %q, want one with %q", err, tt.want)
			}
		})
	}
}

// TestFilesAreTheUsersAlone sets the process's umask, so it does not run beside
// others.
func TestFilesAreTheUsersAlone(t *testing.T) {
	everyone := func(t *testing.T, path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		umask  int
		before func(t *testing.T, path string)
		folder os.FileMode
	}{
		{"in a new folder", 0o022, func(*testing.T, string) {}, 0o700},
		{"in a new folder, with a umask that takes nothing", 0, func(*testing.T, string) {}, 0o700},
		{"in a new folder, with a umask that takes all", 0o777, func(*testing.T, string) {}, 0o700},
		{"in a folder that others can read", 0, func(t *testing.T, path string) {
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
		}, 0o755},
		{"that others could read and write, with a log", 0, func(t *testing.T, path string) {
			db, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			id, _ := task.NewID()
			create(t, db, id)
			copies := map[string][]byte{}
			for _, suffix := range []string{"", "-wal"} { // as a kill would leave them
				if copies[suffix], err = os.ReadFile(path + suffix); err != nil || len(copies[suffix]) == 0 {
					t.Fatalf("got %d bytes, %v", len(copies[suffix]), err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for suffix, b := range copies {
				if err := os.WriteFile(path+suffix, b, 0o666); err != nil {
					t.Fatal(err)
				}
				everyone(t, path+suffix, 0o666)
			}
			everyone(t, path+".lock", 0o666)
			everyone(t, filepath.Dir(path), 0o777)
		}, 0o777},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			path := filepath.Join(dir, "tasks.db")
			defer syscall.Umask(syscall.Umask(tt.umask))
			tt.before(t, path)
			db, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			id, _ := task.NewID()
			create(t, db, id)
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != 4 {
				t.Errorf("got the files %v, want the database, its log, the log's index and a lock", files)
			}
			for _, f := range files {
				if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: got mode %v, %v, want 0600", f.Name(), info.Mode(), err)
				}
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != tt.folder {
				t.Errorf("the folder: got %v, %v, want %v", info.Mode(), err, tt.folder)
			}
		})
	}
}

// TestAFullFile limits the number of pages, which fails as a full disk does.
func TestAFullFile(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	var pages int
	err := db.writer.do(t.Context(), false, func(tx *tx) error {
		return tx.conn.QueryRowContext(context.Background(), "PRAGMA max_page_count = 40").Scan(&pages)
	})
	if err != nil || pages != 40 {
		t.Fatalf("limit the file: got %d pages, %v", pages, err)
	}
	var accepted []task.ID
	refused := 0
	for range 200 {
		id, _ := task.NewID()
		err := tasktest.Create(t.Context(), db, task.New(id, strings.Repeat("x", 900), time.Now()))
		switch {
		case err == nil:
			accepted = append(accepted, id)
		case task.IsKind(err, task.Unavailable):
			refused++
			if _, err := db.Get(t.Context(), id); !task.IsKind(err, task.NotFound) {
				t.Errorf("a task that was refused is there: %v", err)
			}
		default:
			t.Fatalf("got %v, want an error of kind Unavailable", err)
		}
	}
	if refused == 0 || len(accepted) == 0 {
		t.Fatalf("%d accepted, %d refused, want some of each", len(accepted), refused)
	}
	if got := db.Queue().Len(); got != len(accepted) {
		t.Errorf("%d messages on the queue, want one for each of the %d accepted tasks", got, len(accepted))
	}
	// There is room again: it goes on by itself, and nothing is lost.
	if err := db.writer.do(t.Context(), false, func(tx *tx) error {
		return tx.conn.QueryRowContext(context.Background(), "PRAGMA max_page_count = 100000").Scan(&pages)
	}); err != nil {
		t.Fatal(err)
	}
	id, _ := task.NewID()
	create(t, db, id)
	for _, id := range append(accepted, id) {
		if _, err := db.Get(t.Context(), id); err != nil {
			t.Errorf("accepted task %s: %v", id, err)
		}
	}
}

func TestQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	listing := func(f task.Filter) string {
		query, _ := candidates(task.Query{Filter: f}, key{}, newest, maxExamined)
		return query
	}
	for _, tt := range []struct{ query, index string }{
		{listing(task.Filter{Status: task.DLQ, ErrorType: "WorkerError", UpdatedBefore: task.AtMilli(1)}), "tasks_dead"},
		{listing(task.Filter{Status: task.Failed}), "tasks_live"},
		{listing(task.Filter{}), "sqlite_autoindex_tasks_1"},
		{listing(task.Filter{Label: "team", LabelValue: "billing", CreatedFrom: task.AtMilli(1)}), "sqlite_autoindex_tasks_1"},
		{selectDue, "tasks_live"},
		{selectOldest, "tasks_live"},
		{selectRunning, "tasks_live"},
		{selectQueued, "tasks_live"},
		{selectRow, "sqlite_autoindex_tasks_1"},
		{selectNew, "tasks_live"},
		{selectAhead, "tasks_live"},
	} {
		args := make([]any, strings.Count(tt.query, "?"))
		rows, err := db.reader.Query("EXPLAIN QUERY PLAN "+tt.query, args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		rows.Close()
		if got := strings.Join(plan, "; "); !strings.Contains(got, tt.index) || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s: got plan %q, want one with %s and without sorting", tt.query, got, tt.index)
		}
	}
}

// A page of a filtered listing that has examined its share tells where to go on, though
// no task was on it.
func TestAFilteredListingGoesOn(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	var all []task.Submission // oldest first
	for range maxExamined + 1 {
		id, err := task.NewID()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, task.Submission{Task: task.New(id, "an answer", time.Now())})
	}
	all[0].Labels = map[string]string{"team": "billing"}
	for _, created := range db.Create(t.Context(), all...) {
		if created.Err != nil {
			t.Fatal(created.Err)
		}
	}
	q := task.Query{Filter: task.Filter{Label: "team", LabelValue: "billing"}, Limit: 10}
	page, err := db.List(t.Context(), q)
	if err != nil || len(page.Tasks) != 0 || page.Next != all[1].ID {
		t.Fatalf("got %d tasks and %q, %v, want none, and to go on before %s", len(page.Tasks), page.Next, err, all[1].ID)
	}
	q.Before = page.Next
	page, err = db.List(t.Context(), q)
	if err != nil || len(page.Tasks) != 1 || page.Tasks[0].ID != all[0].ID || page.Next != "" {
		t.Errorf("got %+v, %v, want the oldest task, and no more", page, err)
	}
}

// A file without labels has what was in it, and what is new: one of version 1, of the
// first of version 2, or one of those that a later version has tried to open.
func TestOpenAFileWithoutLabels(t *testing.T) {
	t.Parallel()
	for version := 1; version <= schemaVersion; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			t.Parallel()
			openWithoutLabels(t, version)
		})
	}
}

func openWithoutLabels(t *testing.T, version int) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	const first, second, third = task.ID("01939a3e-7c00-7000-8000-000000000001"), task.ID("01939a3e-7c00-7000-8000-000000000002"), task.ID("01939a3e-7c00-7000-8000-000000000003")
	create(t, db, first)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(fmt.Sprintf(`DROP TABLE idempotency_keys; ALTER TABLE tasks DROP COLUMN labels; ALTER TABLE tasks DROP COLUMN next_attempt_at; PRAGMA user_version = %d`, version)); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	if db, err = Open(path); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Get(t.Context(), first); err != nil || got.Answer != "an answer" {
		t.Errorf("got %+v, %v, want the task that was there", got, err)
	}
	key := task.IdempotencyKey{Name: "k"}
	for _, id := range []task.ID{second, third} {
		submitted := task.Submission{Task: task.New(id, "42", time.Now()), Key: &key}
		submitted.Labels = map[string]string{"team": "billing"}
		if got := db.Create(t.Context(), submitted)[0]; got.Err != nil || got.ID != second {
			t.Errorf("got %+v, want %s", got, second)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A large answer that is missing in a damaged file is the problem of its task alone.
func TestAnAnswerThatIsMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t)
		id, err := task.NewID()
		if err == nil {
			err = tasktest.Create(t.Context(), db, task.New(id, strings.Repeat("x", maxInlineAnswer+1), time.Now()))
		}
		if err != nil {
			t.Fatal(err)
		}
		other := newTask(t, db)
		if err := <-inTransaction(db, func(tx *tx) error { _, err := tx.exec(`DELETE FROM answers`); return err }); err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		inTransaction(db, func(*tx) error { <-hold; return nil })
		var claims [2]error
		for n, id := range []task.ID{id, other} { // in one transaction
			go func() {
				_, _, claims[n] = db.Claim(context.Background(), task.ClaimRequest{Message: task.Message{TaskID: id, Run: 1}, ExecutionID: "x", Token: "t", Now: task.At(time.Now())})
			}()
			synctest.Wait()
		}
		close(hold)
		synctest.Wait()
		if !task.IsKind(claims[0], task.Damaged) || claims[1] != nil {
			t.Errorf("claims: got %v, want Damaged and none", claims)
		}
		if _, err := db.Get(t.Context(), id); !task.IsKind(err, task.Damaged) {
			t.Errorf("got %v, want Damaged", err)
		}
		if page, err := db.List(t.Context(), task.Query{Limit: 10}); err != nil || len(page.Tasks) != 2 {
			t.Errorf("listed %d tasks, %v, want both", len(page.Tasks), err)
		}
	})
}
