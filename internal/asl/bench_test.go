package asl

import (
	"encoding/json"
	"testing"
)

const threeStates = `{
	"StartAt": "Prepare",
	"States": {
		"Prepare": {"Type": "Pass", "Result": {"ready": true}, "ResultPath": "$.check", "Next": "Decide"},
		"Decide": {
			"Type": "Choice",
			"Choices": [{"And": [{"Variable": "$.check.ready", "BooleanEquals": true}, {"Variable": "$.value", "NumericGreaterThan": 10}], "Next": "Done"}],
			"Default": "Done"
		},
		"Done": {"Type": "Succeed"}
	}
}`

// BenchmarkThreeStates runs whole executions of Pass, Choice and Succeed on all
// processors, parsing not counted.
func BenchmarkThreeStates(b *testing.B) {
	m := mustParse(b, threeStates)
	input := json.RawMessage(`{"value": 22, "name": "one"}`)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			x := m.NewExecution()
			_, _, err := x.Step(Event{Kind: Start, Time: epoch, Start: &StartInput{Name: "n", Input: input}})
			if err != nil || x.Status() != Succeeded {
				b.Fatal(err, x.Status())
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
}

// BenchmarkReplay replays the journal of an execution whose task is in flight,
// as a host does when it takes up its work again.
func BenchmarkReplay(b *testing.B) {
	h := start(b, `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
		"Parameters": {"FunctionName": "f", "Payload": {"id.$": "$.id", "try.$": "$$.State.RetryCount"}},
		"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2}], "End": true}}}`, `{"id": "0190"}`)
	h.failTask(h.invoked()[0].Ref, "errorString", "{}")
	b.ReportAllocs()
	for b.Loop() {
		x := h.machine.NewExecution()
		for _, e := range h.journal {
			if _, _, err := x.Step(e); err != nil {
				b.Fatal(err)
			}
		}
	}
}
