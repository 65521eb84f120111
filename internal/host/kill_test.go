package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tasks/internal/api"
	"tasks/internal/simulation"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

// TestKill9 kills a host at work, time and again, starts it again on the same
// file, and looks from outside at what became of every task. It is killed before
// and after each operation that writes something (for one that is answered early, see
// taskdb.Chain, that is before its commit), and at random moments. KILLS in the
// environment has it killed more often than that takes.
func TestKill9(t *testing.T) {
	t.Parallel()
	var points []killPoint
	for _, operation := range commitPoints(t) {
		points = append(points, killPoint{operation, false, 1}, killPoint{operation, true, 1})
	}
	kills, err := strconv.Atoi(os.Getenv("KILLS"))
	if err != nil && os.Getenv("KILLS") != "" {
		t.Fatal(err)
	}
	c := newCrash(t)
	began := time.Now()
	for _, point := range points {
		c.life(point, time.Minute) // it comes sooner, also with the race detector
	}
	for range max(5, kills-len(points)) {
		point := points[rand.N(len(points))]
		point.n = 1 + rand.Int64N(50)
		c.life(point, rand.N(400*time.Millisecond))
	}
	c.check(points)
	t.Logf("%d kills, %d of them by the host itself before or after a commit, %d tasks accepted, in %v: %v; %d attempts interrupted",
		c.kills, c.killedItself, c.accepted, time.Since(began).Round(time.Second), c.ended, c.interrupted)
	if c.interrupted == 0 || c.ended[task.Processed] == 0 || c.ended[task.DLQ] == 0 {
		t.Error("the kills hit nothing: no interrupted attempt, or not both final statuses")
	}
}

// commitPoints returns the names of the operations that write to the file, from
// the source of package taskdb: one that is new there is killed at, too.
func commitPoints(t *testing.T) []string {
	t.Helper()
	files := token.NewFileSet()
	names := map[string]bool{}
	sources, err := filepath.Glob("../taskdb/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				method, ok := n.Fun.(*ast.SelectorExpr)
				return !ok || method.Sel.Name != "read" // commits nothing
			case *ast.CompositeLit:
				if made, ok := n.Type.(*ast.Ident); !ok || made.Name != "Operation" {
					return true
				}
				first := n.Elts[0]
				if named, ok := first.(*ast.KeyValueExpr); ok {
					first = named.Value
				}
				text, ok := first.(*ast.BasicLit)
				if !ok {
					t.Fatalf("%s: the operation's name is no literal", files.Position(n.Pos()))
				}
				name, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				names[name] = true
			}
			return true
		})
	}
	if len(names) < 15 {
		t.Fatalf("found %d operations that write: %v", len(names), names)
	}
	return slices.Sorted(maps.Keys(names))
}

// crash is a file and those who use it, through all that is done to the hosts.
type crash struct {
	t       *testing.T
	dir     string
	checker *simulation.Checker
	client  *http.Client
	faulty  atomic.Bool // requests may be refused: the disk has a fault
	refused atomic.Int64

	mu         sync.Mutex
	accepted   int
	keys       int
	unanswered []post // those with an idempotency key

	kills        int
	killedItself int
	interrupted  int
	ended        map[task.Status]int
}

// post is a request for a task.
type post struct{ key, answer string }

func newCrash(t *testing.T) *crash {
	return &crash{t: t, dir: t.TempDir(), checker: simulation.NewChecker(nil, tasktest.Retries), client: &http.Client{Timeout: time.Minute}, ended: map[task.Status]int{}}
}

// life starts a host that kills itself at a point, uses it until it is dead, and
// kills it if it has not come to that point in time.
func (c *crash) life(point killPoint, within time.Duration) {
	c.t.Helper()
	p := startProcess(c.t, c.dir, point.String())
	c.kills++
	var users sync.WaitGroup
	if p.url != "" {
		c.use(p, &users)
	}
	select {
	case <-p.ended:
	case <-time.After(within):
		p.kill()
	}
	users.Wait()
	c.isKilled(p)
}

func (c *crash) isKilled(p *hostProcess) {
	c.t.Helper()
	if code := p.cmd.ProcessState.ExitCode(); code >= 0 {
		c.t.Fatalf("the host ended by itself, with exit code %d", code)
	}
}

// use has users use a host until it is dead.
func (c *crash) use(p *hostProcess, users *sync.WaitGroup) {
	for range 3 {
		users.Go(func() { c.user(p, c.post) })
	}
	users.Go(func() { c.user(p, c.look) })
}

