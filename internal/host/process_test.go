package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

// A host in a process of its own, which can be killed. It is the test binary,
// told by its environment to be one.
const (
	// serveVariable names the folder of the host's files.
	serveVariable = "TASKS_TEST_SERVE"
	// killVariable names the killPoint at which it kills itself, if any.
	killVariable = "TASKS_TEST_KILL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveVariable); dir != "" {
		if err := serveProcess(dir, os.Getenv(killVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killPoint is a moment at which a process can kill itself: just before or just
// after the n-th time that it does an operation on the file.
type killPoint struct {
	operation string
	after     bool
	n         int64
}

func (p killPoint) String() string {
	return p.operation + " " + strconv.FormatBool(p.after) + " " + strconv.FormatInt(p.n, 10)
}

func parseKillPoint(text string) (p killPoint, err error) {
	if text != "" {
		_, err = fmt.Sscan(text, &p.operation, &p.after, &p.n)
	}
	return p, err
}

// child is what runs in a process of its own.
type child struct {
	trace *os.File // what it did, a line each; what is written is safe from a kill
	began time.Time
	host  *Host
	point killPoint
	times atomic.Int64 // that the point's operation was done
}

// serveProcess serves the file in dir until it is killed or interrupted. It
// prints its address; its log is the file log.
func serveProcess(dir, point string) error {
	appending := func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	trace, err := appending("trace")
	log, errLog := appending("log")
	kill, errPoint := parseKillPoint(point)
	if err := errors.Join(err, errLog, errPoint); err != nil {
		return err
	}
	p := &child{trace: trace, began: time.Now(), point: kill}
	p.host, err = New(Config{
		Database:  filepath.Join(dir, "tasks.db"),
		Worker:    workerFunc(p.work),
		Log:       slog.New(slog.NewJSONHandler(log, nil)),
		Intercept: p.intercept,
	})
	if err == nil {
		err = retryBy(p.host, tasktest.Retries)
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // the test has ended without ending this
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if point != "" {
		for range pollers { // so that half of the messages are theirs
			go p.disturb(ctx)
		}
	}
	return p.host.Serve(ctx, listener)
}

// tell writes a line of the trace: the process, the milliseconds since it began,
// whatever the machine's clock does, and what has happened.
func (p *child) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(p.trace, "%d %d %s\n", os.Getpid(), time.Since(p.began).Milliseconds(), fmt.Sprintf(format, args...))
	return err
}

// work takes up to 20 ms and fails three times in ten.
func (p *child) work(ctx context.Context, t task.Task) error {
	begun := t.Attempts[len(t.Attempts)-1]
	if err := p.tell("begun %s %d %d", t.ID, t.Run, begun.StartedAt.Milli()); err != nil {
		return err
	}
	select {
	case <-time.After(rand.N(20 * time.Millisecond)):
	case <-ctx.Done():
		return ctx.Err()
	}
	if rand.Float64() < 0.3 {
		return errors.Join(errors.New("bad luck"), p.tell("failed %s %d", t.ID, t.Run))
	}
	return p.tell("worked %s %d", t.ID, t.Run)
}

func (p *child) intercept(op taskdb.Operation, do func() error) error {
	here := op.Name == p.point.operation && p.times.Add(1) == p.point.n
	if here && !p.point.after {
		p.die()
	}
	err := do()
	if here {
		p.die()
	}
	return err
}

// die kills the process. It does not return.
func (p *child) die() {
	p.tell("killed %s %t", p.point.operation, p.point.after)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		self.Kill()
	}
	select {}
}

// disturb does what happens seldom, so that a kill can hit it: it takes messages
// off the queue before the poller and does with them what the poller, the queue's
// redrive policy, reconcile and those who send nonsense may do.
func (p *child) disturb(ctx context.Context) {
	db, queue, dead := p.host.db, p.host.db.Queue(), p.host.db.DeadLetterQueue()
	for ctx.Err() == nil {
		for _, r := range queue.Receive(ctx, 1) {
			m, err := task.ParseMessage(r.Body)
			if err != nil {
				panic(err)
			}
			now := time.Now()
			switch rand.N(6) {
			case 0:
				queue.Send(ctx, task.Outgoing{Message: m}) // twice is once
				queue.GiveBack(ctx, r, now)
			case 1:
				queue.GiveBack(ctx, r, now.Add(50*time.Millisecond))
			case 2:
				queue.MoveToDeadLetters(ctx, r)
			case 3:
				db.Restart(ctx, m, task.At(now))
			case 4:
				db.Defer(ctx, m, task.At(now))
				queue.GiveBack(ctx, r, now)
			case 5:
				dead.Send(ctx, r.Body) // it was never started
				if p.becomesDead(ctx, m) {
					queue.Delete(ctx, r)
				} else {
					queue.GiveBack(ctx, r, now)
				}
				body := fmt.Sprintf("no letter %d", now.UnixNano())
				if dead.Send(ctx, body) == nil {
					p.tell("malformed %s", body)
				}
			}
		}
	}
}

// becomesDead waits until a task is in the DLQ, for a second at the most.
func (p *child) becomesDead(ctx context.Context, m task.Message) bool {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		if t, err := p.host.db.Get(ctx, m.TaskID); err == nil && t.Run == m.Run && t.Status == task.DLQ {
			return true
		}
		<-again.C
	}
	return false
}

// hostProcess is a process that serves.
type hostProcess struct {
	cmd   *exec.Cmd
	url   string // "" if it was dead before it listened
	ended chan struct{}
}

// startProcess starts a process that serves the files in dir, and kills itself
// at a point unless that is "".
func startProcess(t *testing.T, dir, point string) *hostProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+dir, killVariable+"="+point)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	_, errIn := cmd.StdinPipe() // closed when the test's process ends
	if err := errors.Join(err, errIn); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &hostProcess{cmd: cmd, ended: make(chan struct{})}
	if address, err := bufio.NewReader(out).ReadString('\n'); err == nil {
		p.url = "http://" + strings.TrimSpace(address) + "/local"
	}
	go func() {
		cmd.Wait()
		close(p.ended)
	}()
	return p
}

func (p *hostProcess) kill() {
	p.cmd.Process.Kill() // SIGKILL
	<-p.ended
}

// stop has the process end by itself.
func (p *hostProcess) stop(t *testing.T) {
	t.Helper()
	p.cmd.Process.Signal(os.Interrupt)
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the host ended with exit code %d after an interrupt, want 0", code)
	}
}
