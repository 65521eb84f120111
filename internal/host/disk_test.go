//go:build disk

package host

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestDisk has the disk fail under a host at work, in several ways, for some
// seconds each, and heal again. scripts/test-disk makes the disk: a small file
// system of its own, at DISK.
func TestDisk(t *testing.T) {
	disk := os.Getenv("DISK")
	if disk == "" {
		t.Fatal("run scripts/test-disk, which names a disk in DISK")
	}
	c := newCrash(t)
	if err := os.Symlink(filepath.Join(disk, "tasks.db"), filepath.Join(c.dir, "tasks.db")); err != nil {
		t.Fatal(err)
	}
	faults := []struct {
		name  string
		begin func(*hostProcess) (end func())
	}{
		{"full", func(*hostProcess) func() { return fill(t, disk) }},
		{"read-only", func(p *hostProcess) func() { return inject(t, p, "pwrite64,ftruncate,fallocate:error=EROFS") }},
		{"failing when written", func(p *hostProcess) func() { return inject(t, p, "pwrite64:error=EIO") }},
		{"failing when synced", func(p *hostProcess) func() { return inject(t, p, "fsync,fdatasync:error=EIO") }},
		{"failing when read and written", func(p *hostProcess) func() { return inject(t, p, "pread64,pwrite64:error=EIO") }},
		{"over quota", func(p *hostProcess) func() { return inject(t, p, "pwrite64:error=EDQUOT") }},
	}
	for _, killed := range []bool{false, true} {
		for _, fault := range faults {
			t.Run(fmt.Sprintf("%s, host killed meanwhile %t", fault.name, killed), func(t *testing.T) {
				outer := c.t
				c.t = t
				defer func() { c.t = outer }()
				c.fault(fault.begin, killed)
			})
		}
	}
	c.check(nil)
	t.Logf("%d tasks accepted, %d requests refused: %v, %d attempts interrupted", c.accepted, c.refused.Load(), c.ended, c.interrupted)
}

// fault has the disk fail under a host that is used, and heal, with the host
// alive or killed before.
func (c *crash) fault(begin func(*hostProcess) func(), killed bool) {
	c.t.Helper()
	before := c.logLines()
	p := startProcess(c.t, c.dir, "")
	if p.url == "" {
		c.t.Fatal("the host does not start")
	}
	var users sync.WaitGroup
	c.use(p, &users)
	defer users.Wait()
	defer p.kill()
	<-time.After(500 * time.Millisecond)

	c.faulty.Store(true)
	end := begin(p)
	c.posts(p, http.StatusServiceUnavailable)
	<-time.After(time.Second)
	if killed {
		p.kill()
		end()
		c.faulty.Store(false)
		return
	}
	end()
	c.posts(p, http.StatusAccepted)
	c.faulty.Store(false)
	// Nothing says so again, however many requests and tasks have failed.
	if lines := c.logLines() - before; lines == 0 || lines > 20 {
		c.t.Errorf("the fault gave %d lines in the log, want 1 to 20", lines)
	}
}

// posts waits until a task that is posted is answered with the status.
func (c *crash) posts(p *hostProcess, want int) {
	c.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-again.C {
		resp, err := http.Post(p.url+"/tasks", "application/json", strings.NewReader(`{"answer":"`+strings.Repeat("x", 900)+`"}`))
		if err != nil {
			c.t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.StatusCode; got == want {
			if want == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
				c.t.Error("503 without Retry-After")
			}
			return
		}
	}
	c.t.Fatalf("a task that is posted is not answered with %d after 10 s", want)
}

// logLines returns how many records the log has that are no dead letter's.
func (c *crash) logLines() (n int) {
	b, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, "DLQ_MESSAGE") {
			n++
		}
	}
	return n
}

// fill fills a disk and returns what makes room again.
func fill(t *testing.T, disk string) func() {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4<<10); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() { os.Remove(path) }
}

// inject has system calls of a process fail, and returns what ends that.
func inject(t *testing.T, p *hostProcess, what string) func() {
	t.Helper()
	calls, _, _ := strings.Cut(what, ":")
	cmd := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-p", strconv.Itoa(p.cmd.Process.Pid), "-e", "trace="+calls, "-e", "inject="+what)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		cmd.Process.Signal(os.Interrupt) // it detaches
		cmd.Wait()
	}
}
