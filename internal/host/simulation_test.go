package host

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tasks "tasks"
	"tasks/internal/console"
	"tasks/internal/simulation"
	"tasks/internal/task"
	"tasks/internal/taskdb"
)

// TestSimulation runs the one-machine host as it is, with its file, in virtual
// time and with faults: see package simulation.
func TestSimulation(t *testing.T) {
	t.Parallel()
	simulation.Seeds(t, 60, simulate)
}

// TestASeedReplays runs seeds twice and compares all that happened.
func TestASeedReplays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			var histories [2]string
			for i := range histories {
				synctest.Test(t, func(t *testing.T) { histories[i] = simulate(t, 1000+seed).History })
			}
			simulation.Compare(t, histories[0], histories[1])
		})
	}
}

// simulated is a host that is simulated, through its lives.
type simulated struct {
	world       *simulation.World
	checker     *simulation.Checker
	dir         string
	failureRate float64
	lives       int
	life        *life // nil: the host is down
}

// life is a process: a host from its start to its end.
type life struct {
	path  string
	host  *Host           // nil: it is starting
	alive context.Context // ends when the process dies
	die   context.CancelFunc
	stop  context.CancelFunc // what a signal does
	ended chan struct{}
}

// simulate runs a system with the faults of a seed until all its tasks are
// final.
func simulate(t *testing.T, seed uint64) simulation.Result {
	w := simulation.NewWorld(seed)
	s := &simulated{world: w, checker: simulation.NewChecker(w, tasks.Retries()), dir: t.TempDir(), failureRate: simulation.FailureRate(w)}
	clients := &simulation.Clients{World: w, Checker: s.checker, Request: s.request}
	s.start(filepath.Join(s.dir, "0.db"))

	faulty := w.Between(time.Minute, 2*time.Hour)
	clients.Post(1+w.Intn(15), faulty)
	clients.Redrive(w.Intn(5), faulty)
	s.disturb(faulty)
	w.Run(faulty, func() bool { return false })

	w.Calm()
	w.Record("the faults end")
	settled := w.Run(4*24*time.Hour, func() bool { return s.up() && s.checker.Settled() })
	w.Run(time.Hour, func() bool { return false }) // for what should not happen any more
	r := simulation.Result{Faults: w.Happened(), Lasted: w.Since()}
	if !settled {
		r.Problems = append(r.Problems, "not settled 4 days after the last fault")
	}
	stored, err := s.stored(clients)
	if err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
	r.Tasks = len(stored.Tasks)
	r.Problems = append(r.Problems, s.checker.Final(stored)...)
	r.History = w.History()
	s.kill()
	return r
}

func (s *simulated) up() bool { return s.life != nil && s.life.host != nil }

// disturb has the host die, or be stopped, now and then, and puts what is no
// dead letter on its queue.
func (s *simulated) disturb(within time.Duration) {
	w := s.world
	for range w.Intn(40) {
		w.After(w.Between(0, within), func() {
			switch {
			case s.life != nil && w.Fault("the host dies at any moment", 3):
				s.crash(s.life)
			case s.up() && w.Fault("the host is stopped", 3):
				w.Record("the host is stopped")
				s.life.stop()
			case s.up() && w.Fault("a dead letter is malformed", 1):
				body := fmt.Sprintf("no letter %d", w.Intn(1000))
				l := s.life
				go s.checker.Garbage(body, func() error { return l.host.db.DeadLetterQueue().Send(l.alive, body) })
			}
		})
	}
}

// start starts a host on a file.
func (s *simulated) start(path string) {
	l := &life{path: path, ended: make(chan struct{})}
	l.alive, l.die = context.WithCancel(context.Background())
	s.life = l
	s.lives++
	s.world.Record("the host starts, life %d", s.lives)
	go s.live(l)
}

// live is the process. When it ends by itself, or was stopped, somebody starts
// it again.
func (s *simulated) live(l *life) {
	defer close(l.ended)
	err := s.serve(l)
	s.world.Park(l.alive, "ended", func() time.Duration {
		s.world.Record("the host has ended: %v", err != nil)
		l.die()
		s.life = nil
		s.world.After(s.world.Between(time.Second, time.Minute), func() { s.start(l.path) })
		return 0
	})
}

