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
// between them, if the template allows EXPRESS.
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
		retry := tasks.Retries()
		all := s.Timeout
		for n := range retry.MaxAttempts {
			all += retry.Wait(n+1) + s.Timeout
		}
		if _, err := samtemplate.Parse(template, map[string]string{"WorkflowType": "EXPRESS"}); err == nil && all >= 5*time.Minute {
			t.Errorf("%d attempts and the waits between them can take %v: an EXPRESS execution ends at 5 minutes. Take EXPRESS from the AllowedValues of WorkflowType in template.yaml", retry.MaxAttempts+1, all)
		}
		return
	}
	t.Error("the state machine has no state Process")
}
