// Command bootstrap is the Lambda function that starts the executions of queued tasks.
package main

import (
	"log"
	"os"

	"tasks/functions/poller"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/cwmetrics"
	"tasks/internal/sfnexecutions"
	"tasks/internal/sqsqueue"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	sdk := env.SDK()
	handler := poller.Handler{
		// Start is the same for both types, and nothing else is called.
		Executions:      sfnexecutions.New(sdk, env.Required("STATE_MACHINE_ARN"), sfnexecutions.Standard),
		DeadLetterQueue: sqsqueue.NewDeadLetterQueue(sdk, env.Required("DEAD_LETTER_QUEUE_URL")),
		Metrics:         cwmetrics.New(sdk, env.Required("METRIC_NAMESPACE")),
		Log:             awslambda.NewLogger(),
	}
	env.Check(log.Fatal)
	awslambda.Start(handler.Handle)
}
