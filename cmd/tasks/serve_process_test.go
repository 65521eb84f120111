package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mainVariable has the test binary be the program.
const mainVariable = "TASKS_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// served is `tasks serve` in a process of its own.
type served struct {
	cmd *exec.Cmd
	url string
}

func serveProcess(t *testing.T, stderr *os.File, db string) served {
	t.Helper()
	cmd := exec.Command(os.Args[0], "serve", "--listen", "127.0.0.1:0", "--db", db, "--param", "FailureRate=1")
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the host did not start: %v", err)
	}
	return served{cmd, strings.Fields(line)[1]}
}

// TestServeWithoutStandardError starts a host whose standard error is a pipe
// that nobody reads any more. It has something to log at once: it goes on with a
// task.
func TestServeWithoutStandardError(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "tasks.db")
	first := serveProcess(t, nil, db)
	resp, err := http.Post(first.url, "application/json", strings.NewReader(`{"answer":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	waitFor(t, first.url+"?status=FAILED")
	first.cmd.Process.Kill()
	first.cmd.Wait()

	reader, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	second := serveProcess(t, stderr, db)
	stderr.Close()
	waitFor(t, second.url)
	second.cmd.Process.Signal(os.Interrupt)
	if err := second.cmd.Wait(); err != nil {
		t.Errorf("the host ended with %v, want exit code 0", err)
	}
}

// waitFor waits until a listing has a task.
func waitFor(t *testing.T, url string) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-again.C {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Tasks []any }
		err = json.NewDecoder(resp.Body).Decode(&list)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Tasks) > 0 {
			return
		}
	}
	t.Fatalf("%s lists no task", url)
}
