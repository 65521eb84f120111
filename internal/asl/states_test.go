package asl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pass is a machine of one Pass state.
func pass(fields string) string {
	return `{"StartAt": "A", "States": {"A": {"Type": "Pass", ` + fields + `, "End": true}}}`
}

const whileA = "An error occurred while executing the state 'A' (entered at the event id #2). "

func TestInputAndOutputProcessing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ fields, input, want string }{
		"nothing":                          {`"Comment": ""`, `{"a":[1,{"b":null}]}`, `{"a":[1,{"b":null}]}`},
		"InputPath":                        {`"InputPath": "$.a"`, `{"a":{"b":1}}`, `{"b":1}`},
		"a null InputPath":                 {`"InputPath": null`, `{"a":1}`, `{}`},
		"a null OutputPath":                {`"OutputPath": null`, `{"a":1}`, `{}`},
		"Parameters, constants first":      {`"Parameters": {"x.$": "$.a", "y": {"z.$": "$$.State.Name"}}`, `{"a":1}`, `{"y":{"z":"A"},"x":1}`},
		"Result":                           {`"Result": {"r.$": "$.a"}, "ResultPath": "$.r"`, `{"a":1}`, `{"a":1,"r":{"r.$":"$.a"}}`},
		"ResultPath into the raw input":    {`"InputPath": "$.a", "ResultPath": "$.x.y"`, `{"a":1}`, `{"a":1,"x":{"y":1}}`},
		"ResultPath into an array":         {`"InputPath": "$.b", "ResultPath": "$.a[1]"`, `{"a":[1,2],"b":3}`, `{"a":[1,3],"b":3}`},
		"a null ResultPath":                {`"Result": 1, "ResultPath": null`, `{"a":1}`, `{"a":1}`},
		"OutputPath after ResultPath":      {`"Result": 7, "ResultPath": "$.r", "OutputPath": "$.r"`, `{}`, `7`},
		"numbers as Java writes them":      {`"OutputPath": "$.n"`, `{"n":[1.0,-0,1e2,12345678.9,0.0001,123456789012345678901234567890,1.50,1E400]}`, `[1.0,0,100.0,1.23456789E7,1.0E-4,123456789012345678901234567890,1.5,1E400]`},
		"text with escapes":                {`"Comment": ""`, `"\u00e9\ud83d\ude00\n\u0001\/\""`, `"é😀\n\u0001/\""`},
		"a variable in the state's fields": {`"InputPath": "$$.Execution.Name"`, `{}`, `"one"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start(t, pass(test.fields), test.input).want(Succeeded, test.want)
		})
	}
}

func TestInputAndOutputFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ fields, input, error, cause string }{
		"InputPath that leads nowhere":      {`"InputPath": "$.x"`, `{}`, errRuntime, "Invalid path '$.x' : No results for path: $['x']"},
		"OutputPath through a missing part": {`"OutputPath": "$.x.y"`, `{}`, errRuntime, "Invalid path '$.x.y' : Missing property in path $['x']"},
		"a parameter that leads nowhere":    {`"Parameters": {"a": {"b.$": "$.x"}}`, `{"n": 1}`, errRuntime, `The JSONPath '$.x' specified for the field 'b.$' could not be found in the input '{"n":1}'`},
		"ResultPath into a string":          {`"Result": 1, "ResultPath": "$.a.b"`, `{"a":"s"}`, errResultPathMatch, `Unable to apply ReferencePath $.a.b to input {"a":"s"}`},
		"a function that fails":             {`"Parameters": {"a.$": "States.ArrayGetItem($.a, 3)"}`, `{"a":[1]}`, errIntrinsic, "The function 'States.ArrayGetItem($.a, 3)' had the following error: index 3 is out of bounds for an array of 1 items"},
		"a function's path":                 {`"Parameters": {"a.$": "States.ArrayLength($.b)"}`, `{"a":[1]}`, errRuntime, `The function 'States.ArrayLength($.b)' had the following error: The JsonPath argument for the field '$.b' could not be found in the input '{"a":[1]}'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start(t, pass(test.fields), test.input).wantFailure(Failed, test.error, whileA+test.cause)
		})
	}
}

