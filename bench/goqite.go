package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"time"

	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"
	_ "modernc.org/sqlite"
)

// goqiteSystem is goqite with its job runner on a SQLite file, all in this
// process. It forgets a task that is done.
type goqiteSystem struct {
	*noop
	pollInterval time.Duration // the runner's setting; 0 is its default, 100 ms
	db           *sql.DB
	queue        *goqite.Queue
	stop         context.CancelFunc
	stopped      chan struct{}
}

func newGoqite(pollInterval time.Duration) func(n int) system {
	return func(n int) system { return &goqiteSystem{noop: newNoop(n), pollInterval: pollInterval} }
}

// goqiteJob is the name of the tasks.
const goqiteJob = "noop"

// goqiteSchema is schema_sqlite.sql of goqite v0.4.0.
const goqiteSchema = `
create table goqite (
  id text primary key default ('m_' || lower(hex(randomblob(16)))),
  created text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
  updated text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
  queue text not null,
  body blob not null,
  timeout text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
  received integer not null default 0,
  priority integer not null default 0
) strict;

create trigger goqite_updated_timestamp after update on goqite begin
  update goqite set updated = strftime('%Y-%m-%dT%H:%M:%fZ') where id = old.id;
end;

create index goqite_queue_priority_created_idx on goqite (queue, priority desc, created);`

// openSQLite opens a new file in which each commit is synced. One connection is
// what goqite's and River's documentation asks for.
func openSQLite(dir string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "queue.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func (g *goqiteSystem) open(ctx context.Context, dir string) error {
	var err error
	if g.db, err = openSQLite(dir); err != nil {
		return err
	}
	g.queue = goqite.New(goqite.NewOpts{DB: g.db, Name: "tasks"})
	_, err = g.db.ExecContext(ctx, goqiteSchema)
	return err
}

func (g *goqiteSystem) submit(ctx context.Context, i int) error {
	body, err := json.Marshal(i)
	if err != nil {
		return err
	}
	_, err = jobs.Create(ctx, g.queue, goqiteJob, goqite.Message{Body: body})
	return err
}

func (g *goqiteSystem) work(ctx context.Context) (time.Time, error) {
	runner := jobs.NewRunner(jobs.NewRunnerOpts{Queue: g.queue, Limit: clients, PollInterval: g.pollInterval})
	runner.Register(goqiteJob, func(_ context.Context, body []byte) error {
		var i int
		if err := json.Unmarshal(body, &i); err != nil {
			return err
		}
		g.run(i)
		return nil
	})
	ctx, g.stop = context.WithCancel(ctx)
	g.stopped = make(chan struct{})
	since := time.Now()
	go func() {
		defer close(g.stopped)
		runner.Start(ctx)
	}()
	return since, nil
}

func (g *goqiteSystem) wait(ctx context.Context) error {
	return g.noop.wait(ctx, func(ctx context.Context) (n int, err error) {
		err = g.db.QueryRowContext(ctx, `SELECT count(*) FROM goqite`).Scan(&n)
		return n, err
	})
}

func (g *goqiteSystem) servers() []*process { return nil }

func (g *goqiteSystem) close() error {
	if g.stop != nil {
		g.stop()
		<-g.stopped
	}
	if g.db == nil {
		return nil
	}
	return g.db.Close()
}
