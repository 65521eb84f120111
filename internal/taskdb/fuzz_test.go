package taskdb

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tasks/internal/task"
)

// FuzzRow checks that a row that is not as it was written is refused or read as
// a record that can be written and read again.
func FuzzRow(f *testing.F) {
	db, err := Open(filepath.Join(f.TempDir(), "tasks.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	const id = "\x01\x93\x9a\x3e\x7c\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01"
	now := task.At(time.Now())
	f.Add([]byte(id), "PENDING", int64(1), now.Milli(), "", "answer", "", []byte{})
	f.Add([]byte(id), "PROCESSING", int64(2), now.Milli(), marshalAttempts([]task.Attempt{{Number: 1, Run: 2, StartedAt: now}, {ErrorType: "<E>", ErrorMessage: "\x00\xff"}}), "", "RUNNING", []byte(`{"k":"start"}`))
	f.Add([]byte(id[:15]), "DLQ", int64(1), int64(0), "[]", "", "", []byte{})
	f.Add([]byte(id), "DLQ", int64(1), int64(0), "[]", "", "", []byte{}) // none, which is written as ""
	f.Add([]byte(id), "DONE", int64(-1), int64(-1)<<62, "[{]", "\xff", "FAILED", []byte{0})
	read, err := db.reader.Prepare("SELECT " + strings.TrimSuffix(strings.Repeat("?,", strings.Count(rowColumns, ",")+1), ","))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { read.Close() })
	row := func(id []byte, status string, run, at int64, attempts, answer, execution string, journal []byte) *sql.Row {
		return read.QueryRow(id, status, run, 0, at, at, at, 0, at, at, "owner", "execution", "E", "message", attempts, answer, at, 0, execution, 1, journal, 1, 0, `{"team":"a"}`, at)
	}
	if _, err := scanRow(row([]byte(id), "PENDING", 1, 0, "", "", "", nil)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id []byte, status string, run, at int64, attempts, answer, execution string, journal []byte) {
		r, err := scanRow(row(id, status, run, at, attempts, answer, execution, journal))
		if err != nil {
			if !task.IsKind(err, task.Damaged) {
				t.Errorf("got %v, want an error of kind %s", err, task.Damaged)
			}
			return
		}
		if len(r.ID) != 36 || !r.Status.Valid() || r.Run < 1 {
			t.Errorf("read %+v", r.Task)
		}
		if want, err := json.Marshal(r.Attempts); len(r.Attempts) > 0 && (err != nil || marshalAttempts(r.Attempts) != string(want)) {
			t.Errorf("attempts are written as %s, want %s, %v", marshalAttempts(r.Attempts), want, err)
		}
		err = db.writer.do(t.Context(), false, func(tx *tx) error {
			if err := tx.remove(expiredRow{key: r.key, status: r.Status}); err != nil {
				return err
			}
			if _, err := tx.exec(insertRow, r.insertArgs()...); err != nil {
				return err
			}
			written := *r
			written.stored = stored{r.Status, rare{run: -1}, indexed{nextCheck: -1}} // so that all is written
			return tx.update(&written)
		})
		if err != nil {
			t.Fatal(err)
		}
		again, err := scanRow(db.getTask.QueryRow(r.key[:]))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Task, again.Task, cmpopts.EquateEmpty()); diff != "" || r.execution != again.execution || !bytes.Equal(r.journal, again.journal) {
			t.Errorf("read again, %q and %q (-first +second):\n%s", again.execution, again.journal, diff)
		}
	})
}
