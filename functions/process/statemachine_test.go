package process

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"tasks/internal/task"
)

// TestTheStateMachineTellsItsRetries compares what each attempt is told of its
// retries with the retrier that makes them.
func TestTheStateMachineTellsItsRetries(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../statemachine/task.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var machine struct {
		States struct {
			Process struct {
				Parameters struct {
					Payload struct{ Retry task.RetryPolicy }
				}
				Retry []struct {
					ErrorEquals                                   []string
					MaxAttempts                                   int
					IntervalSeconds, BackoffRate, MaxDelaySeconds float64
				}
			}
		}
	}
	if err := json.Unmarshal(b, &machine); err != nil {
		t.Fatal(err)
	}
	process := machine.States.Process
	last := process.Retry[len(process.Retry)-1]
	if !slices.Equal(last.ErrorEquals, []string{"States.ALL"}) {
		t.Fatalf("the last retrier is for %q, want States.ALL", last.ErrorEquals)
	}
	want := task.RetryPolicy{MaxAttempts: last.MaxAttempts, IntervalSeconds: last.IntervalSeconds, BackoffRate: last.BackoffRate, MaxDelaySeconds: last.MaxDelaySeconds}
	if got := process.Parameters.Payload.Retry; got != want {
		t.Errorf("the payload's retry is %+v, want what the retrier says: %+v", got, want)
	}
}

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
