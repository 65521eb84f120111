package awslambda

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"tasks/internal/task"
)

// Start serves invocations with handle until the process ends. It sets slog's
// default logger to NewLogger's.
//
// A panic of the handler is left to the runtime, which reports it with the
// value's Go type as errorType and ends the process.
func Start[In, Out any](handle func(context.Context, In) (Out, error)) {
	slog.SetDefault(NewLogger())
	lambda.Start(convert(handle))
}

// NewLogger returns the logger of a function: what Lambda's advanced logging
// controls expect, with the request's id in each record.
func NewLogger() *slog.Logger { return lambdacontext.NewLogger() }

// convert returns handle with its errors turned into Lambda's.
func convert[In, Out any](handle func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return out, Failure(err)
		}
		return out, nil
	}
}

// internalError is the errorType of an error that has no kind. No ErrorEquals
// names it.
const internalError = "InternalError"

// Failure returns err as a failed invocation reports it: errorType is its kind,
// errorMessage its message, cut as the record's is. The runtime takes the type
// only from a value that is not wrapped; from any other error it takes the name
// of the Go type.
func Failure(err error) messages.InvokeResponse_Error {
	kind := string(task.KindOf(err))
	if kind == "" {
		kind = internalError
	}
	return messages.InvokeResponse_Error{
		Type:    kind,
		Message: task.Cut(strings.Map(carried, strings.ToValidUTF8(err.Error(), "\uFFFD")), task.MaxErrorBytes),
	}
}

// carried returns r, but U+FFFD for the two characters that JSON does not escape and a
// message on SQS can't have (SendMessage in the API reference): Step Functions sends an
// error's text there, and would try in vain for as long as it may.
func carried(r rune) rune {
	if r == '\uFFFE' || r == '\uFFFF' {
		return '\uFFFD'
	}
	return r
}
