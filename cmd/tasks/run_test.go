package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// charge has what a script can show: retries, a timeout, a catcher, a wait.
const charge = `{"StartAt": "Charge", "States": {
	"Charge": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 5,
		"Parameters": {"FunctionName": "charge", "Payload": {"n.$": "$.n"}}, "OutputPath": "$.Payload",
		"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 2}],
		"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Rest"}], "Next": "Rest"},
	"Rest": {"Type": "Wait", "Seconds": 60, "End": true}}}`

func TestRun(t *testing.T) {
	t.Parallel()
	file := write(t, "charge.asl.json", charge)
	tasksRun := func(t *testing.T, args ...string) result {
		return runWith(t.Context(), "", nil, append([]string{"run", file, "--input", `{"n": 1}`}, args...)...)
	}

	t.Run("prints the history of a script in virtual time", func(t *testing.T) {
		t.Parallel()
		script := write(t, "answers.json", `{"Charge": [{"error": "Declined", "cause": "no\u001b[2J"}, {"timeout": true}, {"output": {"Payload": 7}, "seconds": 1.5}]}`)
		check(t, tasksRun(t, "--script", script), result{Out: `TIME       ID     EVENT                     STATE                 DETAILS
0s         1      ExecutionStarted                                {"n":1}
0s         2      TaskStateEntered          Charge                {"n":1}
0s         3      TaskScheduled             Charge                lambda:invoke {"FunctionName":"charge","Payload":{"n":1}}
0s         4      TaskStarted               Charge
0s         5      TaskFailed                Charge                Declined: no\x1b[2J
2s         6      TaskScheduled             Charge                lambda:invoke {"FunctionName":"charge","Payload":{"n":1}}
2s         7      TaskStarted               Charge
7s         8      TaskTimedOut              Charge                States.Timeout
11s        9      TaskScheduled             Charge                lambda:invoke {"FunctionName":"charge","Payload":{"n":1}}
11s        10     TaskStarted               Charge
12.5s      11     TaskSucceeded             Charge                {"Payload":7}
12.5s      12     TaskStateExited           Charge                7
12.5s      13     WaitStateEntered          Rest                  7
1m12.5s    14     WaitStateExited           Rest                  7
1m12.5s    15     ExecutionSucceeded                              7

SUCCEEDED after 1m12.5s
7
`})
	})
	t.Run("prints JSON, and tells by its exit code that the execution failed", func(t *testing.T) {
		t.Parallel()
		fail := write(t, "fail.json", `{"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "C"}}}`)
		check(t, runWith(t.Context(), "", nil, "run", fail, "--json", "--start", "2030-01-01T00:00:00Z"), result{
			Code: exitFailed,
			Out: `{"status":"FAILED","error":"E","cause":"C","events":[` +
				`{"timestamp":"2030-01-01T00:00:00.000Z","type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{}","inputDetails":{"truncated":false},"roleArn":""}},` +
				`{"timestamp":"2030-01-01T00:00:00.000Z","type":"FailStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"A","input":"{}","inputDetails":{"truncated":false}}},` +
				`{"timestamp":"2030-01-01T00:00:00.000Z","type":"ExecutionFailed","id":3,"previousEventId":2,"executionFailedEventDetails":{"error":"E","cause":"C"}}]}` + "\n",
			ErrOut: "tasks: the execution ended FAILED\n",
		})
	})
	t.Run("has programs answer, in the shape of the integration", func(t *testing.T) {
		t.Parallel()
		for name, test := range map[string]struct {
			command, want string
			code          int
		}{
			"a payload goes in and a payload comes out": {`sed s/1/41/`, "SUCCEEDED after 1m0s\n{\"n\":41}\n", exitDone},
			"nothing is null":                            {`cat > /dev/null`, "SUCCEEDED after 1m0s\nnull\n", exitDone},
			"an exit code is an error, and is retried":   {`echo no >&2; exit 3`, "SUCCEEDED after 1m6s\n{\"Error\":\"States.TaskFailed\",\"Cause\":\"no\"}\n", exitDone},
			"a silent exit code is its own cause":        {`exit 3`, "SUCCEEDED after 1m6s\n{\"Error\":\"States.TaskFailed\",\"Cause\":\"exit status 3\"}\n", exitDone},
			"an error can be named as on Lambda":         {`echo '{"errorType": "Declined"}'; exit 1`, `{"Error":"Declined","Cause":"{\\"errorType\\": \\"Declined\\"}"}`, exitDone},
			"an answer that isn't JSON ends the command": {`echo no`, "", exitFailed},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := tasksRun(t, "--handler", "Charge="+test.command)
				if got.Code != test.code || !strings.Contains(got.Out, test.want) {
					t.Errorf("got code %d, output\n%s%s\nwant code %d and\n%s", got.Code, got.Out, got.ErrOut, test.code, test.want)
				}
			})
		}
	})
	t.Run("runs programs of branches side by side and tells of them in order", func(t *testing.T) {
		t.Parallel()
		two := write(t, "two.json", `{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
			{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true}}},
			{"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true}}}]}}}`)
		// A's program ends only when B's has run.
		fifo := t.TempDir() + "/fifo"
		got := runWith(t.Context(), "", nil, "run", two, "--handler", "A=mkfifo "+fifo+" && cat "+fifo, "--handler", "B=until [ -p "+fifo+" ]; do :; done; echo 2 > "+fifo+"; echo 3")
		if want := "SUCCEEDED after 0s\n[2,3]\n"; !strings.HasSuffix(got.Out, want) {
			t.Errorf("got\n%s%s\nwant it to end with\n%s", got.Out, got.ErrOut, want)
		}
		if a, b := strings.Index(got.Out, "TaskSucceeded             A"), strings.Index(got.Out, "TaskSucceeded             B"); a < 0 || b < a {
			t.Errorf("got\n%s\nwant A's answer before B's", got.Out)
		}
	})
	t.Run("says what is missing", func(t *testing.T) {
		t.Parallel()
		script := func(text string) string { return write(t, "answers.json", text) }
		for name, test := range map[string]struct {
			args []string
			want string
		}{
			"an answer":                     {nil, `the state "Charge" asks for arn:aws:states:::lambda:invoke, and nothing answers: give it an answer in --script, {"Charge": {"output": ...}}, or a program, --handler 'Charge=COMMAND'`},
			"another answer":                {[]string{"--script", script(`{"Charge": [{"error": "E"}]}`)}, `the state "Charge" is called again, and its 1 answer in --script are used up`},
			"a state of the name":           {[]string{"--script", script(`{"charge": {"error": "E"}}`)}, `there is no Task state "charge" to answer; there are: Charge`},
			"what an answer is":             {[]string{"--script", script(`{"Charge": {}}`)}, `an answer has one of "output", "error" and "timeout": true`},
			"an error for the cause":        {[]string{"--script", script(`{"Charge": {"output": 1, "cause": "c"}}`)}, `"cause" goes with "error"`},
			"a time that can pass":          {[]string{"--script", script(`{"Charge": {"output": 1, "seconds": 1e300}}`)}, `"seconds" must be from 0 to 99999999, which 1e+300 is not`},
			"known fields":                  {[]string{"--script", script(`{"Charge": {"result": 1}}`)}, `unknown field "result"`},
			"a command":                     {[]string{"--handler", "Charge"}, "--handler Charge: want STATE=COMMAND"},
			"a choice":                      {[]string{"--handler", "Charge=true", "--script", script(`{"Charge": {"error": "E"}}`)}, "it can have one of them"},
			"a time":                        {[]string{"--start", "today"}, "--start today: want a time such as"},
			"JSON":                          {[]string{"--input", "n"}, "--input n: that is not JSON"},
			"a value for what is not there": {[]string{"--substitute", "X=1"}, "there is no ${X}"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := tasksRun(t, test.args...)
				if got.Code != exitUsage || !strings.Contains(got.ErrOut, test.want) {
					t.Errorf("got code %d and %q, want code %d and %q", got.Code, got.ErrOut, exitUsage, test.want)
				}
			})
		}
	})
	t.Run("prints the problems of a definition", func(t *testing.T) {
		t.Parallel()
		open := write(t, "open.json", `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${F}", "End": true}}}`)
		check(t, runWith(t.Context(), "", nil, "run", open), result{
			Code: exitFailed,
			ErrOut: open + ":1:51: States.A.Resource: must be the ARN of a function or of a service integration, not ${F}\n" +
				"tasks: " + open + " has 1 problem; --substitute NAME=VALUE gives values for ${F}\n",
		})
		function := "arn:aws:lambda:us-east-1:123456789012:function:f"
		got := runWith(t.Context(), "", nil, "run", open, "--substitute", "F="+function, "--script", write(t, "answers.json", `{"A": {"output": null}}`))
		if got.Code != exitDone || !strings.HasSuffix(got.Out, "SUCCEEDED after 0s\nnull\n") {
			t.Errorf("got %+v, want success", got)
		}
	})
}

