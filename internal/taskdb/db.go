package taskdb

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tasks/internal/task"
)

const (
	// applicationID marks a file as ours (PRAGMA application_id): "TASK".
	applicationID = 0x5441534b
	// schemaVersion is the PRAGMA user_version of schema.sql. From 2 to 3 the journals
	// changed: an older version can't read an answer without what is around it.
	schemaVersion = 3
	// addLabels adds what a file of version 1, and one of the first of version 2, lacks
	// besides whole tables.
	addLabels = `ALTER TABLE tasks ADD COLUMN labels TEXT NOT NULL DEFAULT '';
		ALTER TABLE tasks ADD COLUMN next_attempt_at INTEGER NOT NULL DEFAULT 0;`
	// maxInlineAnswer is the size of an answer, in bytes, up to which it lives
	// in the task's row.
	maxInlineAnswer = 1 << 10
	// readers is the number of connections that read.
	readers = 4
	// checkUpTo is the size of a file, in bytes, up to which it is checked for
	// damage when it is opened. The check reads it whole: about 0.2 s for the
	// largest.
	checkUpTo = 64 << 20
	// The modes of the file, of those beside it and of a folder that is made.
	fileMode, folderMode = 0o600, 0o700
)

//go:embed schema.sql
var schema string

// DB is an open file. It implements task.Store; Queue, DeadLetterQueue and
// Metrics give the other contracts. It is safe for concurrent use.
type DB struct {
	intercept Interceptor
	guard     *guard
	reader    *sql.DB
	getTask   *sql.Stmt
	writer    *writer
	queue     *Queue
	dead      *DeadLetterQueue
	clock     clock
	crashed   bool
}

// Open opens the file at path and makes it, with its folder, if it is not
// there. The file is the user's alone from then on, whatever its mode was and
// whatever the umask is, and so is a folder that is made; the mode of one that
// is there is left as it is. A file that another host has open, that a newer
// version has written, that is no file of ours, that belongs to another user, that has
// two names or that is damaged is an error that says so.
func Open(path string) (*DB, error) {
	return OpenIntercepted(path, func(_ Operation, do func() error) error { return do() })
}

// OpenIntercepted is Open with something between the operations and the file.
func OpenIntercepted(path string, intercept Interceptor) (_ *DB, err error) {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w", err)
	}
	if path, err = realPath(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db := &DB{intercept: intercept, clock: clock{opened: time.Now()}}
	if db.guard, err = newGuard(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()

	size, err := takeFile(path)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	log, err := os.Stat(path + "-wal") // who closes the file last removes it
	db.crashed = err == nil && log.Size() > 0
	if err := prepare(path, size <= checkUpTo); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if db.reader, err = open(path, "_pragma=query_only(1)", "_pragma=cache_size(-16000)"); err != nil {
		return nil, err
	}
	if err := openAll(db.reader); err != nil {
		return nil, unavailable("read", err)
	}
	if db.getTask, err = db.reader.Prepare(selectRow); err != nil {
		return nil, unavailable("read", err)
	}
	db.queue = newQueue(db)
	db.dead = newDeadLetterQueue(db)
	opened := make(chan error, 1) // the writer and the queue read the file side by side
	go func() {
		var err error
		db.writer, err = newWriter(path, db.guard)
		opened <- err
	}()
	err = db.queue.load()
	if err := errors.Join(<-opened, err); err != nil {
		return nil, err
	}
	if err := db.dead.load(); err != nil {
		return nil, err
	}
	if err := db.guard.note(db.writer.version); err != nil {
		return nil, unavailable("read", err)
	}
	return db, nil
}

// makeFolder makes a folder for the user alone, unless it is there. What that
// one's mode is, is for whoever made it to say: it may be one of many uses.
func makeFolder(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.MkdirAll(path, folderMode), os.Chmod(path, folderMode)) // whatever the umask is
}

// realPath returns the path of the file itself, which it makes if it is not there: path
// may be that of a link, and the lock and SQLite's log go by the name.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// takeFile makes the file and those beside it the user's alone, and returns its size.
// SQLite gives the files that it makes the mode of this one.
func takeFile(path string) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	if n := links(info); n > 1 {
		return 0, fmt.Errorf("it has %d names (hard links), and two hosts that know it by different ones would destroy it: make a copy, and use that", n)
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", ".lock"} {
		if err := os.Chmod(path+suffix, fileMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("make it readable by its user alone: %w", err)
		}
	}
	return info.Size(), nil
}

