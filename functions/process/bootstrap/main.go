// Command bootstrap is the Lambda function that runs the attempts of tasks.
package main

import (
	"log"
	"os"

	"tasks/functions/process"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/dynamotable"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	cfg, err := process.LoadConfig(os.Getenv)
	handler := process.Handler{
		Store:      dynamotable.New(env.SDK(), env.Required("TABLE_NAME")),
		Retention:  cfg.Retention,
		Log:        awslambda.NewLogger(),
		LeftBehind: func() { select {} }, // until Lambda ends the process
	}
	env.Check(log.Fatal, err)
	if handler.Worker, err = process.NewWorker(cfg); err != nil {
		log.Fatal(err)
	}
	awslambda.Start(handler.Handle)
}