func TestAParametersFailureCanBeCaughtByItsSpecifiedName(t *testing.T) {
	t.Parallel()
	definition := `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "` + function + `", "Parameters": {"x.$": "$.x"},
		"Catch": [{"ErrorEquals": ["%s"], "Next": "B"}], "Next": "B"}, "B": {"Type": "Pass", "OutputPath": "$.Error", "End": true}}}`
	start(t, fmt.Sprintf(definition, errParameterPath), `{}`).want(Succeeded, `"States.ParameterPathFailure"`)
	start(t, fmt.Sprintf(definition, errAll), `{}`).wantFailure(Failed, errRuntime, whileA+"The JSONPath '$.x' specified for the field 'x.$' could not be found in the input '{}'")
}

func TestAChoiceWithoutAMatchCanBeCaughtByItsSpecifiedName(t *testing.T) {
	t.Parallel()
	start(t, `{"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {
		"A": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "B"}]}, "B": {"Type": "Succeed"}}}],
		"Catch": [{"ErrorEquals": ["States.NoChoiceMatched"], "Next": "Z"}], "Next": "Z"}, "Z": {"Type": "Pass", "OutputPath": "$.Error", "End": true}}}`,
		`{}`).want(Succeeded, `"States.NoChoiceMatched"`)
}

func TestChoice(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule, input string
		want        bool
	}{
		"NumericEquals compares values":            {`"NumericEquals": 1`, `1.0`, true},
		"NumericLessThan compares big integers":    {`"NumericLessThan": 9007199254740993`, `9007199254740992`, true},
		"NumericEquals takes no string":            {`"NumericEquals": 1`, `"1"`, false},
		"NumericGreaterThanEqualsPath":             {`"NumericGreaterThanEqualsPath": "$.other"`, `5`, true},
		"StringLessThan compares code points":      {`"StringLessThan": "b"`, `"B"`, true},
		"StringMatches with stars":                 {`"StringMatches": "log-*.*.txt"`, `"log-a.b.txt"`, true},
		"StringMatches must match the whole text":  {`"StringMatches": "log-*"`, `"a log-b"`, false},
		"StringMatches doesn't use a letter twice": {`"StringMatches": "ab*ba"`, `"aba"`, false},
		"StringMatches with an escaped star":       {`"StringMatches": "a\\*b"`, `"a*b"`, true},
		"StringMatches escapes exactly":            {`"StringMatches": "a\\*b"`, `"axb"`, false},
		"TimestampGreaterThan compares instants":   {`"TimestampGreaterThan": "2026-01-01T00:00:00Z"`, `"2026-01-01T00:30:00+01:00"`, false},
		"TimestampEquals across zones":             {`"TimestampEquals": "2026-01-01T00:00:00Z"`, `"2026-01-01T01:00:00+01:00"`, true},
		"IsTimestamp":                              {`"IsTimestamp": true`, `"2026-01-01T01:00:00.123Z"`, true},
		"IsTimestamp with an hour of one digit":    {`"IsTimestamp": true`, `"2026-01-01T1:00:00Z"`, false},
		"IsTimestamp with a comma":                 {`"IsTimestamp": true`, `"2026-01-01T01:00:00,5Z"`, false},
		"IsTimestamp with an offset of 99 hours":   {`"IsTimestamp": true`, `"2026-01-01T01:00:00+99:00"`, false},
		"IsTimestamp without a zone":               {`"IsTimestamp": true`, `"2026-01-01T01:00:00"`, false},
		"IsNumeric":                                {`"IsNumeric": false`, `"1"`, true},
		"IsNull":                                   {`"IsNull": true`, `null`, true},
		"IsPresent for null":                       {`"IsPresent": true`, `null`, true},
		"BooleanEqualsPath":                        {`"BooleanEqualsPath": "$.yes"`, `true`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			definition := `{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$.v", ` + test.rule + `, "Next": "True"}], "Default": "False"},
				"True": {"Type": "Pass", "Result": true, "End": true}, "False": {"Type": "Pass", "Result": false, "End": true}}}`
			start(t, definition, `{"v": `+test.input+`, "other": 5, "yes": true}`).want(Succeeded, fmt.Sprint(test.want))
		})
	}
}

