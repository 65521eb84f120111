// Command bootstrap is the Lambda function that marks dead-lettered tasks.
package main

import (
	"log"
	"os"

	"tasks/functions/monitor"
	"tasks/internal/awsconfig"
	"tasks/internal/awslambda"
	"tasks/internal/cwmetrics"
	"tasks/internal/dynamotable"
)

func main() {
	env := awsconfig.NewEnvironment(os.Getenv)
	sdk := env.SDK()
	cfg, err := monitor.LoadConfig(os.Getenv)
	handler := monitor.Handler{
		Store:     dynamotable.New(sdk, env.Required("TABLE_NAME")),
		Metrics:   cwmetrics.New(sdk, env.Required("METRIC_NAMESPACE")),
		Retention: cfg.Retention,
		Log:       awslambda.NewLogger(),
	}
	env.Check(log.Fatal, err)
	awslambda.Start(handler.Handle)
}
