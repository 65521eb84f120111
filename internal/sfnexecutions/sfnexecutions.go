// Package sfnexecutions runs the workflow executions in Step Functions.
package sfnexecutions

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"tasks/internal/task"
)

// WorkflowType is the type of the state machine.
type WorkflowType string

// The workflow types.
const (
	Standard WorkflowType = "STANDARD"
	// Express executions can't be asked for their status or history, and one
	// that is started twice runs twice.
	Express WorkflowType = "EXPRESS"
)

// maxWait is how long a start that was refused waits at most before it is tried
// again.
const maxWait = 5 * time.Second

// historyPage is how many events one GetExecutionHistory returns at most (API
// reference).
const historyPage = 1000

// Executions are task.Executions.
type Executions struct {
	client  *sfn.Client
	machine string // ARN
	express bool
	patient aws.Retryer
}

var _ task.Executions = (*Executions)(nil)

// New returns the executions of the state machine of that ARN and type.
func New(cfg aws.Config, machine string, workflow WorkflowType) *Executions {
	return &Executions{client: sfn.NewFromConfig(cfg), machine: machine, express: workflow == Express, patient: newPatientRetryer(cfg)}
}

// newPatientRetryer returns what StartExecution is tried with: until the
// context ends, and, when the service throttles, no faster than it takes them.
// Its quota of starts fills up again every second, and that of open executions as
// they end. What else is tried again is what the configuration says.
func newPatientRetryer(cfg aws.Config) aws.Retryer {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) {
			o.MaxAttempts = math.MaxInt32
			o.MaxBackoff = maxWait
			o.RateLimiter = ratelimit.None
			o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				if _, full := errors.AsType[*types.ExecutionLimitExceeded](err); full {
					return aws.TrueTernary
				}
				return aws.UnknownTernary
			}))
			if cfg.Retryer != nil {
				configured := cfg.Retryer()
				o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
					return aws.BoolTernary(configured.IsErrorRetryable(err))
				}))
			}
		})
	})
}

// Start implements task.Executions. It waits until ctx ends for a service that
// throttles.
func (x *Executions) Start(ctx context.Context, m task.Message) error {
	_, err := x.client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &x.machine,
		Name:            aws.String(m.ExecutionName()),
		Input:           aws.String(m.Body()),
	}, func(o *sfn.Options) { o.Retryer = x.patient })
	var exists *types.ExecutionAlreadyExists
	switch {
	case errors.As(err, &exists):
		return task.Errorf(task.Closed, "execution %s has ended: %w", m.ExecutionName(), err)
	case err != nil:
		return task.Errorf(task.Unavailable, "start execution %s: %w", m.ExecutionName(), err)
	}
	return nil
}

// Status implements task.Executions. It lags behind by moments.
func (x *Executions) Status(ctx context.Context, m task.Message) (task.ExecutionOutcome, error) {
	if x.express {
		return task.ExecutionOutcome{}, unsupported()
	}
	out, err := x.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String(x.arn(m))})
	if err != nil {
		return task.ExecutionOutcome{}, translate("describe", m, err)
	}
	return task.ExecutionOutcome{
		Status: task.ExecutionStatus(out.Status),
		Error:  aws.ToString(out.Error),
		Cause:  aws.ToString(out.Cause),
	}, nil
}

// History implements task.Executions.
func (x *Executions) History(ctx context.Context, m task.Message) ([]json.RawMessage, error) {
	if x.express {
		return nil, unsupported()
	}
	var events []json.RawMessage
	pages := sfn.NewGetExecutionHistoryPaginator(x.client, &sfn.GetExecutionHistoryInput{
		ExecutionArn: aws.String(x.arn(m)), MaxResults: historyPage,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, translate("read the history of", m, err)
		}
		for _, e := range page.Events {
			event, err := json.Marshal(eventJSON(e))
			if err != nil {
				return nil, err
			}
			events = append(events, event)
		}
	}
	return events, nil
}

// arn returns the ARN of m's execution, which is made of the state machine's.
func (x *Executions) arn(m task.Message) string {
	return strings.Replace(x.machine, ":stateMachine:", ":execution:", 1) + ":" + m.ExecutionName()
}

func translate(action string, m task.Message, err error) error {
	var unknown *types.ExecutionDoesNotExist
	if errors.As(err, &unknown) {
		return task.Errorf(task.NotFound, "there is no execution %s: %w", m.ExecutionName(), err)
	}
	return task.Errorf(task.Unavailable, "%s execution %s: %w", action, m.ExecutionName(), err)
}

func unsupported() error {
	return task.Errorf(task.Unsupported, "EXPRESS executions can't be asked for their status or history")
}
