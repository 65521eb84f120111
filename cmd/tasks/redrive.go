package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

func newRedriveCommand(c *cli) *cobra.Command {
	var (
		all, dryRun bool
		rate        int
		filter      filterFlags
	)
	cmd := &cobra.Command{
		Use:   "redrive [ID...]",
		Short: "Move tasks from the DLQ back to the queue",
		Long: `Move tasks from the DLQ back to the queue. Each begins a new run, with all of
its retries.

With --all, those that the other flags select, newest first, at most --rate a
second. One that ends in the DLQ again meanwhile is not moved again. With --dry-run,
print which ones these are, and change nothing. With --json, print an object for
each, one a line.`,
		Example: `  tasks redrive 01939a3e-7c00-7000-8000-000000000001
  tasks redrive --all --error-type Timeout --created-after 24h --dry-run
  tasks redrive --all --label team=billing --rate 10`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := filter.filter(time.Now())
			switch {
			case err != nil:
				return err
			case all == (len(args) > 0):
				return usagef("name the tasks, or say --all")
			case !all && (dryRun || f != (client.Filter{}) || cmd.Flags().Changed("rate")):
				return usagef("--dry-run, --rate and what selects tasks go with --all")
			case rate < 1:
				return usagef("--rate %d: want 1 or more", rate)
			}
			var ids []task.ID
			for _, arg := range args {
				id, err := taskID(arg)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			cl, err := c.client(cmd.Context(), 1)
			if err != nil {
				return err
			}
			if all {
				return c.redriveAll(cmd.Context(), cl, client.RedriveOrder{Filter: f, DryRun: dryRun}, rate)
			}
			for _, id := range ids {
				if err := c.redrive(cmd.Context(), cl, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&all, "all", false, "all tasks in the DLQ that the other flags select")
	flags.BoolVar(&dryRun, "dry-run", false, "change nothing, and print which tasks would be moved")
	flags.IntVar(&rate, "rate", 100, "how many tasks a second at most")
	filter.add(cmd)
	return cmd
}

func (c *cli) redrive(ctx context.Context, cl *client.Client, id task.ID) error {
	accepted, err := insistently(ctx, func() (api.Accepted, error) { return cl.Redrive(ctx, id) }, c.tellPutOff)
	if err != nil {
		return mayHaveHappened(err, "redriven")
	}
	if c.json {
		return c.out.json(accepted)
	}
	c.out.printf("%s is %s again, run %d\n", id, c.out.paint(accepted.Status, string(accepted.Status)), accepted.Run)
	return nil
}

// redriveAll carries an order out, by requests of which each goes on where the last
// has ended, and tells how many tasks it has moved.
func (c *cli) redriveAll(ctx context.Context, cl *client.Client, o client.RedriveOrder, rate int) error {
	o.Limit = min(rate, task.MaxBatch)
	if !o.DryRun {
		// The time of the order is the server's, and known before anything is changed: a
		// request without an answer can then be sent again.
		first := o
		first.DryRun, first.Limit = true, 1
		now, err := patiently(ctx, func() (api.Redriven, error) { return cl.RedriveAll(ctx, first) })
		if err != nil {
			return err
		}
		o.DiedBefore = now.DiedBefore
	}
	bar := c.progressBar(-1, "redriving", inTasks...)
	moved, err := c.redrivePages(ctx, cl, o, rate, func(n int) { _ = bar.Add(n) })
	_ = bar.Clear()
	switch {
	case err != nil:
		return fmt.Errorf("%w; %s before that", err, plural(moved, "task was moved", "tasks were moved"))
	case c.json:
	case o.DryRun:
		c.out.printf("%s would be moved\n", plural(moved, "task", "tasks"))
	default:
		c.out.printf("%s moved\n", plural(moved, "task", "tasks"))
	}
	return nil
}

// redrivePages carries an order out and returns how many tasks it has moved.
func (c *cli) redrivePages(ctx context.Context, cl *client.Client, o client.RedriveOrder, rate int, done func(n int)) (moved int, err error) {
	for {
		began := time.Now()
		page, err := untilAnswered(ctx, func() (api.Redriven, error) { return cl.RedriveAll(ctx, o) }, c.tellPutOff)
		if err != nil {
			return moved, mayHaveHappened(err, "redriven")
		}
		for _, m := range page.Tasks {
			if err := c.tellRedriven(m, o.DryRun); err != nil {
				return moved, err
			}
		}
		moved += len(page.Tasks)
		done(len(page.Tasks))
		if o.Token, o.DiedBefore = page.NextToken, page.DiedBefore; o.Token == "" {
			return moved, nil
		}
		wait := time.Duration(len(page.Tasks))*time.Second/time.Duration(rate) - time.Since(began)
		if !o.DryRun && pause(ctx, wait) != nil {
			return moved, errors.New("interrupted")
		}
	}
}

// tellRedriven prints a task of an order, for people only if that is all it is for.
func (c *cli) tellRedriven(m task.Message, dryRun bool) error {
	switch {
	case c.json:
		return c.out.json(m)
	case dryRun:
		c.out.printf("%s run %d\n", printable(string(m.TaskID)), m.Run)
	}
	return nil
}

// mayHaveHappened adds to the error of a request that changes something, if it
// got no answer, what may have been done to the task all the same.
func mayHaveHappened(err error, done string) error {
	if _, ok := errors.AsType[*client.NoAnswerError](err); ok {
		return fmt.Errorf("%w; the task may have been %s", err, done)
	}
	return err
}
