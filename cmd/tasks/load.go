package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"tasks/internal/client"
	"tasks/internal/task"
)

// loadOptions are the flags of load.
type loadOptions struct {
	tasks, clients, answerBytes int
	timeout                     time.Duration
}

func (o loadOptions) check() error {
	switch {
	case o.tasks < 1:
		return usagef("--tasks %d: want 1 or more", o.tasks)
	case o.clients < 1:
		return usagef("--clients %d: want 1 or more", o.clients)
	case o.answerBytes < 1 || o.answerBytes > task.MaxAnswerBytes:
		return usagef("--answer-bytes %d: want 1 to %d", o.answerBytes, task.MaxAnswerBytes)
	case o.timeout <= 0:
		return usagef("--timeout %v: want more than 0", o.timeout)
	}
	return nil
}

func newLoadCommand(c *cli) *cobra.Command {
	var o loadOptions
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Submit many tasks, wait until all are final, and print what was measured",
		Long: `Submit tasks from many clients, each of which sends its next when the last is
answered. Wait until all are final, check that every accepted task is there and
ended PROCESSED or DLQ with a reason, and print counts, rates and latencies.

A request that the server puts off because it has too much to do (429, or 503
with Retry-After) is sent again when the server says, for 2 minutes at most. One
that is refused or fails otherwise is counted and not sent again. One that got no
answer may have been accepted; its task is not waited for.

The time from submit to final is the record's, from createdAt to updatedAt.
Tasks finished per second are counted from the first createdAt to the last
updatedAt. Ctrl-C prints what is known so far.

The exit code is 1 if an accepted task is lost, not final in time, or in the DLQ
without a reason, and if no task was accepted.`,
		Example: `  tasks load
  tasks load -n 100000 -c 64
  tasks load -n 500 --answer-bytes 10000 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			cl, err := c.client(cmd.Context(), o.clients)
			if err != nil {
				return err
			}
			return c.load(cmd.Context(), cl, o)
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&o.tasks, "tasks", "n", 1000, "how many tasks to submit")
	flags.IntVarP(&o.clients, "clients", "c", 32, "how many clients submit at once")
	flags.IntVar(&o.answerBytes, "answer-bytes", 32, "length of each answer")
	flags.DurationVar(&o.timeout, "timeout", 15*time.Minute, "how long to wait for the tasks, once all are submitted")
	return cmd
}

func (c *cli) load(ctx context.Context, cl *client.Client, o loadOptions) error {
	// One look before the load: without a server, or the right to use it,
	// there is nothing to measure.
	if _, err := cl.List(ctx, client.ListQuery{Limit: 1}); err != nil {
		return err
	}
	bar := c.progressBar(o.tasks, "submitting", inTasks...)
	s := submitAll(ctx, cl, o, func() { _ = bar.Add(1) })
	_ = bar.Clear()

	w := newWaiter(cl, s.accepted)
	err := context.Cause(ctx)
	if err == nil && len(s.accepted) > 0 {
		bar = c.progressBar(len(w.open), "finishing ", inTasks...)
		timed, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("timed out after %v", o.timeout))
		err = w.wait(timed, func(final int) { _ = bar.Set(final) })
		if timed.Err() != nil {
			err = context.Cause(timed)
		}
		cancel()
		_ = bar.Clear()
	}
	r := newReport(cl.URL(), o, s, w)
	if c.json {
		if err := c.out.json(r); err != nil {
			return err
		}
	} else {
		r.print(c.out)
	}
	return r.verdict(err)
}

// progressBar returns a progress bar that is seen on a terminal only. With n -1
// it doesn't know the end.
func (c *cli) progressBar(n int, what string, unit ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions(n, append([]progressbar.Option{
		progressbar.OptionSetWriter(c.errOut),
		progressbar.OptionSetVisibility(c.errOut.terminal),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionClearOnFinish(),
	}, unit...)...)
}

// inTasks and inBytes are units of a progress bar.
var (
	inTasks = []progressbar.Option{progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("tasks")}
	inBytes = []progressbar.Option{progressbar.OptionShowBytes(true)}
)

// verdict returns the error of a load that broke the promise or could not be
// measured to its end; stopped is why it ended early, if it did.
func (r *report) verdict(stopped error) error {
	var broken []string
	add := func(n int, what string) {
		if n > 0 {
			broken = append(broken, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(len(r.Lost), "lost")
	add(len(r.Unexplained), "in the DLQ without a reason")
	add(r.Duplicates, "accepted under the id of another")
	add(len(r.Open), "not known to be final")
	switch {
	case errors.Is(stopped, context.Canceled):
		stopped = errors.New("interrupted")
	case stopped == nil && r.Accepted == 0:
		stopped = errors.New("no task was accepted")
	}
	found := strings.Join(broken, ", ")
	switch {
	case stopped != nil && found != "":
		return fmt.Errorf("%w; of %d accepted tasks: %s", stopped, r.Accepted, found)
	case found != "":
		return fmt.Errorf("of %d accepted tasks: %s", r.Accepted, found)
	}
	return stopped
}
