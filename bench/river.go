package main

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// riverOptions are River's settings; 0 is its default.
type riverOptions struct {
	workers           int           // MaxWorkers, which has no default
	fetchCooldown     time.Duration // 100 ms
	fetchPollInterval time.Duration // 1 s
}

// riverDefault is as in River's documentation.
var riverDefault = riverOptions{workers: 100}

// riverTuned is as in River's own benchmark, and polls more often.
var riverTuned = riverOptions{workers: 2000, fetchCooldown: 2 * time.Millisecond, fetchPollInterval: 5 * time.Millisecond}

// riverSystem is River, whose workers are part of this process. It keeps the row
// of a task that is done for a day. What is told apart by Tx is the database.
type riverSystem[Tx any] struct {
	*noop
	o      riverOptions
	client *river.Client[Tx]
	count  func(ctx context.Context, query string) (int, error)
}

type riverTask struct {
	Number int `json:"number"`
}

func (riverTask) Kind() string { return "noop" }

// prepare makes the tables and the client.
func (r *riverSystem[Tx]) prepare(ctx context.Context, driver riverdriver.Driver[Tx]) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: log})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(_ context.Context, job *river.Job[riverTask]) error {
		r.run(job.Args.Number)
		return nil
	}))
	r.client, err = river.NewClient(driver, &river.Config{
		FetchCooldown:     r.o.fetchCooldown,
		FetchPollInterval: r.o.fetchPollInterval,
		Logger:            log,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: r.o.workers}},
		Workers:           workers,
	})
	return err
}

func (r *riverSystem[Tx]) submit(ctx context.Context, i int) error {
	_, err := r.client.Insert(ctx, riverTask{Number: i}, nil)
	return err
}

func (r *riverSystem[Tx]) work(ctx context.Context) (time.Time, error) {
	since := time.Now()
	return since, r.client.Start(ctx)
}

func (r *riverSystem[Tx]) wait(ctx context.Context) error {
	return r.noop.wait(ctx, func(ctx context.Context) (int, error) {
		return r.count(ctx, `SELECT count(*) FROM river_job WHERE state <> 'completed'`)
	})
}

// stop stops the workers, if they work.
func (r *riverSystem[Tx]) stop() {
	if r.client != nil {
		r.client.StopAndCancel(context.Background())
	}
}

// riverPostgres is River on a PostgreSQL of its own, as initdb configures it:
// fsync and synchronous_commit are on.
type riverPostgres struct {
	riverSystem[pgx.Tx]
	postgres *process
	pool     *pgxpool.Pool
}

func newRiverPostgres(o riverOptions) func(n int) system {
	return func(n int) system { return &riverPostgres{riverSystem: riverSystem[pgx.Tx]{noop: newNoop(n), o: o}} }
}

func (r *riverPostgres) open(ctx context.Context, dir string) error {
	dir = filepath.Join(dir, "postgres")
	owner, err := postgresUser(dir)
	if err != nil {
		return err
	}
	command := func(name string, args ...string) *exec.Cmd {
		path, _ := program(name) // or Start says that there is none
		cmd := exec.Command(path, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
		cmd.Stderr = os.Stderr
		cmd.Dir = dir
		return cmd
	}
	if err := command("initdb", "--pgdata", dir, "--username", "postgres", "--auth", "trust", "--no-sync").Run(); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	r.postgres, err = start(command("postgres", "-D", dir, "-h", "127.0.0.1", "-p", port, "-c", "unix_socket_directories=", "-c", "log_min_messages=fatal", "-c", "fsync=on", "-c", "synchronous_commit=on"))
	if err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig("postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable")
	if err != nil {
		return err
	}
	config.MaxConns = clients + 8 // River's own; PostgreSQL takes 100
	if r.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if err := ready(ctx, r.pool.Ping); err != nil {
		return err
	}
	r.count = func(ctx context.Context, query string) (n int, err error) {
		err = r.pool.QueryRow(ctx, query).Scan(&n)
		return n, err
	}
	return r.prepare(ctx, riverpgxv5.New(r.pool))
}

// postgresUser makes dir and returns whom PostgreSQL is to run as and dir belongs
// to: postgres, if this process is root's, because PostgreSQL refuses root.
func postgresUser(dir string) (*syscall.Credential, error) {
	if err := os.Mkdir(dir, 0o700); err != nil || os.Getuid() != 0 {
		return nil, err
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func (r *riverPostgres) servers() []*process { return []*process{r.postgres} }

func (r *riverPostgres) close() error {
	r.stop()
	if r.pool != nil {
		r.pool.Close()
	}
	if r.postgres != nil {
		r.postgres.end()
	}
	return nil
}

// riverSQLite is River on a SQLite file.
type riverSQLite struct {
	riverSystem[*sql.Tx]
	db *sql.DB
}

func newRiverSQLite(o riverOptions) func(n int) system {
	return func(n int) system { return &riverSQLite{riverSystem: riverSystem[*sql.Tx]{noop: newNoop(n), o: o}} }
}

func (r *riverSQLite) open(ctx context.Context, dir string) error {
	var err error
	if r.db, err = openSQLite(dir); err != nil {
		return err
	}
	r.count = func(ctx context.Context, query string) (n int, err error) {
		err = r.db.QueryRowContext(ctx, query).Scan(&n)
		return n, err
	}
	return r.prepare(ctx, riversqlite.New(r.db))
}

func (r *riverSQLite) servers() []*process { return nil }

func (r *riverSQLite) close() error {
	r.stop()
	if r.db == nil {
		return nil
	}
	return r.db.Close()
}
