package asl

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func taskMachine(fields string) string {
	return `{"StartAt": "Process", "States": {
		"Process": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
			"Parameters": {"FunctionName": "process", "Payload": {"id.$": "$.id", "retryCount.$": "$$.State.RetryCount"}}, ` + fields + `},
		"Caught": {"Type": "Succeed"}, "Done": {"Type": "Succeed"}}}`
}

func retryMachine(retry string) string {
	return taskMachine(`"Retry": ` + retry + `, "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}], "Next": "Done"`)
}

func TestRetryWaitsExactlyAsLongAsItShould(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		retry  string
		errors []string
		want   []time.Duration // until nothing is retried
	}{
		"by default three times after 1 s, 2 s and 4 s": {
			`[{"ErrorEquals": ["E"]}]`, []string{"E", "E", "E", "E"},
			[]time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second},
		},
		"after 2 s and 4 s as the task machine says": {
			`[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "BackoffRate": 2, "MaxAttempts": 2, "MaxDelaySeconds": 900, "JitterStrategy": "NONE"}]`,
			[]string{"a", "b", "c"}, []time.Duration{2 * time.Second, 4 * time.Second},
		},
		"with a rate that is no integer": {
			`[{"ErrorEquals": ["E"], "IntervalSeconds": 3, "BackoffRate": 1.5}]`, []string{"E", "E", "E", "E"},
			[]time.Duration{3 * time.Second, 4500 * time.Millisecond, 6750 * time.Millisecond},
		},
		"never longer than MaxDelaySeconds": {
			`[{"ErrorEquals": ["E"], "IntervalSeconds": 3, "BackoffRate": 10, "MaxDelaySeconds": 20, "MaxAttempts": 4}]`, []string{"E", "E", "E", "E", "E"},
			[]time.Duration{3 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second},
		},
		"never with MaxAttempts 0": {
			`[{"ErrorEquals": ["E"], "MaxAttempts": 0}]`, []string{"E"}, nil,
		},
		"not for another error": {
			`[{"ErrorEquals": ["E"]}]`, []string{"F"}, nil,
		},
		"with a count for each retrier": {
			`[{"ErrorEquals": ["S"], "IntervalSeconds": 7, "MaxAttempts": 1, "BackoffRate": 1}, {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 2}]`,
			[]string{"E", "S", "E", "E"}, []time.Duration{2 * time.Second, 7 * time.Second, 4 * time.Second},
		},
		"not by a later retrier once the first that matches has no attempts left": {
			`[{"ErrorEquals": ["S"], "MaxAttempts": 1}, {"ErrorEquals": ["States.ALL"]}]`,
			[]string{"S", "S"}, []time.Duration{1 * time.Second},
		},
		"not for States.Runtime": {
			`[{"ErrorEquals": ["States.Runtime"]}, {"ErrorEquals": ["States.ALL"]}]`, []string{"States.Runtime"}, nil,
		},
		"for a task's error by States.TaskFailed": {
			`[{"ErrorEquals": ["States.TaskFailed"]}]`, []string{"E", "F"}, []time.Duration{time.Second, 2 * time.Second},
		},
		"for ever, with a limit on the delay that cannot overflow": {
			`[{"ErrorEquals": ["E"], "IntervalSeconds": 99999999, "BackoffRate": 1000, "MaxAttempts": 99999999}]`, []string{"E", "E", "E"},
			[]time.Duration{99999999 * time.Second, 99999999 * time.Second, 99999999 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t, retryMachine(test.retry), `{"id": "t"}`)
			var got []time.Duration
			for i, name := range test.errors {
				tasks := h.invoked()
				if len(tasks) != 1 {
					t.Fatalf("attempt %d: got %v, want one task", i+1, h.commands)
				}
				if want := fmt.Sprintf(`{"id":"t","retryCount":%d}`, i); !sameJSON(string(tasks[0].Payload), want) {
					t.Errorf("attempt %d: got payload %s, want %s", i+1, tasks[0].Payload, want)
				}
				h.failTask(tasks[0].Ref, name, "cause")
				if h.x.Status() != Running {
					break
				}
				timer, delay := h.timer()
				got = append(got, delay)
				h.fire(timer)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("delays (-want +got):\n%s", diff)
			}
		})
	}
}

func sameJSON(a, b string) bool {
	x, err1 := decode([]byte(a), nil)
	y, err2 := decode([]byte(b), nil)
	return err1 == nil && err2 == nil && equalValues(x, y)
}

