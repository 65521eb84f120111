package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tasks/internal/api"
	"tasks/internal/task"
)

func newGetCommand(c *cli) *cobra.Command {
	var history bool
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show a task with its attempts",
		Long: `Show a task with its attempts, or with --history the events of its current
run, as Step Functions would tell them. Times are UTC.`,
		Example: `  tasks get 01939a3e-7c00-7000-8000-000000000001
  tasks get --history 01939a3e-7c00-7000-8000-000000000001
  tasks get --json 01939a3e-7c00-7000-8000-000000000001 | jq .attempts`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := taskID(args[0])
			if err != nil {
				return err
			}
			cl, err := c.client(cmd.Context(), 1)
			if err != nil {
				return err
			}
			if history {
				h, err := cl.History(cmd.Context(), id)
				if err != nil {
					return err
				}
				return c.printHistory(h)
			}
			t, err := cl.Get(cmd.Context(), id)
			if err != nil {
				return err
			}
			return c.printTask(t)
		},
	}
	cmd.Flags().BoolVar(&history, "history", false, "show the events of the task's execution")
	return cmd
}

// taskID returns the id that an argument is.
func taskID(arg string) (task.ID, error) {
	id, err := task.ParseID(arg)
	if err != nil {
		return "", usageError{err}
	}
	return id, nil
}

func (c *cli) printTask(t api.Detail) error {
	if c.json {
		return c.out.json(t)
	}
	field := func(name, value string) {
		if value != "" {
			c.out.printf("%-10s %s\n", name, value)
		}
	}
	field("Task", printable(string(t.TaskID)))
	field("Status", c.out.paint(t.Status, string(t.Status)))
	field("Answer", printable(t.Answer))
	field("Labels", printable(labelsOf(t.Labels)))
	field("Error", printable(reason(t.ErrorType, t.ErrorMessage)))
	field("Run", strconv.Itoa(t.Run))
	field("Retries", strconv.Itoa(t.Retries))
	field("Created", moment(t.CreatedAt))
	field("Updated", moment(t.UpdatedAt))
	if !t.NextAttemptAt.IsZero() {
		field("Due", moment(t.NextAttemptAt)+", the next attempt")
	}
	field("Execution", printable(t.ExecutionID))
	if len(t.Attempts) == 0 {
		return nil
	}
	c.out.printf("\n")
	attempts := newTable(c.out, column{"RUN", 3}, column{"ATTEMPT", 7}, column{"STARTED", 23}, column{"TOOK", 8}, column{"OUTCOME", 100})
	for _, a := range t.Attempts {
		attempts.row(strconv.Itoa(a.Run), strconv.Itoa(a.Number), moment(a.StartedAt), duration(a), outcome(a))
	}
	return nil
}

// labelsOf returns labels as the flags have them.
func labelsOf(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+labels[name])
	}
	return strings.Join(all, " ")
}

func duration(a api.Attempt) string {
	if a.FinishedAt.IsZero() {
		return "-"
	}
	return took(a.FinishedAt.Sub(a.StartedAt.Time))
}

func outcome(a api.Attempt) string {
	switch {
	case a.FinishedAt.IsZero():
		return "running"
	case a.ErrorType == "":
		return "succeeded"
	case a.NotCounted:
		return "(uses up no retry) " + reason(a.ErrorType, a.ErrorMessage)
	}
	return reason(a.ErrorType, a.ErrorMessage)
}

func (c *cli) printHistory(h api.History) error {
	if c.json {
		return c.out.json(h)
	}
	events := newTable(c.out, column{"ID", 5}, column{"TIME", 23}, column{"EVENT", 24}, column{"DETAILS", 100})
	for _, raw := range h.Events {
		var e struct {
			ID        int
			Timestamp task.Time
			Type      string
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		events.row(strconv.Itoa(e.ID), moment(e.Timestamp), e.Type, eventDetails(raw))
	}
	if h.Source == "attempts" {
		c.errOut.printf("The execution has no history of its own (not started, expired, or EXPRESS): these are the attempts in the task's record.\n")
	}
	if h.Truncated {
		c.errOut.printf("Later events were left out: the history is too long for one answer.\n")
	}
	return nil
}

// eventDetails returns what an event tells besides its type: the state that it
// is about, and the error.
func eventDetails(event json.RawMessage) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event, &members); err != nil {
		return ""
	}
	for name, value := range members {
		if !strings.HasSuffix(name, "EventDetails") {
			continue
		}
		var d struct{ Name, Error, Cause string }
		if err := json.Unmarshal(value, &d); err != nil {
			return ""
		}
		return strings.TrimSpace(d.Name + " " + reason(d.Error, d.Cause))
	}
	return ""
}
