// Command bootstrap is the Lambda function that counts tasks.
package main

import (
	"log"
	"os"

	"tasks/functions/count"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/dynamotable"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	handler := count.Handler{Counter: dynamotable.New(env.SDK(), env.Required("TABLE_NAME"))}
	env.Check(log.Fatal)
	awslambda.Start(handler.Handle)
}
