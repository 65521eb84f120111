// Command bootstrap is the Lambda function that looks after tasks that got stuck.
package main

import (
	"log"
	"os"

	"tasks/functions/reconcile"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/cwmetrics"
	"tasks/internal/dynamotable"
	"tasks/internal/sfnexecutions"
	"tasks/internal/sqsqueue"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	sdk := env.SDK()
	handler := reconcile.Handler{
		Store:           dynamotable.New(sdk, env.Required("TABLE_NAME")),
		Queue:           sqsqueue.NewQueue(sdk, env.Required("TASK_QUEUE_URL")),
		DeadLetterQueue: sqsqueue.NewDeadLetterQueue(sdk, env.Required("DEAD_LETTER_QUEUE_URL")),
		Executions:      sfnexecutions.New(sdk, env.Required("STATE_MACHINE_ARN"), sfnexecutions.WorkflowType(env.Required("WORKFLOW_TYPE"))),
		Metrics:         cwmetrics.New(sdk, env.Required("METRIC_NAMESPACE")),
		Log:             awslambda.NewLogger(),
	}
	env.Check(log.Fatal)
	awslambda.Start(handler.Handle)
}