func TestFullJitterIsSpreadAndDeterministic(t *testing.T) {
	t.Parallel()
	definition := retryMachine(`[{"ErrorEquals": ["E"], "IntervalSeconds": 10, "BackoffRate": 1, "MaxAttempts": 200, "JitterStrategy": "FULL"}]`)
	delays := func() []time.Duration {
		h := start(t, definition, `{"id": "t"}`)
		var all []time.Duration
		for range 200 {
			h.failTask(h.invoked()[0].Ref, "E", "")
			timer, delay := h.timer()
			all = append(all, delay)
			h.fire(timer)
		}
		return all
	}
	first := delays()
	if diff := cmp.Diff(first, delays()); diff != "" {
		t.Errorf("the same seed gave other delays:\n%s", diff)
	}
	var low, high int
	for _, d := range first {
		if d < 0 || d > 10*time.Second {
			t.Errorf("got %v, want 0 to 10 s", d)
		}
		if d < 5*time.Second {
			low++
		} else {
			high++
		}
	}
	if low < 70 || high < 70 {
		t.Errorf("got %d delays below 5 s and %d above, want about as many", low, high)
	}
}

func TestCatchHandsOnTheError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fields, output string
		kind           EventKind
	}{
		"whole, without ResultPath": {
			`"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "Next": "Done"`, `{"Error":"E","Cause":"why"}`, TaskFailed,
		},
		"beside the input, with ResultPath": {
			`"Catch": [{"ErrorEquals": ["Other"], "Next": "Done"}, {"ErrorEquals": ["E"], "ResultPath": "$.error", "Next": "Caught"}], "Next": "Done"`, `{"id":"t","error":{"Error":"E","Cause":"why"}}`, TaskFailed,
		},
		"not at all, with a null ResultPath": {
			`"Catch": [{"ErrorEquals": ["E"], "ResultPath": null, "Next": "Caught"}], "Next": "Done"`, `{"id":"t"}`, TaskFailed,
		},
		"without OutputPath": {
			`"OutputPath": "$.Payload", "Catch": [{"ErrorEquals": ["E"], "Next": "Caught"}], "Next": "Done"`, `{"Error":"E","Cause":"why"}`, TaskFailed,
		},
		"with an empty cause after a timeout": {
			`"Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Done"}, {"ErrorEquals": ["States.Timeout"], "Next": "Caught"}], "Next": "Done"`, `{"Error":"States.Timeout","Cause":""}`, TaskTimedOut,
		},
		"after a missed heartbeat": {
			`"Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Caught"}], "Next": "Done"`, `{"Error":"States.HeartbeatTimeout","Cause":""}`, TaskHeartbeatTimedOut,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t, taskMachine(test.fields), `{"id": "t"}`)
			e := Event{Kind: test.kind, Ref: h.invoked()[0].Ref}
			if test.kind == TaskFailed {
				e.Error, e.Cause = "E", "why"
			}
			h.step(e)
			h.want(Succeeded, test.output)
			entered := ""
			for _, event := range h.history {
				if event.Type == "SucceedStateEntered" {
					entered = event.name
				}
			}
			if entered != "Caught" {
				t.Errorf("got to %q, want Caught", entered)
			}
		})
	}
}

func TestATaskCarriesItsTimeouts(t *testing.T) {
	t.Parallel()
	h := start(t, taskMachine(`"TimeoutSecondsPath": "$.limits.timeout", "HeartbeatSeconds": 3, "Next": "Done", "Catch": [{"ErrorEquals": ["E"], "Next": "Caught"}]`), `{"id": "t", "limits": {"timeout": 30}}`)
	task := h.invoked()[0]
	if task.Timeout != 30*time.Second || task.Heartbeat != 3*time.Second {
		t.Errorf("got timeouts %v and %v, want 30s and 3s", task.Timeout, task.Heartbeat)
	}
	b, err := json.Marshal(h.history[2])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"timestamp":"2026-01-02T03:04:05.000Z","type":"TaskScheduled","id":3,"previousEventId":2,"taskScheduledEventDetails":{"resourceType":"lambda","resource":"invoke","region":"eu-central-1","parameters":"{\"FunctionName\":\"process\",\"Payload\":{\"retryCount\":0,\"id\":\"t\"}}","timeoutInSeconds":30,"heartbeatInSeconds":3}}`
	if got := string(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestATimeoutThatCannotBeReadFailsTheState(t *testing.T) {
	t.Parallel()
	h := start(t, taskMachine(`"TimeoutSecondsPath": "$.limit", "Next": "Done", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]`), `{"id": "t"}`)
	h.wantFailure(Failed, "States.Runtime", "An error occurred while executing the state 'Process' (entered at the event id #2). The JSONPath '$.limit' specified for the field 'TimeoutSecondsPath' could not be found in the input '{\"id\":\"t\"}'")
}
