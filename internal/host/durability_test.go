package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/asl"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
	"tasks/internal/taskdb"
)

// durableHost is the part of a host that runs executions, of one machine.
type durableHost struct {
	*Executions
	t     *testing.T
	kill  func() // as kill -9: from then on nothing reaches the file
	ran   []int64
	ranMu sync.Mutex
}

func openDurable(t *testing.T, path, definition string) *durableHost {
	t.Helper()
	definition = strings.ReplaceAll(definition, "TASK", `"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f"`)
	machine, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	db, err := taskdb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	id, err := db.Definition(ctx, definition)
	if err != nil {
		t.Fatal(err)
	}
	h := &durableHost{t: t}
	h.Executions = newExecutions(ctx, newGoroutines(ctx), db, machine, id, "machine", slog.New(slog.NewTextHandler(io.Discard, nil)))
	h.runTask = h.answer
	var timing sync.WaitGroup
	timing.Go(func() { h.timers.run(ctx, h.fire) })
	h.kill = func() {
		db.Close()
		cancel()
		h.stop()
		h.running.Wait()
		timing.Wait()
	}
	return h
}

// answer does a task as its parameters say: it takes so many ms, and fails as
// long as it hasn't been retried often enough.
func (h *durableHost) answer(ctx context.Context, c asl.InvokeTask) (json.RawMessage, *functionError) {
	h.ranMu.Lock()
	h.ran = append(h.ran, c.Ref)
	h.ranMu.Unlock()
	var p struct {
		MS, Failures, Retry int
		Answer              json.RawMessage
	}
	if err := json.Unmarshal(c.Payload, &p); err != nil {
		h.t.Errorf("payload %s: %v", c.Payload, err)
	}
	select {
	case <-time.After(time.Duration(p.MS) * time.Millisecond):
	case <-ctx.Done():
		return nil, &functionError{Type: "Cut", Message: "cut off"}
	}
	if p.Retry < p.Failures {
		return nil, &functionError{Type: "Broken", Message: "not yet"}
	}
	return p.Answer, nil
}

// runs returns how often each task has run, by its ref.
func (h *durableHost) runs() map[int64]int {
	h.ranMu.Lock()
	defer h.ranMu.Unlock()
	times := map[int64]int{}
	for _, ref := range h.ran {
		times[ref]++
	}
	return times
}

// begin starts the execution of a task.
func (h *durableHost) begin() task.Message {
	h.t.Helper()
	id, err := task.NewID()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := tasktest.Create(context.Background(), h.db, task.New(id, "x", time.Now())); err != nil {
		h.t.Fatal(err)
	}
	m := task.Message{TaskID: id, Run: 1}
	if err := h.Start(context.Background(), m); err != nil {
		h.t.Fatal(err)
	}
	return m
}

func (h *durableHost) resumeAll() {
	h.t.Helper()
	if _, err := h.resume(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

// journal returns the events that are kept.
func (h *durableHost) journal(m task.Message) []asl.Event {
	h.t.Helper()
	kept, err := h.db.Execution(context.Background(), m)
	if err != nil {
		h.t.Fatal(err)
	}
	var events []asl.Event
	for line := range bytes.Lines(kept.Journal) {
		var e asl.Event
		if err := json.Unmarshal(line, &e); err != nil {
			h.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// outcome returns how the execution ended: the last event of its history
// without its time and number, which depend on what happened when.
func (h *durableHost) outcome(m task.Message) string {
	h.t.Helper()
	history, err := h.History(context.Background(), m)
	if err != nil {
		h.t.Fatal(err)
	}
	var last map[string]any
	if err := json.Unmarshal(history[len(history)-1], &last); err != nil {
		h.t.Fatal(err)
	}
	for _, field := range []string{"timestamp", "id", "previousEventId"} {
		delete(last, field)
	}
	text, err := json.Marshal(last)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// long is longer than any of the machines runs.
const long = 10 * time.Minute

// durableRun is an execution that nothing has interrupted.
type durableRun struct {
	events  []asl.Event
	outcome string
}

func uninterrupted(t *testing.T, definition string) (r durableRun) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := openDurable(t, filepath.Join(t.TempDir(), "tasks.db"), definition)
		defer h.kill()
		m := h.begin()
		pass(long)
		r.events, r.outcome = h.journal(m), h.outcome(m)
		for i, e := range r.events[1:] {
			if gap := e.Time.Sub(r.events[i].Time); gap < 5*time.Millisecond {
				t.Fatalf("events %d and %d are %v apart: too close to kill the host between them", i, i+1, gap)
			}
		}
		if len(r.events) < 5 || !strings.Contains(r.outcome, "Execution") || strings.Contains(r.outcome, "Started") {
			t.Fatalf("the execution took %d events and ended with %s", len(r.events), r.outcome)
		}
	})
	return r
}

// TestEveryStateSurvivesAKillAtEveryEvent kills the host after each event of an
// execution in turn, starts it again on the same file, and looks at how the
// execution ends and at which tasks ran.
func TestEveryStateSurvivesAKillAtEveryEvent(t *testing.T) {
	t.Parallel()
	for name, definition := range durableMachines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := uninterrupted(t, definition)
			for n := 1; n < len(want.events); n++ {
				t.Run(fmt.Sprintf("after event %d of %d", n, len(want.events)), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { killedAfter(t, definition, n, want) })
				})
			}
			t.Run("after each of its events", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { killedAfterEach(t, definition, want) })
			})
		})
	}
}