func TestChoiceCombinesConditions(t *testing.T) {
	t.Parallel()
	definition := `{"StartAt": "A", "States": {
		"A": {"Type": "Choice", "Assign": {"by": "default"}, "Choices": [
			{"And": [{"Variable": "$.a", "IsPresent": true}, {"Not": {"Variable": "$.a", "NumericLessThan": 10}}], "Assign": {"by.$": "States.Format('rule {}', $.a)"}, "Next": "B"},
			{"Or": [{"Variable": "$.b", "IsPresent": true}, {"Variable": "$.c", "IsPresent": true}], "Next": "B"}], "Default": "B"},
		"B": {"Type": "Pass", "Parameters": {"by.$": "$by"}, "OutputPath": "$.by", "End": true}}}`
	start(t, definition, `{"a": 10}`).want(Succeeded, `"rule 10"`)
	start(t, definition, `{"a": 9}`).want(Succeeded, `"default"`)
	start(t, definition, `{"c": 9}`).wantFailure(Failed, errRuntime, "An error occurred while executing the state 'B' (entered at the event id #4). The JSONPath '$by' specified for the field 'by.$' could not be found in the input '{}'")
}

func TestChoiceFailures(t *testing.T) {
	t.Parallel()
	definition := `{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "%s", "Next": "B"}]}, "B": {"Type": "Succeed"}}}`
	none := strings.Replace(definition, `"%s"`, `"IsNull": true`, 1)
	start(t, none, `{"a": 1}`).wantFailure(Failed, errRuntime, whileA+"Failed to transition out of the state. The state does not point to a next state.")
	start(t, none, `{}`).wantFailure(Failed, errRuntime, whileA+"Invalid path '$.a': The choice state's condition path references an invalid value.")
	path := strings.Replace(definition, `"%s"`, `"StringEqualsPath": "$.b"`, 1)
	start(t, path, `{"a": "x"}`).wantFailure(Failed, errRuntime, whileA+"Invalid path '$.b': The choice state's condition path references an invalid value.")
}

func TestWaitWaitsUntilItsTime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		field string
		want  time.Duration
	}{
		"seconds":                     {`"Seconds": 90`, 90 * time.Second},
		"no seconds":                  {`"Seconds": 0`, 0},
		"seconds from the input":      {`"SecondsPath": "$.seconds"`, 7 * time.Second},
		"seconds as text":             {`"SecondsPath": "$.text"`, 8 * time.Second},
		"until a time":                {`"Timestamp": "2026-01-02T04:04:05.5+00:00"`, time.Hour + 500*time.Millisecond},
		"until a time in the input":   {`"TimestampPath": "$.time"`, time.Minute},
		"until a time that is past":   {`"Timestamp": "2020-01-01T00:00:00Z"`, 0},
		"until a time in the context": {`"TimestampPath": "$$.Execution.StartTime"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			input := `{"seconds":7,"text":"8","time":"2026-01-02T03:05:05Z"}`
			h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Wait", `+test.field+`, "End": true}}}`, input)
			if test.want > 0 {
				timer, delay := h.timer()
				if delay != test.want {
					t.Fatalf("got a wait of %v, want %v", delay, test.want)
				}
				h.fire(timer)
			}
			h.want(Succeeded, input)
		})
	}
}

func TestFailTakesFunctions(t *testing.T) {
	t.Parallel()
	start(t, `{"StartAt": "A", "States": {"A": {"Type": "Fail", "ErrorPath": "States.Format('E{}', $.n)", "CausePath": "$.why"}}}`, `{"n": 1, "why": "so"}`).wantFailure(Failed, "E1", "so")
	start(t, `{"StartAt": "A", "States": {"A": {"Type": "Fail", "ErrorPath": "$.n"}}}`, `{}`).wantFailure(Failed, errRuntime, whileA+"The JSONPath '$.n' specified for the field 'ErrorPath' could not be found in the input '{}'")
}

