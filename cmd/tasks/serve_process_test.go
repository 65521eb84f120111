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
)

// mainVariable has the test binary be the program.
const mainVariable = "TASKS_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestServeWithoutStandardError starts a host whose standard error is a pipe
// that nobody reads any more. It has something to log at once, that a parameter has
// no effect: it goes on with a task, which is delayed, so that no worker has it.
func TestServeWithoutStandardError(t *testing.T) {
	t.Parallel()
	reader, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer stderr.Close()
	cmd := exec.Command(os.Args[0], "serve", "--listen", "127.0.0.1:0", "--db", filepath.Join(t.TempDir(), "tasks.db"), "--param", "WorkflowType=STANDARD")
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
	url := strings.Fields(line)[1]
	resp, err := http.Post(url, "application/json", strings.NewReader(`{"answer":"x","delaySeconds":900}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	resp, err = http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Tasks []any }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Tasks) != 1 {
		t.Errorf("got %d tasks, %v, want the one", len(list.Tasks), err)
	}
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the host ended with %v, want exit code 0", err)
	}
}
