package main

import (
	"strings"
	"testing"

	tasks "tasks"
	"tasks/internal/cost"
)

func TestCost(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args, want string
	}{
		{"--failure-rate 0", "state transition     1,000,000    25.00"},
		{"--failure-rate 1", "state transition     " + quantity(million*cost.Transitions(tasks.Retries().MaxAttempts+1, true))},
		{"--failure-rate 0 --batch 1", "SQS request          3,000,000    1.20    3,000,000    1.20"},
		{"--failure-rate 0 --batch 1", "Lambda request       4,000,000    0.80    4,000,000    0.80"}, // each task is counted by itself
		{"--failure-rate 1", "metric request       100,000      1.00"},
		{"--failure-rate 0 --json", `{"item":"API request","price":0.000001,"standard":1000000,"express":1000000}`},
		{"--measured 3", "state transition     1,000,000    25.00"}, // the fake's have no attempts; the dead one has one, and two more states
	} {
		f := newFakeServer(t)
		f.add("done", "done", "fail", "stuck")
		f.settle()
		got := f.run(t, append([]string{"cost"}, strings.Fields(row.args)...)...)
		if got.Code != exitDone || !strings.Contains(got.Out, row.want) {
			t.Errorf("cost %s: got %+v, want %q in it", row.args, got, row.want)
		}
	}
	for _, args := range []string{"--failure-rate 1.1", "--failure-rate NaN", "--worker -1s", "--answer-bytes 0", "--memory 64", "--batch 11", "--measured -1"} {
		f := newFakeServer(t)
		if got := f.run(t, append([]string{"cost"}, strings.Fields(args)...)...); got.Code != exitUsage || got.Out != "" {
			t.Errorf("cost %s: got %+v, want a usage error", args, got)
		}
	}
	if got := newFakeServer(t).run(t, "cost", "--measured", "3"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "no final task") {
		t.Errorf("cost of an empty server: got %+v", got)
	}
}
