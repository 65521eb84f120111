package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

func newListCommand(c *cli) *cobra.Command {
	var (
		filter filterFlags
		status string
		limit  int
		all    bool
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tasks, newest first",
		Long: `List tasks, newest first. Times are UTC.

With --json, print one object a line.`,
		Example: `  tasks list
  tasks list --status DLQ --all
  tasks list --label team=billing --created-after 2h
  tasks list --json --limit 1000 | jq -r .taskId`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := client.ListQuery{Status: task.Status(strings.ToUpper(status))}
			if status != "" && !q.Status.Valid() {
				return usagef("there is no status %q: want one of %v", status, task.Statuses)
			}
			if limit < 1 {
				return usagef("--limit %d: want 1 or more", limit)
			}
			if all {
				if cmd.Flags().Changed("limit") {
					return usagef("--all and --limit exclude each other")
				}
				limit = 0
			}
			var err error
			if q.Filter, err = filter.filter(time.Now()); err != nil {
				return err
			}
			cl, err := c.client(cmd.Context(), 1)
			if err != nil {
				return err
			}
			return c.list(cmd.Context(), cl, q, limit)
		},
	}
	filter.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&status, "status", "", "only tasks of this status: "+strings.Join(statusNames(), ", "))
	flags.IntVar(&limit, "limit", 50, "how many tasks at most")
	flags.BoolVar(&all, "all", false, "all tasks, however many")
	statuses := cobra.FixedCompletions(statusNames(), cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("status", statuses); err != nil {
		panic(err) // there is no such flag
	}
	return cmd
}

func statusNames() []string {
	names := make([]string, len(task.Statuses))
	for i, s := range task.Statuses {
		names[i] = string(s)
	}
	return names
}

// list prints the tasks that q selects, at most limit unless that is 0.
func (c *cli) list(ctx context.Context, cl *client.Client, q client.ListQuery, limit int) error {
	var show func(api.Summary) error
	for left := limit; ; {
		q.Limit = task.MaxPageTasks
		if limit > 0 {
			q.Limit = min(left, task.MaxPageTasks)
		}
		page, err := cl.List(ctx, q)
		if err != nil {
			return err
		}
		if show == nil {
			show = c.taskPrinter() // now, so that an error stands alone
		}
		for _, t := range page.Tasks {
			if err := show(t); err != nil {
				return err
			}
		}
		left -= len(page.Tasks)
		if page.NextToken == "" {
			return nil
		}
		if limit > 0 && left <= 0 {
			c.errOut.printf("There may be more: see --limit and --all.\n")
			return nil
		}
		q.Token = page.NextToken
	}
}

// taskPrinter returns what prints the tasks of a listing.
func (c *cli) taskPrinter() func(api.Summary) error {
	if c.json {
		return func(t api.Summary) error { return c.out.json(t) }
	}
	tasks := newTable(c.out, column{"TASK", 36}, column{"STATUS", 10}, column{"RETRIES", 7}, column{"CREATED", 23}, column{"ANSWER", 24}, column{"ERROR", 60})
	return func(t api.Summary) error {
		tasks.row(string(t.TaskID), string(t.Status), strconv.Itoa(t.Retries), moment(t.CreatedAt), t.Answer, t.ErrorMessage)
		return nil
	}
}
