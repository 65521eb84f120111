package asl

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// taskFlow is a machine in the shape of the task system's own.
const taskFlow = `{
	"StartAt": "Process", "TimeoutSeconds": 3600,
	"States": {
		"Process": {
			"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 60,
			"Parameters": {"FunctionName": "process", "Payload": {"taskId.$": "$.taskId", "retryCount.$": "$$.State.RetryCount", "executionId.$": "$$.Execution.Id"}},
			"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 2}],
			"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "DeadLetter"}],
			"ResultSelector": {"ok.$": "$.Payload.ok"}, "ResultPath": "$.result", "End": true
		},
		"DeadLetter": {
			"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
			"Parameters": {"QueueUrl": "q", "MessageBody": {"taskId.$": "$.taskId", "error.$": "$.error.Error", "cause.$": "$.error.Cause"}},
			"ResultPath": null, "Next": "Failed"
		},
		"Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"}
	}
}`

func TestATaskIsRetriedThenDeadLettered(t *testing.T) {
	t.Parallel()
	h := start(t, taskFlow, `{"taskId": "t1"}`)
	for range 2 {
		h.failTask(h.invoked()[0].Ref, "WorkerError", `{"errorMessage":"no"}`)
		timer, _ := h.timer()
		h.fire(timer)
	}
	h.failTask(h.invoked()[0].Ref, "WorkerError", `{"errorMessage":"no"}`)
	sent := h.invoked()[0]
	if sent.Resource != "arn:aws:states:::sqs:sendMessage" {
		t.Fatalf("got %v, want a message to the dead letter queue", sent)
	}
	want := `{"QueueUrl":"q","MessageBody":{"taskId":"t1","error":"WorkerError","cause":"{\"errorMessage\":\"no\"}"}}`
	if !sameJSON(string(sent.Parameters), want) {
		t.Errorf("got message %s, want %s", sent.Parameters, want)
	}
	h.succeed(sent.Ref, `{"MessageId":"m"}`)
	h.wantFailure(Failed, "WorkerError", `{"errorMessage":"no"}`)
}

func TestResultsArePutWhereTheyBelong(t *testing.T) {
	t.Parallel()
	h := start(t, taskFlow, `{"taskId": "t1"}`)
	h.succeed(h.invoked()[0].Ref, `{"ExecutedVersion":"$LATEST","Payload":{"ok":true},"StatusCode":200}`)
	h.want(Succeeded, `{"taskId":"t1","result":{"ok":true}}`)
	last := h.commands[len(h.commands)-1]
	want := Finish{Status: Succeeded, Output: json.RawMessage(`{"taskId":"t1","result":{"ok":true}}`)}
	if diff := cmp.Diff(Command(want), last); diff != "" {
		t.Errorf("the last command (-want +got):\n%s", diff)
	}
}

