package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tasks/internal/api"
	"tasks/internal/client"
)

func newRedriveCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "redrive ID",
		Short: "Move a task from the DLQ back to the queue",
		Long: `Move a task from the DLQ back to the queue. It begins a new run, with all of
its retries.`,
		Example: `  tasks redrive 01939a3e-7c00-7000-8000-000000000001
  tasks list --status DLQ --all --json | jq -r .taskId | xargs -n1 tasks redrive`,
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
			accepted, err := insistently(cmd.Context(), func() (api.Accepted, error) { return cl.Redrive(cmd.Context(), id) }, c.tellPutOff)
			if err != nil {
				return mayHaveHappened(err, "redriven")
			}
			if c.json {
				return c.out.json(accepted)
			}
			c.out.printf("%s is %s again, run %d\n", id, c.out.paint(accepted.Status, string(accepted.Status)), accepted.Run)
			return nil
		},
	}
}

// mayHaveHappened adds to the error of a request that changes something, if it
// got no answer, what may have been done to the task all the same.
func mayHaveHappened(err error, done string) error {
	if _, ok := errors.AsType[*client.NoAnswerError](err); ok {
		return fmt.Errorf("%w; the task may have been %s", err, done)
	}
	return err
}
