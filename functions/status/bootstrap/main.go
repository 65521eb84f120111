// Command bootstrap is the Lambda function that shows tasks.
package main

import (
	"log"
	"os"

	"tasks/functions/status"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/dynamotable"
	"tasks/internal/sfnexecutions"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	sdk := env.SDK()
	handler := status.Handler{
		Store:      dynamotable.New(sdk, env.Required("TABLE_NAME")),
		Executions: sfnexecutions.New(sdk, env.Required("STATE_MACHINE_ARN"), sfnexecutions.WorkflowType(env.Required("WORKFLOW_TYPE"))),
		Log:        awslambda.NewLogger(),
	}
	env.Check(log.Fatal)
	awslambda.Start(handler.Handle)
}