// Close stops the writer after the operations that wait, writes the log back
// into the file and releases it.
func (db *DB) Close() error {
	var errs []error
	if db.reader != nil {
		errs = append(errs, db.reader.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	return errors.Join(append(errs, db.guard.release())...)
}

// Crashed tells whether who had the file open before has not closed it, by the log that
// is then left. Whoever opens the file and closes it, the sqlite3 tool too, removes that.
func (db *DB) Crashed() bool { return db.crashed }

// Backlog returns how many tasks are not finished: those on the queue, those that
// run and those that wait for a retry. It counts what is committed, and costs
// nothing.
func (db *DB) Backlog() int { return int(db.writer.live.Load()) }

// openAll opens the connections of a pool, to the file that has its name now.
func openAll(pool *sql.DB) (err error) {
	pool.SetMaxOpenConns(readers)
	pool.SetMaxIdleConns(readers)
	for range readers {
		c, err := pool.Conn(context.Background())
		if err != nil {
			return err
		}
		defer c.Close() // when all are open
		if _, err := c.ExecContext(context.Background(), `SELECT count(*) FROM sqlite_schema`); err != nil {
			return err
		}
	}
	return nil
}

// open returns a pool of connections to the file, which makes none.
func open(path string, options ...string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=rw&_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)"
	for _, o := range options {
		dsn += "&" + o
	}
	return sql.Open("sqlite", dsn)
}

// prepare makes sure that the file is whole, ours and of this version's schema.
func prepare(path string, check bool) (err error) {
	db, err := open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)

	var app, version, tables, labels int
	err = db.QueryRow(`SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema),
		(SELECT count(*) FROM pragma_table_info('tasks') WHERE name = 'labels')`).Scan(&app, &version, &tables, &labels)
	switch {
	case err != nil:
		return unreadable(err)
	case tables > 0 && app != applicationID:
		return errors.New("it is a SQLite file of another program: choose another file")
	case version > schemaVersion:
		return fmt.Errorf("it was written by a newer version (schema %d, this version knows %d): use that version, or choose another file", version, schemaVersion)
	}
	if check {
		var result string
		if err := db.QueryRow(`PRAGMA quick_check(1)`).Scan(&result); err != nil {
			return unreadable(err)
		}
		if result != "ok" {
			return unreadable(errors.New(result))
		}
	}
	lacksLabels := tables > 0 && labels == 0
	if version == schemaVersion && !lacksLabels {
		return nil
	}
	if _, err := db.Exec(`PRAGMA journal_mode = WAL`); err != nil {
		return err
	}
	change := schema
	if lacksLabels {
		change = addLabels + schema
	}
	_, err = db.Exec(fmt.Sprintf("BEGIN;\n%s\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\nCOMMIT;", change, applicationID, schemaVersion))
	return err
}

// unreadable says of a file's error what can be done.
func unreadable(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY:
		return err
	}
	return fmt.Errorf("the file is damaged or no SQLite database (%w): restore it from a copy, rescue what can be read with `sqlite3 FILE .recover`, or choose another file", err)
}

// code returns SQLite's primary result code of err, and 0 if it has none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// Operation is one use of the file: what a method of DB, or of what DB gives,
// does there.
type Operation struct {
	Name string    // the method's, such as "Claim" or "Queue.Delete"
	Task task.ID   // the task that it is about, or the first of them
	More []task.ID // the others
	// early: in a chain, its caller goes on when it is applied.
	early bool
	// ahead: the tasks after its task are likely to come next.
	ahead bool
}

// Interceptor is called in place of each operation, by the goroutine that waits
// for it, and calls do to carry it out: when do returns without an error, what
// the operation writes is on disk, or, if it is an early one of a Chain, will be
// with what follows it or before, or never. With it, tests make operations slow, have
// them fail, or kill the process before or after one.
type Interceptor func(op Operation, do func() error) error

// read does an operation that only reads.
func (db *DB) read(op Operation, do func() error) error {
	return unavailable("read", db.intercept(op, do))
}

// write does an operation that writes: see operation.apply in writer.go.
func (db *DB) write(ctx context.Context, op Operation, apply func(*tx) error) error {
	return db.intercept(op, func() error { return db.writer.do(ctx, op.early, apply) })
}

// unavailable wraps an error of the database.
func unavailable(doing string, err error) error {
	var domain *task.Error
	if err == nil || errors.As(err, &domain) {
		return err
	}
	return task.Errorf(task.Unavailable, "%s the database: %w", doing, err)
}