func marshalHistory(t testing.TB, events []HistoryEvent) string {
	t.Helper()
	b, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReplayingTheJournalGivesTheSameStateAndHistory(t *testing.T) {
	t.Parallel()
	h := start(t, nested, `{ "items": [1, 2, 3], "text": "<b> &amp; \u2028" }`)
	for h.x.Status() == Running {
		// At every point of its life an execution is what its journal says.
		text, err := json.Marshal(h.journal)
		if err != nil {
			t.Fatal(err)
		}
		var journal []Event
		if err := json.Unmarshal(text, &journal); err != nil {
			t.Fatal(err)
		}
		again := &host{t: t, x: h.machine.NewExecution()}
		for _, e := range journal {
			again.now = e.Time
			again.step(e)
		}
		if diff := cmp.Diff(marshalHistory(t, h.history), marshalHistory(t, again.history)); diff != "" {
			t.Fatalf("the history after replay (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(h.commands, again.commands); diff != "" {
			t.Fatalf("the commands of the last event after replay (-want +got):\n%s", diff)
		}
		pending := h.x.Pending()
		if diff := cmp.Diff(pending, again.x.Pending()); diff != "" {
			t.Fatalf("what is pending after replay (-want +got):\n%s", diff)
		}
		if len(pending) == 0 {
			t.Fatal("the execution runs and waits for nothing")
		}
		switch c := pending[0].(type) {
		case SetTimer:
			h.fire(c)
		case InvokeTask:
			if len(h.journal)%3 == 0 {
				h.failTask(c.Ref, "E", "now & <then> \xff")
			} else {
				h.succeed(c.Ref, `{"done": true}`)
			}
		}
	}
	if len(h.journal) < 10 {
		t.Errorf("the execution took %d events only; it is to exercise more", len(h.journal))
	}
}

// nested has tasks with retries in a Map in a Parallel, waits and variables.
const nested = `{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
	{"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "End": true,
		"ItemSelector": {"n.$": "$$.Map.Item.Value", "id.$": "States.UUID()"},
		"ItemProcessor": {"StartAt": "Call", "States": {
			"Call": {"Type": "Task", "Resource": "` + function + `", "Assign": {"answer.$": "$.done"}, "Next": "Pause",
				"Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 9, "JitterStrategy": "FULL"}]},
			"Pause": {"Type": "Wait", "Seconds": 5, "End": true}}}}}},
	{"StartAt": "Later", "States": {"Later": {"Type": "Wait", "Timestamp": "2026-01-02T03:05:00Z", "End": true}}}]}}}`

func TestPendingListsWhatIsAwaitedInOrder(t *testing.T) {
	t.Parallel()
	h := start(t, nested, `{"items": [1, 2, 3]}`)
	// The timer of the second branch comes before the tasks, which start once all
	// are scheduled.
	want := []string{"timer", "task 1", "task 2"}
	if diff := cmp.Diff(want, pendingNames(h.x)); diff != "" {
		t.Errorf("pending at the start (-want +got):\n%s", diff)
	}
	first := h.x.Pending()[1].(InvokeTask)
	h.succeed(first.Ref, `{"done": true}`)
	if diff := cmp.Diff([]string{"timer", "task 2", "timer"}, pendingNames(h.x)); diff != "" {
		t.Errorf("pending after the first answer (-want +got):\n%s", diff)
	}
	h.failTask(h.x.Pending()[1].(InvokeTask).Ref, "Fatal", "")
	h.wantFailure(Failed, "Fatal", "")
	if got := h.x.Pending(); got != nil {
		t.Errorf("got %v pending after the end, want nothing", got)
	}
}

func pendingNames(x *Execution) []string {
	var names []string
	for _, c := range x.Pending() {
		switch c := c.(type) {
		case InvokeTask:
			v, _ := decode(c.Payload, nil)
			n, _ := v.(*object).get("n")
			names = append(names, "task "+string(n.(number)))
		case SetTimer:
			names = append(names, "timer")
		}
	}
	return names
}

func TestStaleEventsChangeNothing(t *testing.T) {
	t.Parallel()
	h := start(t, taskFlow, `{"taskId": "t1"}`)
	task := h.invoked()[0]
	h.failTask(task.Ref, "E", "first answer")
	before := len(h.history)
	for _, e := range []Event{
		{Kind: TaskSucceeded, Ref: task.Ref, Output: json.RawMessage(`1`)},
		{Kind: TaskTimedOut, Ref: task.Ref},
		{Kind: TimerFired, Ref: 99},
	} {
		h.step(e)
		if h.commands != nil || len(h.history) != before {
			t.Errorf("event %v: got commands %v and %d events more, want none", e.Kind, h.commands, len(h.history)-before)
		}
	}
	h.step(Event{Kind: Abort, Error: "Stop", Cause: "by hand"})
	h.wantFailure(Aborted, "Stop", "by hand")
	h.step(Event{Kind: Abort})
	h.step(Event{Kind: TimerFired, Ref: 3})
	h.wantFailure(Aborted, "Stop", "by hand")
}

func TestEventsThatMakeNoSenseAreErrorsAndChangeNothing(t *testing.T) {
	t.Parallel()
	m := mustParse(t, taskFlow)
	x := m.NewExecution()
	if _, _, err := x.Step(Event{Kind: TimerFired, Ref: 1}); !errors.Is(err, ErrNotStarted) {
		t.Errorf("an event before the start: got %v, want %v", err, ErrNotStarted)
	}
	for _, e := range []Event{{Kind: Start}, {Kind: Start, Start: &StartInput{Input: json.RawMessage(`{`)}}} {
		if _, _, err := x.Step(e); err == nil || x.Status() != "" {
			t.Errorf("start %+v: got %v and status %q, want an error and no start", e, err, x.Status())
		}
	}
	h := start(t, taskFlow, `{"taskId": "t1"}`)
	if _, _, err := h.x.Step(Event{Kind: Start, Start: &StartInput{}}); !errors.Is(err, ErrStarted) {
		t.Errorf("a second start: got %v, want %v", err, ErrStarted)
	}
	task := h.invoked()[0]
	for _, e := range []Event{
		{Kind: TimerFired, Ref: task.Ref},
		{Kind: TaskSucceeded, Ref: task.Ref, Output: json.RawMessage(`{"a":`)},
		{Kind: TaskFailed, Ref: 1}, // the machine's own timer
	} {
		if _, _, err := h.x.Step(e); err == nil {
			t.Errorf("event %v for %d: got no error", e.Kind, e.Ref)
		}
	}
	h.succeed(task.Ref, `{"Payload":{"ok":1}}`)
	h.want(Succeeded, `{"taskId":"t1","result":{"ok":1}}`)
}

func TestTheMachinesTimeoutEndsTheExecution(t *testing.T) {
	t.Parallel()
	h := start(t, taskFlow, `{"taskId": "t1"}`)
	timer, delay := h.timer()
	if delay != time.Hour {
		t.Errorf("got a timer after %v, want an hour", delay)
	}
	task := h.invoked()[0]
	h.fire(timer)
	h.wantFailure(TimedOut, "", "")
	if diff := cmp.Diff([]Command{CancelTask{task.Ref}, Finish{Status: TimedOut}}, h.commands); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if last := h.history[len(h.history)-1]; last.Type != "ExecutionTimedOut" {
		t.Errorf("got last event %s, want ExecutionTimedOut", last.Type)
	}
}

func TestAnEndlessLoopEndsAtTheHistoryLimit(t *testing.T) {
	t.Parallel()
	h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"},
		"B": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "C"}], "Default": "A"}, "C": {"Type": "Succeed"}}}`, `{}`)
	h.wantFailure(Failed, "States.Runtime", "The execution reached the maximum number of history events (25000).")
	last := h.history[len(h.history)-1]
	if len(h.history) != maxHistoryEvents || last.ID != maxHistoryEvents || last.Type != "ExecutionFailed" {
		t.Errorf("got %d events, the last %d %s, want the end to be the %dth", len(h.history), last.ID, last.Type, maxHistoryEvents)
	}
}

func TestDataLimits(t *testing.T) {
	t.Parallel()
	large := `"` + strings.Repeat("é", maxDataSize/2) + `"`
	t.Run("a task's result that is too large fails the task and can be caught", func(t *testing.T) {
		t.Parallel()
		h := start(t, taskFlow, `{"taskId": "t1"}`)
		h.succeed(h.invoked()[0].Ref, large)
		timer, delay := h.timer()
		if delay != 2*time.Second {
			t.Errorf("got a retry after %v, want 2s", delay)
		}
		h.fire(timer)
		last := h.history[4]
		if last.Type != "TaskFailed" || last.error != "States.DataLimitExceeded" || last.cause != "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit." {
			t.Errorf("got event %s %s %s", last.Type, last.error, last.cause)
		}
	})
	t.Run("a state's output that is too large fails the execution", func(t *testing.T) {
		t.Parallel()
		half := `"` + strings.Repeat("x", maxDataSize/2) + `"`
		h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": true}}}`, half)
		h.wantFailure(Failed, "States.DataLimitExceeded", "The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit.")
	})
	t.Run("variables that grow without end fail the execution", func(t *testing.T) {
		t.Parallel()
		h := start(t, `{"StartAt": "A", "States": {
			"A": {"Type": "Pass", "Assign": {"v": "xx"}, "Next": "B"},
			"B": {"Type": "Pass", "Assign": {"v.$": "States.Format('{}{}', $v, $v)"}, "Next": "C"},
			"C": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "D"}], "Default": "B"}, "D": {"Type": "Succeed"}}}`, `{}`)
		h.wantFailure(Failed, "States.DataLimitExceeded", "The state/task 'B' returned a result with a size exceeding the maximum number of bytes service limit.")
	})
	t.Run("an item that was made too large fails the execution", func(t *testing.T) {
		t.Parallel()
		half := `["` + strings.Repeat("x", maxDataSize/2) + `"]`
		h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Map", "ItemSelector": {"a.$": "$", "b.$": "$"}, "End": true,
			"ItemProcessor": {"StartAt": "B", "States": {"B": {"Type": "Pass", "Result": 1, "End": true}}}}}}`, half)
		h.wantFailure(Failed, "States.DataLimitExceeded", "The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit.")
	})
	t.Run("functions whose results are dropped can't be given more and more", func(t *testing.T) {
		t.Parallel()
		many := strings.Repeat("States.Format('{}', $), ", 40)
		h := start(t, pass(`"Parameters": {"n.$": "States.ArrayLength(States.Array(`+strings.TrimSuffix(many, ", ")+`))"}`), `"`+strings.Repeat("x", maxDataSize-100)+`"`)
		if h.x.Status() != Failed || h.x.Error() != "States.IntrinsicFailure" || !strings.HasSuffix(h.x.Cause(), "functions are given more than 8388608 bytes here") {
			t.Errorf("got %s, %s: %.200s", h.x.Status(), h.x.Error(), h.x.Cause())
		}
	})
}

func TestHistoryReadsAsGetExecutionHistoryGivesIt(t *testing.T) {
	t.Parallel()
	h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"v": [1, 2.50]}, "Next": "B"}, "B": {"Type": "Fail", "Error": "E", "Cause": "C"}}}`, `{ "n":  1E3 }`)
	want := []string{
		`{"timestamp":"2026-01-02T03:04:05.000Z","type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{\"n\":1000.0}","inputDetails":{"truncated":false},"roleArn":"arn:aws:iam::123456789012:role/r"}}`,
		`{"timestamp":"2026-01-02T03:04:05.000Z","type":"PassStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"A","input":"{\"n\":1000.0}","inputDetails":{"truncated":false}}}`,
		`{"timestamp":"2026-01-02T03:04:05.000Z","type":"PassStateExited","id":3,"previousEventId":2,"stateExitedEventDetails":{"name":"A","output":"{\"n\":1000.0}","outputDetails":{"truncated":false},"assignedVariables":{"v":"[1,2.5]"},"assignedVariablesDetails":{"truncated":false}}}`,
		`{"timestamp":"2026-01-02T03:04:05.000Z","type":"FailStateEntered","id":4,"previousEventId":3,"stateEnteredEventDetails":{"name":"B","input":"{\"n\":1000.0}","inputDetails":{"truncated":false}}}`,
		`{"timestamp":"2026-01-02T03:04:05.000Z","type":"ExecutionFailed","id":5,"previousEventId":4,"executionFailedEventDetails":{"error":"E","cause":"C"}}`,
	}
	var got []string
	for _, e := range h.history {
		got = append(got, marshalHistory(t, []HistoryEvent{e}))
	}
	for i := range want {
		want[i] = "[" + want[i] + "]"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// Context objects and histories have times in UTC with milliseconds.
func TestFormatTime(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("", 3600)
	for ns := int64(0); ns < 2e18; ns += 7_777_777_777_777_777 {
		at := time.Unix(0, ns).In(east)
		if got, want := formatTime(at), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