func TestVariablesAreScopedAndSeenFromTheNextStateOn(t *testing.T) {
	t.Parallel()
	start(t, `{"StartAt": "A", "States": {
		"A": {"Type": "Pass", "Assign": {"x": 1, "y.$": "$.in"}, "Next": "B"},
		"B": {"Type": "Pass", "Assign": {"x": 2, "old.$": "$x"}, "Parameters": {"x.$": "$x"}, "Next": "Each"},
		"Each": {"Type": "Map", "ItemsPath": "$y", "ItemProcessor": {"StartAt": "C", "States": {
			"C": {"Type": "Pass", "Assign": {"inner.$": "States.MathAdd($x, $)"}, "Next": "D"},
			"D": {"Type": "Pass", "Parameters": {"v.$": "$inner"}, "OutputPath": "$.v", "End": true}}},
			"ResultPath": "$.sums", "Next": "E"},
		"E": {"Type": "Pass", "Parameters": {"before.$": "$.x", "old.$": "$old", "sums.$": "$.sums"}, "End": true}}}`,
		`{"in": [10, 20]}`).want(Succeeded, `{"before":1,"old":1,"sums":[12,22]}`)
}

func TestParallelRunsBranchesAndJoinsThem(t *testing.T) {
	t.Parallel()
	definition := `{"StartAt": "P", "States": {"P": {"Type": "Parallel", "Parameters": {"v.$": "$.v"}, "ResultSelector": {"both.$": "$"}, "ResultPath": "$.r",
		"Branches": [
			{"StartAt": "T1", "States": {"T1": {"Type": "Task", "Resource": "` + function + `", "End": true}}},
			{"StartAt": "T2", "States": {"T2": {"Type": "Task", "Resource": "` + function + `", "End": true}}},
			{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "Next": "X"}, "X": {"Type": "Pass", "Result": "w", "End": true}}}],
		"Retry": [{"ErrorEquals": ["Again"], "MaxAttempts": 1}],
		"Catch": [{"ErrorEquals": ["States.BranchFailed"], "Next": "Caught"}], "Next": "Done"},
		"Done": {"Type": "Succeed"}, "Caught": {"Type": "Succeed"}}}`
	t.Run("the results are in the order of the branches", func(t *testing.T) {
		t.Parallel()
		h := start(t, definition, `{"v":1,"w":2}`)
		tasks := h.invoked()
		if len(tasks) != 2 || string(tasks[0].Payload) != `{"v":1}` {
			t.Fatalf("got %v, want two tasks with the effective input", h.commands)
		}
		h.succeed(tasks[1].Ref, `"two"`)
		h.succeed(tasks[0].Ref, `"one"`)
		h.fire(h.x.Pending()[0].(SetTimer))
		h.want(Succeeded, `{"v":1,"w":2,"r":{"both":["one","two","w"]}}`)
	})
	t.Run("a failure cancels the others and can be caught", func(t *testing.T) {
		t.Parallel()
		h := start(t, definition, `{"v":1}`)
		tasks := h.invoked()
		timer := h.x.Pending()[0].(SetTimer)
		h.failTask(tasks[0].Ref, "Bad", "c")
		if len(h.commands) == 0 || h.commands[0] != Command(CancelTask{tasks[1].Ref}) {
			t.Errorf("got %v, want the other task cancelled", h.commands)
		}
		h.want(Succeeded, `{"Error":"Bad","Cause":"c"}`)
		h.fire(timer)
		h.want(Succeeded, `{"Error":"Bad","Cause":"c"}`)
	})
	t.Run("a retry starts every branch again", func(t *testing.T) {
		t.Parallel()
		h := start(t, definition, `{"v":1}`)
		late := h.invoked()[1]
		h.failTask(h.invoked()[0].Ref, "Again", "")
		timer, delay := h.timer()
		if delay != time.Second {
			t.Errorf("got a retry after %v, want 1s", delay)
		}
		h.succeed(late.Ref, `"late"`)
		h.fire(timer)
		if got := len(h.invoked()); got != 2 {
			t.Errorf("got %d tasks, want 2", got)
		}
	})
}

const iterate = `{"StartAt": "M", "States": {"M": {"Type": "Map", %s, "ItemProcessor": {"StartAt": "T", "States": {
	"T": {"Type": "Task", "Resource": "` + function + `", "End": true}}}, "End": true}}}`

func TestMapRunsNoMoreThanItMayAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fields string
		items  int
		want   int
	}{
		"two":                            {`"MaxConcurrency": 2`, 5, 2},
		"the inline limit":               {`"MaxConcurrency": 0`, 100, maxInlineConcurrency},
		"what a path says, even as text": {`"ItemsPath": "$.items", "MaxConcurrencyPath": "$.n"`, 9, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := strings.TrimSuffix(strings.Repeat("1,", test.items), ",")
			input := "[" + items + "]"
			if strings.Contains(test.fields, "ItemsPath") {
				input = `{"n":"3","items":` + input + `}`
			}
			h := start(t, fmt.Sprintf(iterate, test.fields), input)
			most, ended := len(h.invoked()), 0
			for h.x.Status() == Running {
				h.succeed(h.x.Pending()[0].(InvokeTask).Ref, `2`)
				ended++
				most = max(most, len(h.x.Pending()))
			}
			if most != test.want || ended != test.items {
				t.Errorf("got at most %d at once and %d calls, want %d and %d", most, ended, test.want, test.items)
			}
			h.want(Succeeded, "["+strings.ReplaceAll(items, "1", "2")+"]")
		})
	}
}

func TestMapToleratesFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fields   string
		failures int
		want     string // the output, or the error
	}{
		"none by default":             {`"MaxConcurrency": 1`, 1, "E"},
		"as many as the count":        {`"MaxConcurrency": 1, "ToleratedFailureCount": 2`, 2, `[2,2]`},
		"not one more than the count": {`"MaxConcurrency": 1, "ToleratedFailureCount": 2`, 3, errExceedTolerated},
		"as many as the share":        {`"MaxConcurrency": 1, "ToleratedFailurePercentage": 50`, 2, `[2,2]`},
		"not one more than the share": {`"MaxConcurrency": 1, "ToleratedFailurePercentage": 50`, 3, errExceedTolerated},
		"not a part of one":           {`"MaxConcurrency": 1, "ToleratedFailurePercentage": 49.9`, 2, errExceedTolerated},
		"none, by a small share":      {`"MaxConcurrency": 1, "ToleratedFailurePercentage": 24`, 1, "E"},
		"the lower of both, a count":  {`"MaxConcurrency": 1, "ToleratedFailureCount": 1, "ToleratedFailurePercentage": 100`, 2, errExceedTolerated},
		"the lower of both, a share":  {`"MaxConcurrency": 1, "ToleratedFailureCount": 4, "ToleratedFailurePercentage": 25`, 2, errExceedTolerated},
		"all of them":                 {`"ToleratedFailurePercentage": 100`, 4, `[]`},
		"all of them, by the count":   {`"ToleratedFailureCount": 1000`, 4, `[]`},

		"as many as the input says":        {`"ToleratedFailureCountPath": "$.two"`, 2, `[2,2]`},
		"not one more":                     {`"ToleratedFailureCountPath": "$.two"`, 3, errExceedTolerated},
		"as many as it says as text":       {`"ToleratedFailureCountPath": "$.text"`, 2, `[2,2]`},
		"not one more, as text":            {`"ToleratedFailureCountPath": "$.text"`, 3, errExceedTolerated},
		"all of them, by a huge count":     {`"ToleratedFailureCountPath": "$.huge"`, 4, `[]`},
		"as large a share as it says":      {`"ToleratedFailurePercentagePath": "$.half"`, 2, `[2,2]`},
		"not a larger one":                 {`"ToleratedFailurePercentagePath": "$.half"`, 3, errExceedTolerated},
		"a share with a fraction":          {`"ToleratedFailurePercentagePath": "$.less"`, 1, `[2,2,2]`},
		"not a larger one with a fraction": {`"ToleratedFailurePercentagePath": "$.less"`, 2, errExceedTolerated},
		"no count with a fraction":         {`"ToleratedFailureCountPath": "$.less"`, 0, errRuntime},
		"no share with one as text":        {`"ToleratedFailurePercentagePath": "$.lessText"`, 0, errRuntime},
		"no negative count":                {`"ToleratedFailureCountPath": "$.minus"`, 0, errRuntime},
		"no count that is not there":       {`"ToleratedFailureCountPath": "$.none"`, 0, errRuntime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t, fmt.Sprintf(iterate, `"ItemsPath": "$.items", `+test.fields), `{"items": [1,1,1,1], "two": 2, "text": "2", "half": 50, "less": 49.9, "lessText": "49.9", "minus": -1, "huge": 9223372036854775807}`)
			for n := 0; h.x.Status() == Running; n++ {
				ref := h.x.Pending()[0].(InvokeTask).Ref
				if n < test.failures {
					h.failTask(ref, "E", "c")
				} else {
					h.succeed(ref, `2`)
				}
			}
			if got := h.x.Error() + string(h.x.Output()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAToleratedShareInTheInputIsAPercentage(t *testing.T) {
	t.Parallel()
	for _, share := range []string{"101", "100.1", "-1"} {
		start(t, fmt.Sprintf(iterate, `"ItemsPath": "$.items", "ToleratedFailurePercentagePath": "$.share"`), `{"items": [1], "share": `+share+`}`).
			wantFailure(Failed, errRuntime, strings.Replace(whileA, "'A'", "'M'", 1)+"The ToleratedFailurePercentagePath field must be a number from 0 to 100, but $.share == "+share)
	}
}

func TestMapItems(t *testing.T) {
	t.Parallel()
	m := `{"StartAt": "A", "States": {"A": {"Type": "Map", %s, "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}, "End": true}}}`
	for name, test := range map[string]struct{ fields, input, want string }{
		"none":                            {`"ItemsPath": "$.i"`, `{"i":[]}`, `[]`},
		"selected":                        {`"ItemsPath": "$.i", "ItemSelector": {"v.$": "$$.Map.Item.Value", "n.$": "$$.Map.Item.Index", "all.$": "$.x", "s.$": "$$.State.Name"}`, `{"i":["a"],"x":1}`, `[{"s":"A","all":1,"v":"a","n":0}]`},
		"in batches of a number":          {`"ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"x.$": "$.x"}}, "ItemsPath": "$.i", "ItemSelector": {"v.$": "$$.Map.Item.Value"}`, `{"i":[1,2,3],"x":9}`, `[{"BatchInput":{"x":9},"Items":[{"v":1},{"v":2}]},{"BatchInput":{"x":9},"Items":[{"v":3}]}]`},
		"in batches of a number of bytes": {`"ItemBatcher": {"MaxInputBytesPerBatch": 20}`, `["abc","def","ghi"]`, `[{"Items":["abc"]},{"Items":["def"]},{"Items":["ghi"]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t, fmt.Sprintf(m, test.fields), test.input)
			if h.x.Status() != Succeeded || !sameJSON(string(h.x.Output()), test.want) {
				t.Errorf("got %s %s (%s), want %s", h.x.Status(), h.x.Output(), h.x.Cause(), test.want)
			}
		})
	}
	start(t, fmt.Sprintf(m, `"ItemsPath": "$.i"`), `{"i":{}}`).wantFailure(Failed, errRuntime, whileA+`Reference path "$.i" must point to array.`)
}

func TestMapHistoryOfAFailure(t *testing.T) {
	t.Parallel()
	h := start(t, fmt.Sprintf(iterate, `"MaxConcurrency": 3`), `[1,2,3]`)
	tasks := h.invoked()
	h.succeed(tasks[1].Ref, `0`)
	h.failTask(tasks[2].Ref, "E", "")
	var got []string
	for _, e := range h.history[len(h.history)-8:] {
		got = append(got, fmt.Sprintf("%d %d %s %d", e.ID, e.PreviousID, e.Type, e.index))
	}
	// Each event names the one that it follows.
	want := []string{
		"18 17 MapIterationSucceeded 1",
		"19 15 LambdaFunctionFailed 0",
		"20 19 MapIterationAborted 0",
		"21 19 TaskStateAborted 0",
		"22 19 MapIterationFailed 2",
		"23 19 TaskStateAborted 0",
		"24 19 MapStateFailed 0",
		"25 24 ExecutionFailed 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