// user does something every few milliseconds until the host is dead.
func (c *crash) user(p *hostProcess, something func(simulation.Request)) {
	again := time.NewTicker(3 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			something(c.requests(p))
		case <-p.ended:
			return
		}
	}
}

// requests returns what sends requests to a process.
func (c *crash) requests(p *hostProcess) simulation.Request {
	return func(method, path, key, body string) (status int, response string, answered bool) {
		r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		resp, err := c.client.Do(r)
		if err != nil {
			return 0, "", false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err == nil
	}
}

// post posts a task, half of them with an idempotency key: if that has no answer,
// a user posts it again, to this host or the next one.
func (c *crash) post(request simulation.Request) {
	p := c.nextPost()
	faulty := c.faulty.Load() // or it becomes so meanwhile
	status, response, answered := request("POST", "/tasks", p.key, `{"answer":"`+p.answer+`"}`)
	var accepted api.Accepted
	switch {
	case !answered:
		if p.key != "" {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.unanswered = append(c.unanswered, p)
		}
	case status == http.StatusServiceUnavailable && (faulty || c.faulty.Load()):
		c.refused.Add(1)
	case status != http.StatusAccepted || json.Unmarshal([]byte(response), &accepted) != nil:
		c.t.Errorf("POST: got %d %s", status, response)
	default:
		c.checker.Accepted(accepted.TaskID, p.key)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.accepted++
	}
}

func (c *crash) nextPost() post {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.unanswered); n > 0 && rand.N(2) == 0 {
		p := c.unanswered[n-1]
		c.unanswered = c.unanswered[:n-1]
		return p
	}
	p := post{answer: strings.Repeat("forty-two ", 1+rand.N(3)*rand.N(100))}
	if rand.N(2) == 0 {
		c.keys++
		p.key = "key " + strconv.Itoa(c.keys)
		p.answer = simulation.KeyedAnswer(p.key, p.answer)
	}
	return p
}

// look reads some of the newest tasks, and now and then redrives one that is
// dead.
func (c *crash) look(request simulation.Request) {
	var recent, dead api.List
	if !c.get(request, "?limit=100", &recent) || !c.get(request, "?limit=1&status=DLQ", &dead) {
		return
	}
	for range min(5, len(recent.Tasks)) {
		var seen api.Detail
		if !c.get(request, "/"+string(recent.Tasks[rand.N(len(recent.Tasks))].TaskID), &seen) {
			return
		}
		c.checker.Saw(task.Task{ID: seen.TaskID, Run: seen.Run, Status: seen.Status})
	}
	if len(dead.Tasks) > 0 && rand.N(10) == 0 {
		request("POST", "/tasks/"+string(dead.Tasks[0].TaskID)+"/redrive", "", "")
	}
}

// get reads what is at a path below /tasks, unless the host is dead.
func (c *crash) get(request simulation.Request, path string, into any) bool {
	status, response, answered := request("GET", "/tasks"+path, "", "")
	if status == http.StatusServiceUnavailable && c.faulty.Load() {
		return false
	}
	if answered && (status != http.StatusOK || json.Unmarshal([]byte(response), into) != nil) {
		c.t.Errorf("GET %s: got %d %s", path, status, response)
		return false
	}
	return answered
}

