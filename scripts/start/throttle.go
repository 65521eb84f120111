package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// period is how often a throttled process gets its share.
const period = 20 * time.Millisecond

// throttle is a cgroup whose processes have a share of one processor. Lambda gives a
// function what its memory pays for, and a whole processor while it starts.
type throttle struct{ dir string }

// newThrottle makes the cgroup, version 1 or 2, which needs root.
func newThrottle(share float64) (*throttle, error) {
	quota := strconv.FormatInt(int64(share*float64(period.Microseconds())), 10)
	every := strconv.FormatInt(period.Microseconds(), 10)
	parent, limits := "/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", every}, {"cpu.cfs_quota_us", quota}}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		parent, limits = "/sys/fs/cgroup", [][2]string{{"cpu.max", quota + " " + every}}
	}
	dir, err := os.MkdirTemp(parent, "bench-start-")
	if err != nil {
		return nil, fmt.Errorf("no cgroup: %w", err)
	}
	t := &throttle{dir}
	for _, l := range limits {
		if err := os.WriteFile(filepath.Join(dir, l[0]), []byte(l[1]), 0o644); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	return t, nil
}

// add throttles a process. There may be no throttle at all.
func (t *throttle) add(pid int) error {
	if t == nil {
		return nil
	}
	return os.WriteFile(filepath.Join(t.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

func (t *throttle) close() error { return os.Remove(t.dir) }
