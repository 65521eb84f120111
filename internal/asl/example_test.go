package asl_test

import (
	"encoding/json"
	"fmt"
	"time"

	"tasks/internal/asl"
)

// A host in a few lines: it answers the task itself and lets time jump to the
// next timer.
func Example() {
	machine, err := asl.Parse([]byte(`{
		"StartAt": "Greet",
		"States": {
			"Greet": {
				"Type": "Task",
				"Resource": "arn:aws:lambda:eu-central-1:123456789012:function:greet",
				"Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2}],
				"ResultPath": "$.greeting",
				"End": true
			}
		}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	calls := 0
	execution := machine.NewExecution()
	events := []asl.Event{{Kind: asl.Start, Start: &asl.StartInput{Name: "one", Input: json.RawMessage(`{"name": "Ada"}`)}}}
	for len(events) > 0 {
		event := events[0]
		event.Time = now
		commands, _, err := execution.Step(event)
		if err != nil {
			fmt.Println(err)
			return
		}
		events = events[1:]
		for _, command := range commands {
			switch c := command.(type) {
			case asl.InvokeTask:
				calls++
				fmt.Printf("%s %s gets %s\n", now.Format(time.TimeOnly), c.State, c.Payload)
				answer := asl.Event{Kind: asl.TaskFailed, Ref: c.Ref, Error: "Busy"}
				if calls > 1 {
					answer = asl.Event{Kind: asl.TaskSucceeded, Ref: c.Ref, Output: json.RawMessage(`"Hello Ada"`)}
				}
				events = append(events, answer)
			case asl.SetTimer:
				now = c.At
				events = append(events, asl.Event{Kind: asl.TimerFired, Ref: c.Ref})
			case asl.Finish:
				fmt.Printf("%s %s with %s\n", now.Format(time.TimeOnly), c.Status, c.Output)
			}
		}
	}
	// Output:
	// 12:00:00 Greet gets {"name":"Ada"}
	// 12:00:02 Greet gets {"name":"Ada"}
	// 12:00:02 SUCCEEDED with {"name":"Ada","greeting":"Hello Ada"}
}
