// Package tasks holds the files that both hosts read: the template and the
// state machine. They are part of the binary, so that it runs alone.
package tasks

import (
	"embed"
	"encoding/json"
	"fmt"

	"tasks/internal/task"
)

// Files are template.yaml and the state machine that it names.
//
//go:embed template.yaml statemachine
var Files embed.FS

// Retries returns how the workflow retries a task: what it tells each attempt, which a
// test compares with its retrier.
func Retries() task.RetryPolicy {
	var machine struct {
		States struct {
			Process struct {
				Parameters struct {
					Payload struct{ Retry task.RetryPolicy }
				}
			}
		}
	}
	definition, err := Files.ReadFile("statemachine/task.asl.json")
	if err == nil {
		err = json.Unmarshal(definition, &machine)
	}
	if err != nil {
		panic(fmt.Sprintf("statemachine/task.asl.json: %v", err)) // it is part of the binary, and tested
	}
	return machine.States.Process.Parameters.Payload.Retry
}
