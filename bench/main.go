// Command bench compares the one-machine host with task queues for Go that people
// use: it puts all under the same loads on this machine, round by round, and
// prints Markdown tables. README.md says what is measured, and what is equal.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"syscall"
	"time"
)

// hangs is when a system's round is given up, so that none is waited for for ever.
const hangs = time.Hour

// candidate is a system that can be measured, in one configuration.
type candidate struct {
	name   string
	weaker string   // what a power failure does to accepted tasks, if it does
	needs  []string // programs of its server
	system func(n int) system
}

// candidates returns the systems, the first of which is ours. The host's
// executable is at host.
func candidates(host string) []candidate {
	redis, postgres := []string{"redis-server"}, []string{"initdb", "postgres"}
	const often = 5 * time.Millisecond
	return []candidate{
		{"ours", "", nil, newOurs(host)},
		{"asynq, appendfsync always, 1 server", "", redis, newAsynq(asynqOptions{appendfsync: "always", servers: 1})},
		{"asynq, appendfsync always, 1 server, tuned", "", redis, newAsynq(asynqOptions{appendfsync: "always", servers: 1, taskCheckInterval: often})},
		{"asynq, appendfsync always, 16 servers", "", redis, newAsynq(asynqOptions{appendfsync: "always", servers: 16})},
		{"asynq, appendfsync everysec, 1 server", "loses the last second", redis, newAsynq(asynqOptions{appendfsync: "everysec", servers: 1})},
		{"asynq, no persistence, 1 server", "loses all", redis, newAsynq(asynqOptions{appendfsync: "off", servers: 1})},
		{"River, PostgreSQL", "", postgres, newRiverPostgres(riverDefault)},
		{"River, PostgreSQL, tuned", "", postgres, newRiverPostgres(riverTuned)},
		{"River, SQLite", "", nil, newRiverSQLite(riverDefault)},
		{"River, SQLite, tuned", "", nil, newRiverSQLite(riverTuned)},
		{"goqite, SQLite", "", nil, newGoqite(0)},
		{"goqite, SQLite, tuned", "", nil, newGoqite(often)},
	}
}

// options are the flags.
type options struct {
	rounds, n        int
	only             *regexp.Regexp
	smoke            bool
	child, host, dir string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, parseFlags()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func parseFlags() options {
	var o options
	var only string
	flag.IntVar(&o.rounds, "rounds", 3, "how often each system is measured")
	flag.IntVar(&o.n, "n", 20_000, "`tasks` of a load")
	flag.StringVar(&only, "only", "", "measure ours and the systems whose name matches this `regexp`")
	flag.BoolVar(&o.smoke, "smoke", false, "see in less than a minute that all works: one round of 200 tasks, each system once, tuned, unless -only says which")
	flag.StringVar(&o.child, "child", "", "used by this program itself: measure this system once, and print JSON")
	flag.StringVar(&o.host, "host", "", "used by this program itself: our executable")
	flag.StringVar(&o.dir, "dir", "", "used by this program itself: an empty folder")
	flag.Parse()
	if o.smoke {
		o.rounds, o.n = 1, 200
		only = cmp.Or(only, "tuned$")
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil || o.rounds < 1 || o.n < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

func run(ctx context.Context, o options) error {
	if o.child != "" {
		return runChild(ctx, o)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	o.host = filepath.Join(dir, "tasks")
	build := exec.CommandContext(ctx, "go", "build", "-o", o.host, "./cmd/tasks")
	build.Dir, build.Stderr = "..", os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the host, from the folder bench: %w", err)
	}
	r, err := runRounds(ctx, o, dir)
	if len(r.rows) > 0 {
		fmt.Print(r)
	}
	return err
}

// runRounds measures every system once, then again, so that what else happens on
// the machine meets all. A system that fails is told, and left out from then on.
func runRounds(ctx context.Context, o options, dir string) (report, error) {
	r := report{rounds: o.rounds, n: o.n}
	var failed error
	for i, c := range candidates(o.host) {
		if i > 0 && !o.only.MatchString(c.name) {
			continue
		}
		if missing := missing(c.needs); missing != "" {
			fmt.Fprintf(os.Stderr, "SKIPPED %s: there is no %s; apt-get install -y --no-install-recommends redis-server postgresql\n", c.name, missing)
			continue
		}
		r.rows = append(r.rows, row{candidate: c})
	}
	for round := range o.rounds {
		for i := range r.rows {
			row := &r.rows[i]
			if row.failed {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s round %d of %d: %s\n", time.Now().Format(time.TimeOnly), round+1, o.rounds, row.name)
			o.dir = filepath.Join(dir, "data")
			got, err := runOnce(ctx, o, row.name)
			if ctx.Err() != nil {
				return r, context.Cause(ctx)
			}
			if err != nil {
				row.failed = true
				failed = errors.Join(failed, fmt.Errorf("%s: %w", row.name, err))
				fmt.Fprintf(os.Stderr, "FAILED %s: %v\n", row.name, err)
				continue
			}
			row.results = append(row.results, got)
		}
	}
	return r, failed
}

func missing(programs []string) string {
	for _, name := range programs {
		if _, err := program(name); err != nil {
			return name
		}
	}
	return ""
}

// runOnce measures a system in a process of its own, so that its CPU time and
// memory are no other's.
func runOnce(ctx context.Context, o options, name string) (result, error) {
	var r result
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	if err := os.Mkdir(o.dir, 0o755); err != nil {
		return r, err
	}
	defer os.RemoveAll(o.dir)
	cmd := exec.CommandContext(ctx, self, "-child", name, "-n", fmt.Sprint(o.n), "-host", o.host, "-dir", o.dir)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

func runChild(ctx context.Context, o options) error {
	// A heap of this process grows to some 100 MB between collections, as our host's
	// does (host.TuneGC): a peer's client and workers allocate here.
	debug.SetGCPercent(800)
	ctx, cancel := context.WithTimeoutCause(ctx, hangs, fmt.Errorf("given up after %v", hangs))
	defer cancel()
	for _, c := range candidates(o.host) {
		if c.name == o.child {
			r, err := measure(ctx, c.system, o.n, o.dir)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(r)
		}
	}
	return fmt.Errorf("there is no system %s", o.child)
}
