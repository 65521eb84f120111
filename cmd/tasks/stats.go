package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"tasks/internal/task"
)

func newStatsCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "stats",
		Short: "Count the tasks by status",
		Long: `Count the tasks by status. On AWS the counts follow the tasks by some seconds;
the last line says as of when.`,
		Example: `  tasks stats
  tasks stats --json | jq .counts.DLQ`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client(cmd.Context(), 1)
			if err != nil {
				return err
			}
			stats, err := cl.Stats(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return c.out.json(stats)
			}
			counts := newTable(c.out, column{"STATUS", 10}, column{"TASKS", 20})
			for _, status := range task.Statuses {
				counts.row(string(status), strconv.Itoa(stats.Counts[status]))
			}
			c.out.printf("\nAs of %s UTC\n", moment(stats.AsOf))
			return nil
		},
	}
}
