package taskdb

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

func TestDefinitionsAreKept(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ids := map[string]int64{}
	for _, body := range []string{"{}", `{"StartAt": "é \" ' \\"}`, "", "{}", "{} "} {
		id, err := db.Definition(t.Context(), body)
		if known, ok := ids[body]; err != nil || ok && id != known {
			t.Errorf("%q: got %d, %v, and %d before", body, id, err, known)
		}
		ids[body] = id
	}
	for body, id := range ids {
		if got, err := db.DefinitionBody(t.Context(), id); err != nil || got != body {
			t.Errorf("definition %d: got %q, %v, want %q", id, got, err, body)
		}
	}
	if got, err := db.DefinitionBody(t.Context(), 1000); err == nil {
		t.Errorf("got %q for a definition that there is not", got)
	}
}

// An execution that comes to its end after the task was redriven changes nothing of the
// next one.
func TestAnExecutionOfAnOlderRunIsClosed(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	execution := func(m task.Message, journal string) Execution {
		return Execution{Message: m, Status: task.ExecutionRunning, Journal: []byte(journal)}
	}
	start := func(e Execution) {
		t.Helper()
		if started, err := db.StartExecution(t.Context(), e); err != nil || !started {
			t.Fatalf("start run %d: got %t, %v", e.Run, started, err)
		}
	}
	m := task.Message{TaskID: newTask(t, db), Run: 1}
	first := execution(m, "first")
	start(first)
	now := task.At(time.Now())
	if outcome, _, err := db.MarkDead(t.Context(), task.MarkRequest{DeadLetter: task.DeadLetter{Message: m, Error: "E"}, Now: now, Retention: time.Hour}); err != nil || outcome != task.Marked {
		t.Fatalf("got %q, %v", outcome, err)
	}
	redriven, _, err := db.Redrive(t.Context(), m, now)
	if err != nil {
		t.Fatal(err)
	}
	late := func() {
		t.Helper()
		for _, status := range []task.ExecutionStatus{task.ExecutionRunning, task.ExecutionFailed} {
			e := execution(m, "late")
			e.Status = status
			if err := db.SaveExecution(t.Context(), e); !task.IsKind(err, task.Closed) {
				t.Errorf("save run 1, %s: got %v, want Closed", status, err)
			}
		}
		if _, err := db.StartExecution(t.Context(), first); !task.IsKind(err, task.Closed) {
			t.Errorf("start run 1: got %v, want Closed", err)
		}
		if got, err := db.Execution(t.Context(), m); !task.IsKind(err, task.NotFound) {
			t.Errorf("run 1: got %+v, %v, want NotFound", got, err)
		}
	}
	late()
	second := execution(redriven.Message(), "second")
	start(second)
	late()
	got, err := db.Execution(t.Context(), second.Message)
	if diff := cmp.Diff(second, got); diff != "" || err != nil {
		t.Errorf("run 2, %v (-want +got):\n%s", err, diff)
	}
}

func TestAnExecutionIsSavedWhileItRuns(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	e := Execution{Message: task.Message{TaskID: newTask(t, db), Run: 1}, Status: task.ExecutionRunning, Definition: 7, Journal: []byte("first")}
	closed := func(when string) {
		t.Helper()
		late := e
		late.Status, late.Journal = task.ExecutionRunning, []byte("late")
		if err := db.SaveExecution(t.Context(), late); !task.IsKind(err, task.Closed) {
			t.Errorf("%s: got %v, want Closed", when, err)
		}
	}
	saved := func() {
		t.Helper()
		got, err := db.Execution(t.Context(), e.Message)
		if diff := cmp.Diff(e, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	closed("before it was started")
	if started, err := db.StartExecution(t.Context(), e); err != nil || !started {
		t.Fatalf("got %t, %v", started, err)
	}
	saved()
	for _, status := range []task.ExecutionStatus{task.ExecutionRunning, task.ExecutionSucceeded} {
		e.Status, e.Journal = status, append(e.Journal, " and more"...)
		if err := db.SaveExecution(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		saved()
	}
	closed("after its end")
	saved()
}
