package host

import (
	"testing"
	"time"

	tasks "tasks"
	"tasks/internal/asl"
	"tasks/internal/samtemplate"
)

// Lambda must report a function's timeout before the state gives up on it, or
// the next attempt begins while the last one still runs. And an EXPRESS
// execution, which ends at 5 minutes, must hold all attempts and the waits
// between them.
func TestTemplateAndStateMachineAgree(t *testing.T) {
	t.Parallel()
	template, err := tasks.Files.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	system, err := samtemplate.Parse(template, nil)
	if err != nil {
		t.Fatal(err)
	}
	definition, err := definitionOf(system.StateMachine)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := asl.Parse(definition)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range machine.Tasks() {
		if s.State != "Process" {
			continue
		}
		if limit := system.Functions["ProcessFunction"].Timeout; limit >= s.Timeout {
			t.Errorf("the function's Timeout is %v and the state's TimeoutSeconds %v: want the first below the second", limit, s.Timeout)
		}
		retries := s.Retry[len(s.Retry)-1]
		all := s.Timeout * time.Duration(retries.MaxAttempts+1)
		for n := range retries.MaxAttempts {
			all += 2 * time.Second << n
		}
		if all >= 5*time.Minute {
			t.Errorf("%d attempts and the waits between them can take %v: an EXPRESS execution ends at 5 minutes", retries.MaxAttempts+1, all)
		}
		return
	}
	t.Error("the state machine has no state Process")
}
