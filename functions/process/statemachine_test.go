package process

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"tasks/internal/task"
)

// TestTheStateMachineKnowsOurErrors compares the kinds that the state machine
// has to tell from others with the names in its ErrorEquals.
func TestTheStateMachineKnowsOurErrors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../statemachine/task.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var machine struct {
		States map[string]struct {
			Retry, Catch []struct{ ErrorEquals []string }
		}
	}
	if err := json.Unmarshal(b, &machine); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, state := range machine.States {
		for _, rule := range slices.Concat(state.Retry, state.Catch) {
			for _, name := range rule.ErrorEquals {
				if !strings.HasPrefix(name, "States.") && !strings.HasPrefix(name, "Lambda.") {
					got = append(got, name)
				}
			}
		}
	}
	slices.Sort(got)
	want := []string{string(task.PermanentError), string(task.Unavailable)}
	if !slices.Equal(got, want) {
		t.Errorf("ErrorEquals names %q, want %q", got, want)
	}
}