// check lets a last host end what is left, and holds everything against the
// promise.
func (c *crash) check(points []killPoint) {
	c.t.Helper()
	begun := c.readTrace(points)
	p := startProcess(c.t, c.dir, "")
	clients := &simulation.Clients{Checker: c.checker, Request: c.requests(p)}
	c.settle(p)
	listed, err := clients.All()
	if err != nil {
		c.t.Fatal(err)
	}
	p.stop(c.t)
	begun = append(begun, c.readTrace(nil)...)
	c.readLog()

	db, err := taskdb.Open(filepath.Join(c.dir, "tasks.db"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	stored := simulation.Stored{Tasks: map[task.ID]task.Task{}, Waiting: db.Queue().Len()}
	for id := range listed {
		t, err := db.Get(ctx, id)
		if err != nil {
			c.t.Fatal(err)
		}
		stored.Tasks[id] = t
		c.checker.Saw(t)
		c.ended[t.Status]++
		counted := 0
		for _, a := range t.Attempts {
			switch {
			case a.NotCounted:
				c.interrupted++
			case a.Run == t.Run:
				counted++
			}
		}
		if t.Status == task.DLQ && t.ErrorType != string(task.NotStarted) && counted != tasktest.Retries.MaxAttempts+1 {
			c.t.Errorf("task %s is in the DLQ after %d attempts, want %d: %+v", id, counted, tasktest.Retries.MaxAttempts+1, t.Attempts)
		}
	}
	if stored.DeadLettered, err = db.Metrics().Sum(ctx, task.DeadLettered, time.Time{}); err != nil {
		c.t.Fatal(err)
	}
	for _, problem := range c.checker.Final(stored) {
		c.t.Error(problem)
	}
	c.checkBegun(begun, stored.Tasks)
}

// settle waits until no task is open.
func (c *crash) settle(p *hostProcess) {
	c.t.Helper()
	request := c.requests(p)
	// A dead letter that was received and could not be marked comes again after the
	// queue's visibility timeout of 5 minutes: with a disk that heals, one in some runs.
	deadline := time.Now().Add(7 * time.Minute)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for range again.C {
		open := 0
		for _, status := range []task.Status{task.Pending, task.Processing, task.Failed} {
			var list api.List
			if !c.get(request, "?limit=1&status="+string(status), &list) {
				c.t.Fatal("the last host is dead")
			}
			open += len(list.Tasks) + len(list.NextToken)
		}
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Error("there are tasks that are not final")
			return
		}
	}
}

// run is a start of the worker.
type run struct {
	id        task.ID
	number    int
	startedAt int64
}

// readTrace reads what the hosts have done since it was read last, and returns
// the starts of the worker. In one host's life none may be sooner after a failure
// than it should. Each of the points must be among those at which a host was
// killed.
func (c *crash) readTrace(points []killPoint) (begun []run) {
	c.t.Helper()
	path := filepath.Join(c.dir, "trace")
	b, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		c.t.Fatal(err)
	}
	killed := map[killPoint]bool{}
	type life struct { // of a task's run in a process
		process int
		id      task.ID
		number  int
	}
	failed := map[life][]int64{}
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 4)
		process, err := strconv.Atoi(fields[0])
		ms, errMS := strconv.ParseInt(fields[1], 10, 64)
		if err := errors.Join(err, errMS); err != nil {
			c.t.Fatalf("trace: %q: %v", line, err)
		}
		what, rest := fields[2], fields[3]
		var r run
		var point killPoint
		switch what {
		case "begun":
			_, err = fmt.Sscan(rest, &r.id, &r.number, &r.startedAt)
			begun = append(begun, r)
			failures := failed[life{process, r.id, r.number}]
			if n := len(failures); n > 0 && ms-failures[n-1] < tasktest.Retries.Wait(n).Milliseconds() {
				c.t.Errorf("task %s: an attempt began %d ms after failure %d in the life of a host", r.id, ms-failures[n-1], n)
			}
		case "failed":
			_, err = fmt.Sscan(rest, &r.id, &r.number)
			l := life{process, r.id, r.number}
			failed[l] = append(failed[l], ms)
		case "worked":
			_, err = fmt.Sscan(rest, &r.id, &r.number)
			c.checker.Worked(r.id, r.number, nil)
		case "malformed":
			c.checker.Garbage(rest, func() error { return nil })
		case "killed":
			_, err = fmt.Sscan(rest, &point.operation, &point.after)
			point.n = 1
			killed[point] = true
			c.killedItself++
		}
		if err != nil {
			c.t.Fatalf("trace: %q: %v", line, err)
		}
	}
	for _, point := range points {
		if !killed[point] {
			c.t.Errorf("no host was killed at operation %s (after it: %t)", point.operation, point.after)
		}
	}
	return begun
}

func (c *crash) readLog() {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if err := c.checker.Logged(line); err != nil {
			c.t.Error(err)
		}
	}
}

// checkBegun checks that each start of the worker is an attempt on record, and
// that none was made twice: so none follows a success.
func (c *crash) checkBegun(begun []run, tasks map[task.ID]task.Task) {
	c.t.Helper()
	times := map[run]int{}
	for _, r := range begun {
		times[r]++
	}
	for r, n := range times {
		t := tasks[r.id]
		if len(t.Attempts) == task.MaxAttempts {
			continue // older ones are gone
		}
		recorded := slices.ContainsFunc(t.Attempts, func(a task.Attempt) bool {
			return a.Run == r.number && a.StartedAt.Milli() == r.startedAt
		})
		if !recorded || n > 1 {
			c.t.Errorf("task %s: the worker began %d times with an attempt of run %d (on record: %t): %+v", r.id, n, r.number, recorded, t.Attempts)
		}
	}
}
