package tasktest

import (
	"encoding/json"

	"tasks/internal/task"
)

// Retries are how tasks are retried in the tests: in the suites, and wherever a test
// counts attempts or waits but is not about the workflow that is compiled in, of which
// tasks.Retries tells.
var Retries = task.RetryPolicy{MaxAttempts: 2, IntervalSeconds: 2, BackoffRate: 2, MaxDelaySeconds: 900}

// RetryBy returns the definition of a workflow with another policy in its state Process,
// in both places.
func RetryBy(definition string, p task.RetryPolicy) (string, error) {
	var machine map[string]any
	if err := json.Unmarshal([]byte(definition), &machine); err != nil {
		return "", err
	}
	process := machine["States"].(map[string]any)["Process"].(map[string]any)
	process["Parameters"].(map[string]any)["Payload"].(map[string]any)["retry"] = p
	retriers := process["Retry"].([]any)
	retriers[len(retriers)-1] = map[string]any{
		"ErrorEquals": []string{"States.ALL"}, "MaxAttempts": p.MaxAttempts,
		"IntervalSeconds": p.IntervalSeconds, "BackoffRate": p.BackoffRate, "MaxDelaySeconds": p.MaxDelaySeconds,
	}
	changed, err := json.Marshal(machine)
	return string(changed), err
}
