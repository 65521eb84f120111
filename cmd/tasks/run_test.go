package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
