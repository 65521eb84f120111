package host

// durableMachines have every state type among them. No two of their events
// happen within 5 ms of each other. TASK begins a Task state.
var durableMachines = map[string]string{
	"Parallel": `{"StartAt": "Both", "States": {
		"Both": {"Type": "Parallel", "Next": "Gather", "Branches": [
			{"StartAt": "Left", "States": {
				"Left": {TASK, "Parameters": {"ms": 310, "failures": 1, "retry.$": "$$.State.RetryCount", "answer": "left"}, "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 2}], "Next": "Rest"},
				"Rest": {"Type": "Wait", "Seconds": 1, "End": true}}},
			{"StartAt": "Nap", "States": {
				"Nap": {"Type": "Wait", "Seconds": 3, "Next": "Right"},
				"Right": {TASK, "Parameters": {"ms": 550, "failures": 2, "retry.$": "$$.State.RetryCount", "answer": {"go": true}}, "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}], "Next": "Which"},
				"Which": {"Type": "Choice", "Choices": [{"Variable": "$.go", "BooleanEquals": true, "Next": "Last"}]},
				"Last": {TASK, "Parameters": {"ms": 420, "answer": "right"}, "End": true}}}]},
		"Gather": {TASK, "Parameters": {"ms": 100, "answer.$": "$"}, "Next": "Done"},
		"Done": {"Type": "Succeed"}}}`,
	"Map": `{"StartAt": "Items", "States": {
		"Items": {"Type": "Pass", "Result": [100, 230, 370, 520, 680], "Next": "Each"},
		"Each": {"Type": "Map", "MaxConcurrency": 2, "ItemSelector": {"ms.$": "$$.Map.Item.Value"}, "End": true, "ItemProcessor": {"StartAt": "Work", "States": {
			"Work": {TASK, "Parameters": {"ms.$": "$.ms", "failures": 1, "retry.$": "$$.State.RetryCount", "answer.$": "$.ms"}, "Assign": {"got.$": "$"}, "Retry": [{"ErrorEquals": ["Broken"]}], "Next": "Rest"},
			"Rest": {"Type": "Wait", "Seconds": 2, "Next": "Tell"},
			"Tell": {"Type": "Pass", "Parameters": {"got.$": "$got"}, "End": true}}}}}}`,
	"a Parallel with a Map in it that fails, is retried and caught": `{"StartAt": "Items", "States": {
		"Items": {"Type": "Pass", "Result": [1310, 1490, 1620], "Next": "Both"},
		"Both": {"Type": "Parallel", "Next": "Mend", "Branches": [
			{"StartAt": "Long", "States": {"Long": {TASK, "Parameters": {"ms": 5000}, "End": true}}},
			{"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 60, "End": true}}},
			{"StartAt": "Each", "States": {"Each": {"Type": "Map", "MaxConcurrency": 2, "End": true, "ItemProcessor": {"StartAt": "Work", "States": {
				"Work": {TASK, "Parameters": {"ms.$": "$", "answer": 1}, "End": true}}}}}},
			{"StartAt": "Fail", "States": {"Fail": {TASK, "Parameters": {"ms": 2730, "failures": 1, "retry": 0}, "End": true}}}],
			"Retry": [{"ErrorEquals": ["Broken"], "MaxAttempts": 1}], "Catch": [{"ErrorEquals": ["Broken"], "Next": "Mend"}]},
		"Mend": {TASK, "Parameters": {"ms": 200, "answer.$": "$.Error"}, "End": true}}}`,
	"a loop of Wait, Task and Choice": `{"StartAt": "Begin", "States": {
		"Begin": {"Type": "Pass", "Assign": {"n": 0}, "Next": "Wait"},
		"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Count"},
		"Count": {TASK, "Parameters": {"ms": 140, "answer.$": "$n"}, "Assign": {"n.$": "States.MathAdd($n, 1)"}, "Next": "Enough"},
		"Enough": {"Type": "Choice", "Choices": [{"Variable": "$n", "NumericLessThan": 3, "Next": "Wait"}], "Default": "Failed"},
		"Failed": {"Type": "Fail", "ErrorPath": "States.Format('{}', $n)", "Cause": "enough"}}}`,
	"timeouts of a task and of the machine": `{"StartAt": "Slow", "TimeoutSeconds": 20, "States": {
		"Slow": {TASK, "TimeoutSeconds": 3, "Parameters": {"ms": 9000}, "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}], "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Forever"}], "End": true},
		"Forever": {"Type": "Wait", "Seconds": 3600, "End": true}}}`,
}
