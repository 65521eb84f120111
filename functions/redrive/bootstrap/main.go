// Command bootstrap is the Lambda function that moves tasks back from the DLQ.
package main

import (
	"log"
	"os"

	"tasks/functions/redrive"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/dynamotable"
	"tasks/internal/sqsqueue"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	sdk := env.SDK()
	handler := redrive.Handler{
		Store: dynamotable.New(sdk, env.Required("TABLE_NAME")),
		Queue: sqsqueue.NewQueue(sdk, env.Required("TASK_QUEUE_URL")),
		Log:   awslambda.NewLogger(),
	}
	env.Check(log.Fatal)
	awslambda.Start(handler.Handle)
}