func (s *simulated) serve(l *life) error {
	h, err := New(Config{
		Database: l.path,
		Log:      s.checker.Logger(),
		Worker: simulation.Worker{
			World: s.world, Checker: s.checker, FailureRate: s.failureRate,
			Life: func(context.Context) context.Context { return l.alive },
		},
		Intercept: func(op taskdb.Operation, do func() error) error { return s.intercept(l, op, do) },
	})
	if err != nil {
		return err
	}
	h.front.console = console.New(h.stats, math.MaxInt64) // it looks once, or each second would be an event
	h.executions.seed = func(m task.Message) uint64 { return s.world.Hash(s.checker.Name(m.TaskID), m.Run) }
	serving, stop := context.WithCancel(l.alive)
	defer stop()
	if !s.world.Park(l.alive, "ready", func() time.Duration {
		l.host, l.stop = h, stop
		return 0
	}) {
		return h.Close()
	}
	return h.Serve(serving, &idleListener{closed: make(chan struct{})})
}

// crash kills a process, unless it is dead already; another is started later.
func (s *simulated) crash(l *life) {
	if s.life != l {
		return
	}
	path := s.kill()
	s.world.After(s.world.Between(0, 10*time.Minute), func() { s.start(path) })
}

// kill ends the process as kill -9 does, and returns the path of the file as
// the process has left it.
func (s *simulated) kill() string {
	l := s.life
	s.life = nil
	s.world.Record("the host is killed")
	left := filepath.Join(s.dir, fmt.Sprintf("%d.db", s.lives))
	for _, suffix := range []string{"", "-wal"} {
		if b, err := os.ReadFile(l.path + suffix); err == nil { // not there yet: nor is it later
			if err := os.WriteFile(left+suffix, b, 0o600); err != nil {
				panic(err)
			}
		}
	}
	l.die()
	if l.host != nil {
		l.host.cancel()
	}
	<-l.ended
	return left
}

// down is what an operation of a dead process ends with, and nobody sees.
var down = task.Errorf(task.Unavailable, "the process is dead")

// written are the operations that change records.
var written = map[string]bool{
	"Create": true, "Claim": true, "Finish": true, "MarkDead": true, "Redrive": true, "Restart": true, "Defer": true,
}

// intercept is between the host and its file. An operation takes its time, and
// may fail; the process may die just before or just after it.
func (s *simulated) intercept(l *life, op taskdb.Operation, do func() error) error {
	switch op.Name {
	case "Get", "List", "Sum", "Counts":
		return do() // what the checks use, and the console
	}
	w, key := s.world, op.Name+" "+s.checker.Name(op.Task)
	fails, dies := false, false
	if !w.Park(l.alive, key, func() time.Duration {
		fails = w.Fault("the file can't be used", 0.5)
		dies = w.Fault("the host dies before or after a commit", 0.2)
		w.Record("%s%s%s", key, simulation.When(fails, ": fails"), simulation.When(dies, ": the host dies"))
		if dies && w.Chance(0.5) {
			w.After(0, func() { s.crash(l) })
			return time.Hour // dead by then
		}
		return w.Latency()
	}) {
		return down
	}
	if fails {
		return task.Errorf(task.Unavailable, "disk I/O error")
	}
	err := do()
	early := op.Name == "Finish" // it is on disk when all have come to rest, and not before
	if written[op.Name] && err == nil && !early {
		s.wrote(l, op)
	}
	if !w.Park(l.alive, key+" done", func() time.Duration {
		if early && err == nil {
			s.wrote(l, op)
		}
		w.Record("%s done: %s", key, task.KindOf(err))
		if dies {
			w.After(0, func() { s.crash(l) })
			return time.Hour // dead by then
		}
		return w.Latency()
	}) {
		return down
	}
	return err
}

// wrote has the checks see what an operation has written.
func (s *simulated) wrote(l *life, op taskdb.Operation) {
	for _, id := range append([]task.ID{op.Task}, op.More...) {
		now, err := l.host.db.Get(context.Background(), id)
		if err == nil {
			s.checker.Wrote(now)
		} else if !task.IsKind(err, task.NotFound) {
			panic(err)
		}
	}
}

// request sends a request to the host.
func (s *simulated) request(method, path, key, body string) (status int, response string, answered bool) {
	l := s.life
	if !s.up() {
		return 0, "", false
	}
	r := httptest.NewRequest(method, "http://localhost/local"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	recorder := httptest.NewRecorder()
	l.host.front.ServeHTTP(recorder, r)
	return recorder.Code, recorder.Body.String(), l.alive.Err() == nil
}

// stored returns what the API and the file have at the end.
func (s *simulated) stored(clients *simulation.Clients) (simulation.Stored, error) {
	h := s.life.host
	stored := simulation.Stored{Tasks: map[task.ID]task.Task{}, Waiting: h.db.Queue().Len()}
	listed, err := clients.All()
	if err != nil {
		return stored, err
	}
	for id := range listed {
		if stored.Tasks[id], err = h.db.Get(context.Background(), id); err != nil {
			return stored, err
		}
	}
	stored.DeadLettered, err = h.db.Metrics().Sum(context.Background(), task.DeadLettered, time.Time{})
	return stored, err
}
