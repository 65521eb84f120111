// Command bootstrap is the Lambda function that accepts tasks.
package main

import (
	"log"
	"os"

	"tasks/functions/submit"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/dynamotable"
	"tasks/internal/sqsqueue"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	sdk := env.SDK()
	handler := submit.Handler{
		Store: dynamotable.New(sdk, env.Required("TABLE_NAME")),
		Queue: sqsqueue.NewQueue(sdk, env.Required("TASK_QUEUE_URL")),
		Log:   awslambda.NewLogger(),
	}
	env.Check(log.Fatal)
	awslambda.Start(handler.Handle)
}
