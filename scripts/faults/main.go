// Command faults is what scripts/e2e-aws injects faults with.
//
//	faults proxy      stands between the functions and AWS, loses and repeats
//	                  requests and answers, throttles, and kills functions
//	faults reconcile  does once what the reconcile function does, 13 hours later
//
// Which requests are hit depends on the seed and on the order in which they come,
// which no seed decides.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"tasks/functions/reconcile"
	"tasks/internal/awsconfig"
	"tasks/internal/cwmetrics"
	"tasks/internal/dynamotable"
	"tasks/internal/sfnexecutions"
	"tasks/internal/sqsqueue"
	"tasks/internal/task"
)

func main() {
	log.SetFlags(0)
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "proxy":
		err = runProxy(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "reconcile":
		err = runReconcile()
	default:
		err = fmt.Errorf("usage: faults proxy|reconcile")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// early is a store of which a task is due that will be in time.
type early struct{ task.Store }

func (s early) Due(ctx context.Context, now task.Time, limit int) ([]task.Task, error) {
	return s.Store.Due(ctx, now.Plus(task.MaxCheckAfter+time.Hour), limit)
}

// runReconcile runs the function's handler with the function's environment.
func runReconcile() error {
	env := awsconfig.NewEnvironment(os.Getenv)
	sdk := env.SDK()
	handler := reconcile.Handler{
		Store:           early{dynamotable.New(sdk, env.Required("TABLE_NAME"))},
		Queue:           sqsqueue.NewQueue(sdk, env.Required("TASK_QUEUE_URL")),
		DeadLetterQueue: sqsqueue.NewDeadLetterQueue(sdk, env.Required("DEAD_LETTER_QUEUE_URL")),
		Executions:      sfnexecutions.New(sdk, env.Required("STATE_MACHINE_ARN"), sfnexecutions.Standard),
		Metrics:         cwmetrics.New(sdk, "Tasks/early"),
		Log:             slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if err := env.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	out, err := handler.Handle(ctx, reconcile.Input{})
	fmt.Printf("looked at %d, acted on %d, failed with %d\n", out.Looked, out.Acted, out.Failed)
	return err
}
