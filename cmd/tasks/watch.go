package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

func newWatchCommand(c *cli) *cobra.Command {
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "watch [ID]",
		Short: "Watch the tasks, or one task until it is final",
		Long: `Watch how many tasks there are of each status, and every one of the newest 100
that changes. Ctrl-C ends it. What changes twice between two looks is shown once.

With an ID, watch that task until it is final. The exit code is then 0 if it
was processed and 3 if it ended in the DLQ.

Times are UTC. With --json, print every task that changed, one a line.`,
		Example: `  tasks watch
  tasks watch --interval 200ms
  tasks watch 01939a3e-7c00-7000-8000-000000000001`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval <= 0 {
				return usagef("--interval %v: want more than 0", interval)
			}
			var id task.ID
			if len(args) == 1 {
				var err error
				if id, err = taskID(args[0]); err != nil {
					return err
				}
			}
			cl, err := c.client(cmd.Context(), 1)
			if err != nil {
				return err
			}
			if id != "" {
				return c.watchTask(cmd.Context(), cl, id, interval)
			}
			return c.watchNewest(cmd.Context(), cl, interval)
		},
	}
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "time between two looks")
	return cmd
}

func (c *cli) watchTask(ctx context.Context, cl *client.Client, id task.ID, interval time.Duration) error {
	var show func(api.Summary) error
	tell := func(t api.Detail) error {
		if c.json {
			return c.out.json(t)
		}
		if show == nil {
			show = c.changePrinter()
		}
		return show(t.Summary)
	}
	t, err := follow(ctx, cl, id, interval, interval, func(t api.Detail) error {
		if err := tell(t); err != nil {
			return err
		}
		return c.out.failed()
	})
	switch {
	case err != nil:
		return err
	case t.Status == task.DLQ:
		return errDLQ
	}
	return nil
}

func (c *cli) watchNewest(ctx context.Context, cl *client.Client, interval time.Duration) error {
	type look struct {
		tasks []api.Summary
		stats api.Stats
	}
	at := func() (now look, err error) {
		if !c.json {
			if now.stats, err = cl.Stats(ctx); err != nil {
				return now, err
			}
		}
		page, err := cl.List(ctx, client.ListQuery{Limit: task.MaxPageTasks})
		now.tasks = page.Tasks
		return now, err
	}
	// Without a server there is nothing to watch; one that goes away later may
	// come back.
	now, err := at()
	if err != nil {
		return err
	}
	show := c.changePrinter()
	counts := countsLine{out: c.out}
	defer counts.end()
	for {
		if !c.json {
			counts.show(now.stats)
		}
		if err := c.out.failed(); err != nil {
			return err // or it would go on for nobody
		}
		if pause(ctx, interval) != nil {
			return nil // that is how one leaves
		}
		known := now.tasks
		if now, err = patiently(ctx, at); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, t := range changed(known, now.tasks) {
			counts.hide()
			if err := show(t); err != nil {
				return err
			}
		}
	}
}

// changed returns the tasks that are not among the known ones or differ from
// them, oldest first.
func changed(known, now []api.Summary) []api.Summary {
	before := make(map[task.ID]api.Summary, len(known))
	for _, t := range known {
		before[t.TaskID] = t
	}
	var tasks []api.Summary
	for _, t := range slices.Backward(now) {
		old, known := before[t.TaskID]
		if !known || old.Status != t.Status || old.Retries != t.Retries || old.UpdatedAt != t.UpdatedAt {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// changePrinter returns what prints tasks that have changed.
func (c *cli) changePrinter() func(api.Summary) error {
	if c.json {
		return func(t api.Summary) error { return c.out.json(t) }
	}
	tasks := newTable(c.out, column{"CHANGED", 23}, column{"TASK", 36}, column{"STATUS", 10}, column{"RETRIES", 7}, column{"ERROR", 60})
	return func(t api.Summary) error {
		tasks.row(moment(t.UpdatedAt), string(t.TaskID), string(t.Status), strconv.Itoa(t.Retries), t.ErrorMessage)
		return nil
	}
}

// countsLine is the line below the tasks that have changed. On a terminal it
// stays at the bottom; elsewhere it is printed when it changes.
type countsLine struct {
	out   *output
	text  string
	shown bool // on a terminal, below the tasks
}

func (l *countsLine) show(stats api.Stats) {
	counts := make([]string, len(task.Statuses))
	for i, status := range task.Statuses {
		counts[i] = l.out.paint(status, fmt.Sprintf("%d %s", stats.Counts[status], status))
	}
	text := strings.Join(counts, "  ")
	switch {
	case l.out.terminal:
		l.hide()
		l.out.printf("%s", text)
		l.shown = true
	case text != l.text:
		l.out.printf("%s\n", text)
	}
	l.text = text
}

// hide clears the line for another.
func (l *countsLine) hide() {
	if l.shown {
		l.out.printf("\r\x1b[K")
		l.shown = false
	}
}

// end leaves the line where it is and begins the next.
func (l *countsLine) end() {
	if l.shown {
		l.out.printf("\n")
	}
}