// TestRunNamesStates looks at events that don't name their state. The event before
// theirs is often of another branch.
func TestRunNamesStates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		definition, input string
		want              []string
	}{
		"of a Parallel state that is tried again": {
			`{"StartAt": "P", "States": {"P": {"Type": "Parallel", "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}], "End": true, "Branches": [
				{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}},
				{"StartAt": "F", "States": {"F": {"Type": "Fail"}}}]}}}`, `{}`,
			[]string{
				"ParallelStateEntered P", "ParallelStateStarted P", "WaitStateEntered W", "FailStateEntered F", "WaitStateAborted W",
				"ParallelStateStarted P", "WaitStateEntered W", "FailStateEntered F", "WaitStateAborted W", "ParallelStateFailed P",
			},
		},
		"of a Parallel state in another": {
			`{"StartAt": "O", "States": {"O": {"Type": "Parallel", "Next": "C", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}], "Branches": [
				{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 9, "End": true}}},
				{"StartAt": "I", "States": {"I": {"Type": "Parallel", "Next": "F", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 1, "End": true}}}]}, "F": {"Type": "Fail"}}},
				{"StartAt": "J", "States": {"J": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "D", "States": {"D": {"Type": "Wait", "Seconds": 9, "End": true}}}]}}}]},
				"C": {"Type": "Pass", "End": true}}}`, `{}`,
			[]string{
				"ParallelStateEntered O", "ParallelStateStarted O", "WaitStateEntered A",
				"ParallelStateEntered I", "ParallelStateStarted I", "ParallelStateEntered J", "ParallelStateStarted J", "WaitStateEntered B", "WaitStateEntered D",
				"WaitStateExited B", "ParallelStateSucceeded I", "ParallelStateExited I", "FailStateEntered F",
				"WaitStateAborted A", "WaitStateAborted D", "ParallelStateAborted J", "ParallelStateFailed O",
				"ParallelStateExited O", "PassStateEntered C", "PassStateExited C",
			},
		},
		"of a Map state that tolerates one failure": {
			`{"StartAt": "M", "States": {"M": {"Type": "Map", "ToleratedFailureCount": 1, "End": true, "ItemProcessor": {"StartAt": "W", "States": {
				"W": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "V"}, "V": {"Type": "Wait", "SecondsPath": "$.then", "End": true}}}}}}`,
			`[{"wait": 1}, {"wait": 2}, {"wait": 9}]`,
			[]string{
				"MapStateEntered M", "MapStateStarted M", "MapIterationStarted M", "MapIterationStarted M", "MapIterationStarted M",
				"WaitStateEntered W", "WaitStateEntered W", "WaitStateEntered W",
				"WaitStateExited W", "WaitStateEntered V", "MapIterationFailed M", "WaitStateExited W", "WaitStateEntered V",
				"MapIterationFailed M", "MapIterationAborted M", "WaitStateAborted W", "MapStateFailed M",
			},
		},
		"of a task that failed, and is stopped": {
			`{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
				{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true}}},
				{"StartAt": "U", "States": {"U": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true}}}]}}}`, `{}`,
			[]string{
				"ParallelStateEntered P", "ParallelStateStarted P", "TaskStateEntered T", "TaskScheduled T", "TaskStateEntered U", "TaskScheduled U", "TaskStarted T", "TaskStarted U",
				"TaskFailed U", "TaskStateAborted T", "TaskStateAborted U", "ParallelStateFailed P",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"run", write(t, "states.json", test.definition), "--input", test.input}
			if strings.Contains(test.definition, "sns") {
				args = append(args, "--script", write(t, "answers.json", `{"T": {"output": 1, "seconds": 5}, "U": {"error": "E"}}`))
			}
			printed := runWith(t.Context(), "", nil, args...)
			var got []string
			for line := range strings.Lines(printed.Out) {
				// TIME, ID, EVENT and STATE
				if fields := strings.Fields(line); len(fields) > 3 && strings.HasSuffix(fields[0], "s") && !strings.HasPrefix(fields[2], "Execution") {
					got = append(got, fields[2]+" "+fields[3])
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s%s", diff, printed.ErrOut)
			}
		})
	}
}

func TestRunInRealTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := write(t, "wait.json", `{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 90, "End": true}}}`)
		began := time.Now()
		got := runWith(t.Context(), "", nil, "run", "--real-time", file)
		if took := time.Since(began); took != 90*time.Second || got.Code != exitDone {
			t.Errorf("took %v and gave %+v, want 1m30s and success", took, got)
		}
		ctx, interrupt := context.WithTimeout(t.Context(), time.Second)
		defer interrupt()
		if got := runWith(ctx, "", nil, "run", "--real-time", file); got.Code != exitFailed || got.ErrOut != "tasks: interrupted\n" {
			t.Errorf("got %+v, want an interrupt", got)
		}
	})
}