func killedAfter(t *testing.T, definition string, n int, want durableRun) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	first := openDurable(t, path, definition)
	m := first.begin()
	pass(want.events[n-1].Time.Sub(want.events[0].Time) + 2*time.Millisecond)
	first.kill()

	second := openDurable(t, path, definition)
	defer second.kill()
	kept := second.journal(m)
	if len(kept) != n {
		t.Fatalf("the host was killed after event %d, not %d", len(kept), n)
	}
	second.resumeAll()
	pass(long)
	if got := second.outcome(m); got != want.outcome {
		t.Errorf("ended with %s\nwant %s", got, want.outcome)
	}
	checkRuns(t, first, second, kept, m)
}

// checkRuns looks at how often each task ran before and after a kill, which kept
// these events.
func checkRuns(t *testing.T, before, after *durableHost, kept []asl.Event, m task.Message) {
	t.Helper()
	answered := map[int64]bool{}
	for _, e := range kept {
		answered[e.Ref] = true
	}
	again := after.runs()
	for ref, times := range before.runs() {
		switch {
		case times != 1:
			t.Errorf("task %d ran %d times before the kill", ref, times)
		case answered[ref] && again[ref] != 0:
			t.Errorf("task %d ran again although its answer was kept", ref)
		}
	}
	for ref, times := range again {
		if times != 1 {
			t.Errorf("task %d ran %d times after the kill", ref, times)
		}
	}
	// Whatever is answered in the end has run, before or after.
	for _, e := range after.journal(m) {
		if e.Kind == asl.TaskSucceeded && before.runs()[e.Ref]+again[e.Ref] == 0 {
			t.Errorf("task %d has an answer and never ran", e.Ref)
		}
	}
}

// An execution ends by the definition with which it was started, though the host comes
// back with another.
func TestAnExecutionKeepsItsDefinition(t *testing.T) {
	t.Parallel()
	const later = `{"StartAt": "First", "States": {
		"First": {TASK, "Parameters": {"answer": "new"}, "Next": "Last"},
		"Last": {"Type": "Succeed"}}}`
	for name, definition := range map[string]string{
		"that waits": `{"StartAt": "First", "States": {
			"First": {"Type": "Wait", "Seconds": 60, "Next": "Work"},
			"Work": {TASK, "Parameters": {"answer": "old"}, "Next": "Last"},
			"Last": {"Type": "Succeed"}}}`,
		"whose task is to be retried": `{"StartAt": "First", "States": {
			"First": {TASK, "Parameters": {"failures": 1, "retry.$": "$$.State.RetryCount", "answer": "old"}, "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 60}], "Next": "Last"},
			"Last": {"Type": "Succeed"}}}`,
		"whose task runs": `{"StartAt": "First", "States": {
			"First": {TASK, "Parameters": {"ms": 60000, "answer": "old"}, "Next": "Last"},
			"Last": {"Type": "Succeed"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				first := openDurable(t, path, definition)
				old := first.begin()
				pass(time.Second)
				first.kill()

				second := openDurable(t, path, later)
				defer func() { second.kill() }()
				if second.ended(old) {
					t.Fatal("the execution ended before the host was killed")
				}
				second.resumeAll()
				begun := second.begin()
				pass(long)
				second.kill()
				second = openDurable(t, path, later) // which knows nothing but what is in the file
				for m, answer := range map[task.Message]string{old: "old", begun: "new"} {
					want := `{"executionSucceededEventDetails":{"output":"\"` + answer + `\"","outputDetails":{"truncated":false}},"type":"ExecutionSucceeded"}`
					if got := second.outcome(m); got != want {
						t.Errorf("%s ended with %s\nwant %s", m.ExecutionName(), got, want)
					}
				}
			})
		})
	}
}

// killedAfterEach gives the host a life of one event or a few, again and again.
func killedAfterEach(t *testing.T, definition string, want durableRun) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	h := openDurable(t, path, definition)
	m := h.begin()
	answered := map[int64]bool{}
	lives := 0
	for events := h.journal(m); ; lives++ {
		known := len(events)
		for {
			if events = h.journal(m); len(events) > known || h.ended(m) {
				break
			}
			pass(10 * time.Millisecond)
		}
		for ref := range h.runs() {
			if answered[ref] {
				t.Errorf("task %d ran again although its answer was kept", ref)
			}
		}
		for _, e := range events {
			answered[e.Ref] = true
		}
		if h.ended(m) {
			break
		}
		h.kill()
		h = openDurable(t, path, definition)
		h.resumeAll()
	}
	defer h.kill()
	if got := h.outcome(m); got != want.outcome {
		t.Errorf("ended with %s\nwant %s", got, want.outcome)
	}
	if lives < len(want.events)/2 {
		t.Errorf("the host had %d lives only, for %d events", lives, len(want.events))
	}
}

func (h *durableHost) ended(m task.Message) bool {
	h.t.Helper()
	kept, err := h.db.Execution(context.Background(), m)
	if err != nil {
		h.t.Fatal(err)
	}
	return kept.Status != task.ExecutionRunning
}
