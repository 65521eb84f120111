package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// invocations is how many a function gets before it is ended.
const invocations = 2

// patience is how long a function may take for all of it.
const patience = 30 * time.Second

// sample is what one start of a function took.
type sample struct {
	start   time.Duration              // from before the process is made to its first GET .../invocation/next
	invoked [invocations]time.Duration // from the answer to that until POST .../response
	cpu     time.Duration              // of the process, for all of it
	peak    int64                      // of the memory that is resident, in bytes: VmHWM after the invocations
}

// runtimeAPI is Lambda's Runtime API, version 2018-06-01, for one process.
type runtimeAPI struct {
	f     function
	limit *throttle
	pid   chan int      // gets the process, once
	ended chan error    // gets what becomes of the function, once
	gone  chan struct{} // closed when the process has been ended

	mu        sync.Mutex
	next      []time.Time // when a GET .../invocation/next came
	sent      []time.Time // when it was answered
	responded []time.Time
}

// measure starts a function and ends it after the invocations, for which it is
// throttled, if there is a limit.
func measure(ctx context.Context, f function, limit *throttle) (sample, error) {
	api := &runtimeAPI{f: f, limit: limit, pid: make(chan int, 1), ended: make(chan error, 1), gone: make(chan struct{})}
	server := httptest.NewServer(api)
	defer server.Close()

	cmd := exec.Command(f.command[0], f.command[1:]...)
	cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + server.Listener.Addr().String()}, f.env...)
	if f.node {
		cmd.Dir = strings.TrimSuffix(f.bundle(), "/index.js")
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	api.pid <- cmd.Process.Pid
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the function takes too long"))
	defer cancel()
	var s sample
	var err error
	select {
	case err = <-api.ended:
		if err == nil {
			s.peak, err = peakOf(cmd.Process.Pid)
		}
		_ = cmd.Process.Kill()
		<-exited
	case err = <-exited:
		err = fmt.Errorf("the function has ended: %v", err)
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-exited
		err = context.Cause(ctx)
	}
	close(api.gone)
	if err != nil {
		return sample{}, fmt.Errorf("%w\n%s", err, output.Bytes())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.start = api.next[0].Sub(began)
	for i := range s.invoked {
		s.invoked[i] = api.responded[i].Sub(api.sent[i])
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	path, ok := strings.CutPrefix(r.URL.Path, "/2018-06-01/runtime/")
	switch {
	case ok && path == "invocation/next":
		a.invoke(w, now)
	case ok && strings.HasSuffix(path, "/response"):
		body, err := io.ReadAll(r.Body)
		now = time.Now()
		if err == nil {
			err = contains(body, a.f.want)
		}
		if err != nil {
			a.end(err)
		}
		a.mu.Lock()
		a.responded = append(a.responded, now)
		a.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	default: // invocation/ID/error, init/error
		body, _ := io.ReadAll(r.Body)
		a.end(fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, body))
		w.WriteHeader(http.StatusAccepted)
	}
}

// invoke answers with an invocation, or never, when there were enough.
func (a *runtimeAPI) invoke(w http.ResponseWriter, now time.Time) {
	a.mu.Lock()
	a.next = append(a.next, now)
	n := len(a.next)
	a.mu.Unlock()
	if n == 1 {
		if err := a.limit.add(<-a.pid); err != nil {
			a.end(err)
		}
	}
	if n > invocations {
		a.end(nil)
		<-a.gone
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(now.Add(patience).UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:"+a.f.name)
	header.Set("Lambda-Runtime-Trace-Id", "Root=1-67527f1a-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=0")
	a.mu.Lock()
	a.sent = append(a.sent, time.Now())
	a.mu.Unlock()
	_, _ = w.Write(a.f.event)
}

// end says what became of the function. Only the first word counts.
func (a *runtimeAPI) end(err error) {
	select {
	case a.ended <- err:
	default:
	}
}

// bundle returns the file of a Node function.
func (f function) bundle() string {
	for _, variable := range f.env {
		if dir, ok := strings.CutPrefix(variable, "LAMBDA_TASK_ROOT="); ok {
			return dir + "/index.js"
		}
	}
	return ""
}

// peakOf returns the most memory that a process had resident. Not what wait4 says:
// that counts what the parent had resident when it made the process.
func peakOf(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc has no VmHWM")
}

// contains returns an error if an answer has not all that is wanted of it.
func contains(got, want []byte) error {
	var g, w any
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
		return err
	}
	if !has(g, w) {
		return fmt.Errorf("got the answer %s, want %s", got, want)
	}
	return nil
}

func has(got, want any) bool {
	object, ok := want.(map[string]any)
	if !ok {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		return bytes.Equal(g, w)
	}
	of, _ := got.(map[string]any)
	for name, value := range object {
		if !has(of[name], value) {
			return false
		}
	}
	return true
}
