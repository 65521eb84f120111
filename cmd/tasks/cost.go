package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tasks "tasks"
	"tasks/internal/client"
	"tasks/internal/cost"
	"tasks/internal/task"
)

// million is how many tasks are priced.
const million = 1e6

// costOptions are the flags of cost.
type costOptions struct {
	failureRate           float64
	worker                time.Duration
	answerBytes, memoryMB int
	batch, measured       int
}

func (o costOptions) check() error {
	switch {
	case !(o.failureRate >= 0 && o.failureRate <= 1):
		return usagef("--failure-rate %v: want 0 to 1", o.failureRate)
	case o.worker < 0 || o.worker > task.MaxInvocation:
		return usagef("--worker %v: want 0s to %v", o.worker, task.MaxInvocation)
	case o.answerBytes < 1 || o.answerBytes > task.MaxAnswerBytes:
		return usagef("--answer-bytes %d: want 1 to %d", o.answerBytes, task.MaxAnswerBytes)
	case o.memoryMB < 128 || o.memoryMB > 10240:
		return usagef("--memory %d: want 128 to 10240, in MB", o.memoryMB)
	case o.batch < 1 || o.batch > 10:
		return usagef("--batch %d: want 1 to 10", o.batch)
	case o.measured < 0:
		return usagef("--measured %d: want 0 or more", o.measured)
	}
	return nil
}

func newCostCommand(c *cli) *cobra.Command {
	var o costOptions
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Count and price what a million tasks would use on AWS",
		Long: `Count what a million tasks would use on AWS, as STANDARD and as EXPRESS workflows,
and price it, from a table of prices with its date. The tasks are as the flags say;
with --measured N, as the newest N final tasks of a server were: how often each was
tried, how long the worker took, how long its answer is. With a --batch of less than
10 the changes of so many tasks are counted at once, with 10 a thousand changes.

Not in it: what clients read, storage, what is billed while nothing happens, the
removal of tasks, cold starts, traces, and idempotency keys.`,
		Example: `  tasks cost --failure-rate 0.1 --worker 250ms
  tasks cost --measured 1000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			lives, shares := cost.Failing(o.failureRate, tasks.Retries(), o.answerBytes, o.worker)
			if o.measured > 0 {
				cl, err := c.client(cmd.Context(), 8)
				if err == nil {
					lives, shares, err = measuredLives(cmd.Context(), cl, o.measured)
				}
				if err != nil {
					return err
				}
			}
			return c.cost(lives, shares, o)
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&o.failureRate, "failure-rate", 0.3, "share of attempts that fail")
	flags.DurationVar(&o.worker, "worker", 100*time.Millisecond, "how long an attempt takes the worker")
	flags.IntVar(&o.answerBytes, "answer-bytes", 300, "length of each answer")
	flags.IntVar(&o.memoryMB, "memory", 128, "memory of the functions but count, in `MB`")
	flags.IntVar(&o.batch, "batch", 10, "messages that the poller and the monitor get at once: 10 under load, 1 when they come one by one")
	flags.IntVar(&o.measured, "measured", 0, "take the newest `N` final tasks of a server instead")
	return cmd
}

// measuredLives returns what happened to a server's newest final tasks.
func measuredLives(ctx context.Context, cl *client.Client, n int) (lives []cost.Life, shares []float64, err error) {
	q := client.ListQuery{Limit: 100}
	for len(lives) < n {
		page, err := cl.List(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		for _, t := range page.Tasks {
			if t.Status.Open() || len(lives) == n {
				continue
			}
			detail, err := cl.Get(ctx, t.TaskID)
			if err != nil {
				return nil, nil, err
			}
			l := cost.Life{AnswerBytes: len(detail.Answer), Dead: detail.Status == task.DLQ}
			for i, a := range detail.Attempts {
				if a.Run != detail.Run {
					continue // its last run
				}
				if len(l.Attempts) > 0 {
					l.Waited += max(0, a.StartedAt.Sub(detail.Attempts[i-1].FinishedAt.Time))
				}
				worked := time.Duration(0)
				if a.DurationMillis != nil {
					worked = time.Duration(*a.DurationMillis) * time.Millisecond
				}
				l.Attempts = append(l.Attempts, worked)
			}
			lives = append(lives, l)
		}
		if page.NextToken == "" {
			break
		}
		q.Token = page.NextToken
	}
	if len(lives) == 0 {
		return nil, nil, fmt.Errorf("there is no final task to measure: submit some, or leave out --measured")
	}
	for range lives {
		shares = append(shares, 1/float64(len(lives)))
	}
	return lives, shares, nil
}

// priced is a row of the bill, for a million tasks.
type priced struct {
	Item     string  `json:"item"`
	Price    float64 `json:"price"`
	Standard float64 `json:"standard"`
	Express  float64 `json:"express"`
}

func (c *cli) cost(lives []cost.Life, shares []float64, o costOptions) error {
	standard, express := cost.Usage{}, cost.Usage{}
	for i, l := range lives {
		standard.Add(cost.Of(l, cost.Setup{MemoryMB: o.memoryMB, Batch: o.batch}), million*shares[i])
		express.Add(cost.Of(l, cost.Setup{Express: true, MemoryMB: o.memoryMB, Batch: o.batch}), million*shares[i])
	}
	list := cost.List()
	if c.json {
		out := struct {
			Region         string   `json:"region"`
			PricesAsOf     string   `json:"pricesAsOf"`
			Items          []priced `json:"items"`
			DollarStandard float64  `json:"dollarsStandard"`
			DollarExpress  float64  `json:"dollarsExpress"`
		}{list.Region, list.AsOf, nil, list.Of(standard), list.Of(express)}
		for _, item := range cost.Items {
			out.Items = append(out.Items, priced{item, list.Prices[item], standard[item], express[item]})
		}
		return c.out.json(out)
	}
	bill := newTable(c.out, column{"A MILLION TASKS", 19}, column{"STANDARD", 11}, column{"$", 6}, column{"EXPRESS", 11}, column{"$", 6})
	for _, item := range cost.Items {
		bill.row(item, quantity(standard[item]), dollars(standard[item]*list.Prices[item]), quantity(express[item]), dollars(express[item]*list.Prices[item]))
	}
	bill.row("in all", "", dollars(list.Of(standard)), "", dollars(list.Of(express)))
	c.out.printf("\nPrices of %s as of %s, in US dollars, without free tiers.\n", list.Region, list.AsOf)
	return nil
}

func dollars(d float64) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatFloat(d, 'f', 2, 64)
}

// quantity returns a number with a comma for each thousand, or with two decimals if
// it is small.
func quantity(q float64) string {
	switch {
	case q == 0:
		return ""
	case q < 100:
		return strconv.FormatFloat(q, 'f', 2, 64)
	}
	digits := strconv.FormatFloat(q, 'f', 0, 64)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}
