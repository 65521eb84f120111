package asl

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzParse checks that no definition makes Parse or an execution panic, that
// an execution always waits for something or ends, and that its journal replays
// to the same history.
func FuzzParse(f *testing.F) {
	for _, definition := range []string{
		threeStates, taskFlow, nested, taskMachine(`"TimeoutSecondsPath": "$.t", "End": true`),
		pass(`"Parameters": {"a.$": "States.Format('{}', $.x)", "b": [{"c.$": "$$.State"}]}, "ResultPath": "$.r[0]"`),
		`{"StartAt": "A", "States": {"A": {"Type": "Map", "ItemBatcher": {"MaxItemsPerBatch": 2}, "Iterator": {"StartAt": "B", "States": {"B": {"Type": "Fail"}}}, "ToleratedFailurePercentage": 50, "End": true}}}`,
		`{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Not": {"Variable": "$..a", "StringMatches": "*x*"}, "Next": "A"}], "Default": "B"}, "B": {"Type": "Succeed"}}}`,
		`{"QueryLanguage": "JSONata"}`, `[]`, `{`,
	} {
		f.Add(definition, `{"items": [1, 2], "x": {"a": null}, "taskId": "t"}`)
		f.Add(definition, `[{"a": "xx"}, 2, 3]`)
	}
	f.Fuzz(func(t *testing.T, definition, input string) {
		m, err := Parse([]byte(definition))
		if err != nil {
			if len(err.(*InvalidError).Problems) == 0 {
				t.Error("refused without a problem")
			}
			return
		}
		m.Tasks()
		x := m.NewExecution()
		journal := []Event{{Kind: Start, Time: epoch, Start: &StartInput{Input: json.RawMessage(input)}}}
		var history []HistoryEvent
		for i := 0; i < len(journal) && i < 30; i++ {
			_, events, err := x.Step(journal[i])
			if err != nil {
				if i == 0 {
					return // the input isn't JSON
				}
				t.Fatal(err)
			}
			history = append(history, events...)
			if x.Status() != Running {
				break
			}
			pending := x.Pending()
			if len(pending) == 0 {
				t.Fatal("runs and waits for nothing")
			}
			journal = append(journal, answerFor(pending[i%len(pending)], i))
		}
		replayed := m.NewExecution()
		var again []HistoryEvent
		for _, e := range journal[:min(len(journal), 30)] {
			_, events, _ := replayed.Step(e)
			again = append(again, events...)
		}
		if len(history) < 1000 && marshalHistory(t, history) != marshalHistory(t, again) {
			t.Error("the replayed history differs")
		}
	})
}

func answerFor(c Command, i int) Event {
	e := Event{Time: epoch.Add(time.Duration(i) * time.Second)}
	switch c := c.(type) {
	case SetTimer:
		e.Kind, e.Ref = TimerFired, c.Ref
	case InvokeTask:
		e.Ref = c.Ref
		switch i % 3 {
		case 0:
			e.Kind, e.Error = TaskFailed, "E"
		case 1:
			e.Kind, e.Output = TaskSucceeded, json.RawMessage(`{"Payload": [1]}`)
		default:
			e.Kind = TaskTimedOut
		}
	}
	return e
}
