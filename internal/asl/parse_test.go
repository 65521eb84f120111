package asl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func problems(t *testing.T, definition string) []string {
	t.Helper()
	_, err := Parse([]byte(definition))
	if err == nil {
		return nil
	}
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %T, want *InvalidError: %v", err, err)
	}
	var lines []string
	for _, p := range invalid.Problems {
		lines = append(lines, p.String())
	}
	return lines
}

func TestParseReportsProblemsAtTheirPlaces(t *testing.T) {
	t.Parallel()
	// one puts a state A into a machine that is otherwise right.
	one := func(state string) string { return `{"StartAt": "A", "States": {"A": ` + state + `}}` }
	task := func(more string) string {
		return one(`{"Type": "Task", "Resource": "` + function + `", "End": true, ` + more + `}`)
	}
	retry := func(retriers string) string { return task(`"Retry": ` + retriers) }
	choice := func(rules string) string {
		return `{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": ` + rules + `}, "B": {"Type": "Succeed"}}}`
	}
	for name, test := range map[string]struct {
		definition string
		want       []string
	}{
		"text that isn't JSON":                {`{"StartAt": `, []string{"not JSON: unexpected end of JSON"}},
		"a definition that isn't an object":   {`[]`, []string{"the definition must be an object, not array"}},
		"a member that appears twice":         {`{"StartAt": "A", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`, []string{`the member "StartAt" appears twice in one object`}},
		"nothing at all":                      {`{}`, []string{"StartAt: is missing", "States: is missing"}},
		"no states":                           {`{"StartAt": "A", "States": {}}`, []string{`StartAt: there is no state "A"`, "States: must not be empty"}},
		"a start that isn't there":            {`{"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}`, []string{`StartAt: there is no state "B"`}},
		"a version that doesn't exist":        {`{"Version": "2.0", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`, []string{`Version: must be "1.0", not "2.0"`}},
		"a timeout of the machine":            {`{"TimeoutSeconds": 0, "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`, []string{"TimeoutSeconds: must be >= 1, not 0"}},
		"an unknown field of the machine":     {`{"Startat": "A", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`, []string{"Startat: unknown field: a state machine cannot have it"}},
		"JSONata for the machine":             {`{"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Task", "Arguments": {}}}}`, []string{"QueryLanguage: JSONata is not supported; use JSONPath"}},
		"JSONata for a state":                 {one(`{"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 %}", "End": true}`), []string{"States.A.QueryLanguage: JSONata is not supported; use JSONPath"}},
		"a JSONata field in a JSONPath state": {one(`{"Type": "Pass", "Output": 1, "End": true}`), []string{"States.A.Output: is a JSONata field: a Pass state whose query language is JSONPath cannot have it"}},
		"an unknown type":                     {one(`{"Type": "Sleep"}`), []string{`States.A.Type: unknown state type "Sleep"`}},
		"no type":                             {one(`{}`), []string{"States.A.Type: is missing"}},
		"a state that isn't an object":        {one(`7`), []string{"States.A: must be an object, not number"}},
		"a state name that is too long":       {strings.ReplaceAll(one(`{"Type": "Succeed"}`), `"A"`, `"`+strings.Repeat("x", 81)+`"`), []string{"States." + strings.Repeat("x", 81) + ": a state's name must have at most 80 characters"}},
		"an unknown field of a state":         {one(`{"Type": "Pass", "End": true, "Nxt": "A"}`), []string{"States.A.Nxt: unknown field: a Pass state cannot have it"}},
		"a field of another type of state":    {one(`{"Type": "Succeed", "ResultPath": "$.a", "Next": "A"}`), []string{"States.A.ResultPath: unknown field: a Succeed state cannot have it", "States.A.Next: unknown field: a Succeed state cannot have it"}},
		"neither Next nor End":                {one(`{"Type": "Pass"}`), []string{"States.A: must have Next or End"}},
		"End with Next":                       {one(`{"Type": "Pass", "Next": "A", "End": true}`), []string{"States: no state reachable from StartAt ends the execution", "States.A: must have Next or End, not both"}},
		"End that is false":                   {one(`{"Type": "Pass", "End": false}`), []string{"States.A.End: must be true or be left out"}},
		"a dangling Next":                     {one(`{"Type": "Pass", "Next": "Gone"}`), []string{`States.A.Next: there is no state "Gone"`}},
		"an unreachable state":                {`{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "B": {"Type": "Succeed"}}}`, []string{"States.B: no state leads here: it is not reachable from StartAt"}},
		"a loop without an end":               {one(`{"Type": "Pass", "Next": "A"}`), []string{"States: no state reachable from StartAt ends the execution"}},
		"a wrong type":                        {one(`{"Type": "Pass", "End": "yes", "Comment": 1}`), []string{"States.A.End: must be a boolean, not string", "States.A.Comment: must be a string, not number"}},
		"a path without '$'":                  {one(`{"Type": "Pass", "End": true, "InputPath": "a"}`), []string{`States.A.InputPath: "a" is not a path: must begin with '$'`}},
		"a path that breaks off":              {one(`{"Type": "Pass", "End": true, "OutputPath": "$.a["}`), []string{`States.A.OutputPath: "$.a[" is not a path: the '[' at position 3 is not closed`}},
		"a path function":                     {one(`{"Type": "Pass", "End": true, "OutputPath": "$.a.length()"}`), []string{`States.A.OutputPath: "$.a.length()" is not a path: path functions such as length() are not supported`}},
		"a ResultPath that is no reference":   {one(`{"Type": "Pass", "End": true, "ResultPath": "$.a[*]"}`), []string{`States.A.ResultPath: must be a reference path ($, members and elements only), not "$.a[*]"`}},
		"a ResultPath into the context":       {one(`{"Type": "Pass", "End": true, "ResultPath": "$$.a"}`), []string{`States.A.ResultPath: must be a reference path ($, members and elements only), not "$$.a"`}},
		"a template field that is no path":    {one(`{"Type": "Pass", "End": true, "Parameters": {"a": [{"b.$": "x"}], "c.$": 1}}`), []string{`States.A.Parameters.a[0].b.$: "x" is neither a path nor an intrinsic function: must begin with '$'`, "States.A.Parameters.c.$: must be a string that holds a path or an intrinsic function, not number"}},
		"an unknown function":                 {one(`{"Type": "Pass", "End": true, "Parameters": {"a.$": "States.Foo()"}}`), []string{"States.A.Parameters.a.$: unknown intrinsic function States.Foo"}},
		"a function with too few arguments":   {one(`{"Type": "Pass", "End": true, "Parameters": {"a.$": "States.MathAdd(1)"}}`), []string{"States.A.Parameters.a.$: States.MathAdd takes 2 arguments, not 1"}},
		"a field that is there twice":         {one(`{"Type": "Pass", "End": true, "Parameters": {"a": 1, "a.$": "$"}}`), []string{`States.A.Parameters.a.$: there is a field "a" too`}},

		"a Resource that is no ARN":              {one(`{"Type": "Task", "Resource": "process", "End": true}`), []string{"States.A.Resource: must be the ARN of a function or of a service integration, not process"}},
		"an activity":                            {one(`{"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:a", "End": true}`), []string{"States.A.Resource: activities are not supported: arn:aws:states:us-east-1:123456789012:activity:a"}},
		"a .sync integration":                    {one(`{"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "End": true}`), []string{"States.A.Resource: the integration pattern .sync:2 is not supported: arn:aws:states:::states:startExecution.sync:2"}},
		"a task token":                           {one(`{"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true}`), []string{"States.A.Resource: the integration pattern .waitForTaskToken is not supported: arn:aws:states:::sqs:sendMessage.waitForTaskToken"}},
		"missing parameters of an integration":   {one(`{"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": "q", "Body": 1}, "End": true}`), []string{"States.A.Parameters: must have MessageBody", "States.A.Parameters.Body: unknown field: the resource does not take it"}},
		"a timeout and its path":                 {task(`"TimeoutSeconds": 1, "TimeoutSecondsPath": "$.t"`), []string{"States.A: must have TimeoutSeconds or TimeoutSecondsPath, not both"}},
		"a heartbeat as long as the timeout":     {task(`"TimeoutSeconds": 5, "HeartbeatSeconds": 5`), []string{"States.A.HeartbeatSeconds: must be less than TimeoutSeconds (5), not 5"}},
		"a timeout that is no integer":           {task(`"TimeoutSeconds": 1.5`), []string{"States.A.TimeoutSeconds: must be an integer, not 1.5"}},
		"a negative MaxAttempts":                 {retry(`[{"ErrorEquals": ["E"], "MaxAttempts": -1}]`), []string{"States.A.Retry[0].MaxAttempts: must be >= 0, not -1"}},
		"an IntervalSeconds of 0":                {retry(`[{"ErrorEquals": ["E"], "IntervalSeconds": 0}]`), []string{"States.A.Retry[0].IntervalSeconds: must be >= 1, not 0"}},
		"a BackoffRate below 1":                  {retry(`[{"ErrorEquals": ["E"], "BackoffRate": 0.5}]`), []string{"States.A.Retry[0].BackoffRate: must be >= 1, not 0.5"}},
		"a MaxDelaySeconds below the interval":   {retry(`[{"ErrorEquals": ["E"], "IntervalSeconds": 5, "MaxDelaySeconds": 4}]`), []string{"States.A.Retry[0].MaxDelaySeconds: must not be less than IntervalSeconds (5), as 4 is"}},
		"an unknown jitter":                      {retry(`[{"ErrorEquals": ["E"], "JitterStrategy": "HALF"}]`), []string{`States.A.Retry[0].JitterStrategy: must be "FULL" or "NONE", not "HALF"`}},
		"a retrier without errors":               {retry(`[{"ErrorEquals": []}, {}]`), []string{"States.A.Retry[0].ErrorEquals: must not be empty", "States.A.Retry[1].ErrorEquals: is missing"}},
		"States.ALL that doesn't stand alone":    {retry(`[{"ErrorEquals": ["E", "States.ALL"]}]`), []string{"States.A.Retry[0].ErrorEquals[1]: States.ALL must stand alone"}},
		"States.ALL that isn't last":             {retry(`[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]`), []string{"States.A.Retry[0].ErrorEquals[0]: States.ALL must be in the last entry"}},
		"an unknown reserved error":              {retry(`[{"ErrorEquals": ["States.Oops"]}]`), []string{`States.A.Retry[0].ErrorEquals[0]: unknown error name "States.Oops": names that begin with "States." are reserved`}},
		"an unknown field of a retrier":          {retry(`[{"ErrorEquals": ["E"], "Interval": 1}]`), []string{"States.A.Retry[0].Interval: unknown field: an entry of Retry cannot have it"}},
		"a catcher that leads nowhere":           {task(`"Catch": [{"ErrorEquals": ["E"], "Next": "Gone"}, {"ErrorEquals": ["F"]}]`), []string{`States.A.Catch[0].Next: there is no state "Gone"`, "States.A.Catch[1].Next: is missing"}},
		"no rules":                               {choice(`[]`), []string{"States: no state reachable from StartAt ends the execution", "States.A.Choices: must not be empty", "States.B: no state leads here: it is not reachable from StartAt"}},
		"a rule without Next":                    {choice(`[{"Variable": "$.a", "IsNull": true, "Next": "B"}, {"Variable": "$.a", "IsNull": true}]`), []string{"States.A.Choices[1].Next: is missing"}},
		"a rule without an operator":             {choice(`[{"Variable": "$.a", "Next": "B"}]`), []string{"States.A.Choices[0]: has no comparison operator"}},
		"a rule with two operators":              {choice(`[{"Variable": "$.a", "IsNull": true, "IsString": true, "Next": "B"}]`), []string{"States.A.Choices[0].IsString: a comparison has one operator; there is IsNull already"}},
		"a rule without a variable":              {choice(`[{"IsNull": true, "Next": "B"}]`), []string{"States.A.Choices[0].Variable: is missing"}},
		"an operand of a wrong type":             {choice(`[{"Not": {"Variable": "$.a", "NumericEquals": "1"}, "Next": "B"}]`), []string{"States.A.Choices[0].Not.NumericEquals: must be a number, not string"}},
		"an operand that is no time":             {choice(`[{"Variable": "$.a", "TimestampEquals": "today", "Next": "B"}]`), []string{`States.A.Choices[0].TimestampEquals: must be a time as RFC 3339 writes it, not "today"`}},
		"an operator without a path variant":     {choice(`[{"Variable": "$.a", "IsNullPath": "$.b", "Next": "B"}]`), []string{"States.A.Choices[0]: has no comparison operator", "States.A.Choices[0].IsNullPath: unknown field: a choice rule cannot have it"}},
		"Next inside a condition":                {choice(`[{"And": [{"Variable": "$.a", "IsNull": true, "Next": "B"}], "Next": "B"}]`), []string{"States.A.Choices[0].And[0].Next: unknown field: a nested condition cannot have it"}},
		"And with Variable":                      {choice(`[{"And": [{"Variable": "$.a", "IsNull": true}], "Variable": "$.a", "IsNull": true, "Next": "B"}]`), []string{"States.A.Choices[0]: must have exactly one of And, Or, Not and Variable"}},
		"a JSONata condition":                    {choice(`[{"Condition": "{% true %}", "Next": "B"}]`), []string{"States.A.Choices[0].Condition: is a JSONata field: a choice rule whose query language is JSONPath cannot have it"}},
		"a Wait with two times":                  {one(`{"Type": "Wait", "Seconds": 1, "Timestamp": "2026-01-01T00:00:00Z", "End": true}`), []string{"States.A: must have exactly one of Seconds, SecondsPath, Timestamp and TimestampPath"}},
		"a Wait without a time":                  {one(`{"Type": "Wait", "End": true}`), []string{"States.A: must have exactly one of Seconds, SecondsPath, Timestamp and TimestampPath"}},
		"a Wait until no time":                   {one(`{"Type": "Wait", "Timestamp": "2026-01-01", "End": true}`), []string{`States.A.Timestamp: must be a time as RFC 3339 writes it, such as 2016-03-14T01:59:00Z, not "2026-01-01"`}},
		"Error and ErrorPath":                    {one(`{"Type": "Fail", "Error": "E", "ErrorPath": "$.e"}`), []string{"States.A: must have Error or ErrorPath, not both"}},
		"a Parallel without branches":            {one(`{"Type": "Parallel", "Branches": [], "End": true}`), []string{"States.A.Branches: must not be empty"}},
		"a problem inside a branch":              {one(`{"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "A"}}}], "End": true}`), []string{`States.A.Branches[0].States.B.Next: the state "A" is in another scope (States.A)`}},
		"a state name used twice":                {one(`{"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}], "End": true}`), []string{`States.A.Branches[0].States.A: the name "A" is taken by States.A: state names must be unique in the whole machine`}},
		"a Map without a processor":              {one(`{"Type": "Map", "End": true}`), []string{"States.A.ItemProcessor: is missing"}},
		"a distributed Map":                      {one(`{"Type": "Map", "Label": "L", "ItemReader": {}, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "B", "States": {"B": {"Type": "Succeed"}}}, "ResultWriter": {}, "End": true}`), []string{"States.A.Label: Label belongs to the distributed Map, which is not supported", "States.A.ItemReader: ItemReader belongs to the distributed Map, which is not supported", `States.A.ItemProcessor.ProcessorConfig.Mode: the distributed Map is not supported; use "INLINE"`, "States.A.ResultWriter: ResultWriter belongs to the distributed Map, which is not supported"}},
		"a tolerated share above 100":            {one(`{"Type": "Map", "ToleratedFailurePercentage": 101, "ItemProcessor": {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}, "End": true}`), []string{"States.A.ToleratedFailurePercentage: must be from 0 to 100, not 101"}},
		"a batcher without a size":               {one(`{"Type": "Map", "ItemBatcher": {}, "ItemProcessor": {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}, "End": true}`), []string{"States.A.ItemBatcher: must have MaxItemsPerBatch or MaxInputBytesPerBatch"}},
		"a variable name that is none":           {one(`{"Type": "Pass", "Assign": {"1a": 1, "states": 2}, "End": true}`), []string{`States.A.Assign.1a: "1a" is not a variable name`, `States.A.Assign.states: the variable name "states" is reserved`}},
		"a variable of the scope around":         {`{"StartAt": "A", "States": {"A": {"Type": "Map", "ItemProcessor": {"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"x": 1}, "End": true}}}, "Next": "C"}, "C": {"Type": "Pass", "Assign": {"x": 1}, "End": true}}}`, []string{`States.A.ItemProcessor.States.B.Assign.x: the variable "x" is assigned in the scope around this one (States.C.Assign.x)`}},
		"cross-account access":                   {task(`"Credentials": {"RoleArn": "r"}`), []string{"States.A.Credentials: Credentials (cross-account access) are not supported"}},
		"several problems, all of them, at once": {`{"StartAt": "Z", "States": {"A": {"Type": "Pass"}, "B": {"Type": "Nope"}}}`, []string{`StartAt: there is no state "Z"`, "States.A: must have Next or End", `States.B.Type: unknown state type "Nope"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, problems(t, test.definition)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemsHaveLineAndColumn(t *testing.T) {
	t.Parallel()
	definition := `{
  "StartAt": "A.b",
  "States": {
    "A": {"Type": "Succeed"},
    "A.b": {
      "Type": "Task",
      "Resource": "` + function + `",
      "Retry": [
        {"ErrorEquals": ["E"]},
        {"MaxAttempts": -1, "ErrorEquals": ["F", 1]}
      ],
      "Retry ": 1
    }
  }
}`
	_, err := Parse([]byte(definition))
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range invalid.Problems {
		got = append(got, fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p))
	}
	want := []string{
		"4:5: States.A: no state leads here: it is not reachable from StartAt",
		"5:5: States.A.b: must have Next or End",
		"10:10: States.A.b.Retry[1].MaxAttempts: must be >= 0, not -1",
		"10:50: States.A.b.Retry[1].ErrorEquals[1]: must be a string, not number",
		"12:7: States.A.b.Retry : unknown field: a Task state cannot have it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestValidateLeavesSubstitutionsOpen(t *testing.T) {
	t.Parallel()
	err := Validate([]byte(`{"StartAt": "A", "States": {
  "A": {"Type": "Task", "Resource": "${Function}", "Next": "B"},
  "B": {"Type": "Task", "Resource": "arn:${AWS::Partition}:states:::lambda:invoke", "TimeoutSeconds": "${Timeout}", "Next": "C"},
  "C": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": "${Queue}", "Body": "${Body}"}, "Next": "D"},
  "D": {"Type": "Wait", "Timestamp": "${When}", "InputPath": "${Path}", "OutputPath": "${", "End": true}}}`))
	want := `3:85: States.B.TimeoutSeconds: must be an integer, not string
4:73: States.C.Parameters: must have MessageBody
4:112: States.C.Parameters.Body: unknown field: the resource does not take it
5:73: States.D.OutputPath: "${" is not a path: unexpected "{" at position 1`
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v, want problems", err)
	}
	if diff := cmp.Diff(want, invalid.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestParseAcceptsWhatStepFunctionsAccepts(t *testing.T) {
	t.Parallel()
	for name, definition := range map[string]string{
		"comments everywhere":  `{"Comment": "c", "StartAt": "A", "States": {"A": {"Comment": "c", "Type": "Choice", "Choices": [{"Comment": "c", "And": [{"Comment": "c", "Variable": "$", "IsPresent": true}], "Next": "B"}]}, "B": {"Type": "Succeed"}}}`,
		"an empty Catch":       `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "` + function + `", "Catch": [], "Retry": [], "End": true}}}`,
		"a legacy Iterator":    `{"StartAt": "A", "States": {"A": {"Type": "Map", "Parameters": {"v.$": "$$.Map.Item.Value"}, "Iterator": {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}, "End": true}}}`,
		"null paths":           `{"StartAt": "A", "States": {"A": {"Type": "Pass", "InputPath": null, "ResultPath": null, "OutputPath": null, "End": true}}}`,
		"an explicit JSONPath": `{"QueryLanguage": "JSONPath", "StartAt": "A", "States": {"A": {"QueryLanguage": "JSONPath", "Type": "Succeed"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := problems(t, definition); got != nil {
				t.Errorf("got problems %v, want none", got)
			}
		})
	}
}

func TestTasksListsNestedTasksAndWhatTheyDeclare(t *testing.T) {
	t.Parallel()
	m := mustParse(t, `{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "`+function+`", "TimeoutSeconds": 9, "Parameters": {"x.$": "$.y"},
			"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 2, "MaxDelaySeconds": 900, "JitterStrategy": "FULL"}],
			"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "P"}], "Next": "P"},
		"P": {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "arn:aws-cn:states:::sns:publish", "End": true}}}], "End": true}}}`)
	var got []string
	for _, task := range m.Tasks() {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %v %v", task.State, task.Path, task.Resource, task.Timeout, task.Parameters, task.Retry, task.Catch))
	}
	want := []string{
		"A States.A " + function + ` 9s {"x.$":"$.y"} [{[E] 2s 3 2 15m0s true}] [{[States.ALL] P}]`,
		"B States.P.Branches[0].States.B arn:aws:states:::sns:publish 0s  [] []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	err := m.CheckResources(func(resource string) bool { return resource == function })
	if want := "5:92: States.P.Branches[0].States.B.Resource: the resource arn:aws:states:::sns:publish is not supported here"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
