package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

// serveVariable names the folder of a host that the test binary is to run
// instead of tests.
const serveVariable = "TASKS_TEST_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveVariable); dir != "" {
		serveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// serveUntilKilled serves the file in dir with a worker that takes up to
// 200 ms, fails three times in ten and writes down each success before it
// returns. It prints its address.
func serveUntilKilled(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	done, err := os.OpenFile(filepath.Join(dir, "done"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fail(err)
	worker := workerFunc(func(ctx context.Context, t task.Task) error {
		select {
		case <-time.After(rand.N(200 * time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
		if rand.Float64() < 0.3 {
			return errors.New("bad luck")
		}
		_, err := fmt.Fprintln(done, t.ID)
		return err
	})
	h, err := New(Config{Database: filepath.Join(dir, "tasks.db"), Worker: worker, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	fail(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Println(listener.Addr())
	fail(h.Serve(context.Background(), listener))
}

// hostProcess is a host in a process of its own.
type hostProcess struct {
	cmd *exec.Cmd
	url string
}

func startProcess(t *testing.T, dir string) *hostProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		t.Fatalf("the host did not start: %v", err)
	}
	return &hostProcess{cmd, "http://" + strings.TrimSpace(address) + "/local/tasks"}
}

func (p *hostProcess) kill() {
	p.cmd.Process.Kill() // SIGKILL
	p.cmd.Wait()
}

// TestKill9 kills a host with tasks in flight, time and again, and looks at what
// became of each task that was accepted.
func TestKill9(t *testing.T) {
	t.Parallel()
	const rounds, clients = 8, 8
	dir := t.TempDir()
	var mu sync.Mutex
	accepted := map[task.ID]bool{}
	for range rounds {
		p := startProcess(t, dir)
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for {
					id, err := post(p.url)
					if err != nil {
						return // killed
					}
					mu.Lock()
					accepted[id] = true
					mu.Unlock()
				}
			})
		}
		<-time.After(rand.N(300 * time.Millisecond))
		p.kill()
		all.Wait()
	}
	p := startProcess(t, dir)
	defer p.kill()

	records := map[task.ID]api.Detail{}
	deadline := time.After(60 * time.Second)
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for len(records) < len(accepted) {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%d of %d accepted tasks are not final", len(accepted)-len(records), len(accepted))
		}
		for id := range accepted {
			if _, ok := records[id]; ok {
				continue
			}
			d := getDetail(t, p.url, id)
			if d.Status.Open() {
				break
			}
			records[id] = d
		}
	}
	successes := successes(t, dir)
	kinds := map[task.Status]int{}
	interrupted := 0
	for id, d := range records {
		kinds[d.Status]++
		interrupted += checkRecord(t, d)
		if d.Status == task.Processed && successes[id] == 0 {
			t.Errorf("task %s is PROCESSED, but no worker was done with it", id)
		}
	}
	t.Logf("%d tasks accepted over %d kills: %v, %d attempts interrupted", len(accepted), rounds, kinds, interrupted)
	if interrupted == 0 || len(kinds) != 2 {
		t.Error("the kills hit nothing: no interrupted attempt, or not both final statuses")
	}
}

// checkRecord holds a final record against the promise and returns how many
// attempts were interrupted.
func checkRecord(t *testing.T, d api.Detail) (interrupted int) {
	counted := 0
	var before *task.Attempt
	for i := range d.Attempts {
		a := &d.Attempts[i]
		if before != nil && before.ErrorType == "" {
			t.Errorf("task %s ran again after its success: %+v", d.TaskID, d.Attempts)
		}
		if before != nil && !before.NotCounted {
			if gap, least := a.StartedAt.Sub(before.FinishedAt.Time), time.Duration(2*counted)*time.Second; gap < least {
				t.Errorf("task %s: attempt %d started %v after the failure, want %v at least", d.TaskID, i+1, gap, least)
			}
		}
		if a.NotCounted {
			interrupted++
		} else {
			counted++
		}
		before = a
	}
	switch {
	case counted > 3:
		t.Errorf("task %s: %d attempts count, want 3 at most: %+v", d.TaskID, counted, d.Attempts)
	case d.Status == task.DLQ && (counted != 3 || d.ErrorMessage == ""):
		t.Errorf("task %s is in the DLQ after %d attempts, with error %q", d.TaskID, counted, d.ErrorMessage)
	case d.Status == task.Processed && (before == nil || before.ErrorType != ""):
		t.Errorf("task %s is PROCESSED without a success: %+v", d.TaskID, d.Attempts)
	}
	return interrupted
}

func post(url string) (task.ID, error) {
	resp, err := http.Post(url, "application/json", strings.NewReader(`{"answer":"x"}`))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var accepted api.Accepted
	if err := json.NewDecoder(resp.Body).Decode(&accepted); err != nil || resp.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("got %s: %w", resp.Status, err)
	}
	return accepted.TaskID, nil
}

func getDetail(t *testing.T, url string, id task.ID) (d api.Detail) {
	t.Helper()
	resp, err := http.Get(url + "/" + string(id))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("task %s was accepted and is lost: got %s", id, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// successes returns how often the worker was done with each task.
func successes(t *testing.T, dir string) map[task.ID]int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "done"))
	if err != nil {
		t.Fatal(err)
	}
	times := map[task.ID]int{}
	for line := range bytes.Lines(b) {
		times[task.ID(bytes.TrimSpace(line))]++
	}
	return times
}
