package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a server may take to start, and to stop before it is killed.
const patience = 30 * time.Second

// process is a server that this program has started.
type process struct{ cmd *exec.Cmd }

// start starts a server. It is the caller's to end it, also when ctx, with which
// the command was made, has ended.
func start(cmd *exec.Cmd) (*process, error) {
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd}, nil
}

// end stops the server and waits until it is gone, however it ends.
func (p *process) end() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	p.cmd.Wait()
}

// ready waits until a server answers.
func ready(ctx context.Context, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	err := poll(ctx, func() (bool, error) {
		last = ping(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the server doesn't answer within %v: %w", patience, last)
	}
	return nil
}

// program finds an executable in PATH, or where Debian has PostgreSQL's.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1], nil
	}
	return "", err
}

// freePort returns a port of the loopback interface on which nothing listens.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// usage is CPU time since their start of the servers with their descendants, and
// of this process.
type usage struct{ servers, driver time.Duration }

func readUsage(servers []*process) (usage, error) {
	var u usage
	for _, pid := range family(servers) {
		t, err := cpuTime(pid)
		if err != nil {
			return u, err
		}
		u.servers += t
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return u, err
	}
	u.driver = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return u, nil
}

// cpuTime returns what a process has used, with those of its children that have
// ended: the fields utime, stime, cutime and cstime of proc_pid_stat(5), which
// Linux counts in hundredths of a second.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name, in parentheses, and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int
	for _, f := range fields[11:15] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// family returns the processes and their descendants.
func family(servers []*process) []int {
	var pids []int
	for _, s := range servers {
		pids = append(pids, s.cmd.Process.Pid)
	}
	for i := 0; i < len(pids); i++ {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", pids[i]))
		for _, f := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// memory is the most, in bytes, that was resident.
type memory struct{ servers, driver float64 }

// watchMemory looks every 100 ms until the function that it returns is called.
func watchMemory(servers []*process) func() memory {
	done, result := make(chan struct{}), make(chan memory)
	go func() {
		var most memory
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			var now float64
			for _, pid := range family(servers) {
				now += resident(pid)
			}
			most.servers = max(most.servers, now)
			most.driver = max(most.driver, resident(os.Getpid()))
			select {
			case <-tick.C:
			case <-done:
				result <- most
				return
			}
		}
	}()
	return func() memory {
		close(done)
		return <-result
	}
}

// resident returns a process's resident memory in bytes, in which a page that k
// processes share counts as a k-th of it, so that PostgreSQL's buffers count once;
// 0 if the process has ended.
func resident(pid int) float64 {
	rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(rollup)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kib, _ := strconv.ParseFloat(f[1], 64)
			return kib * 1024
		}
	}
	return 0
}
