package awslambda

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

func TestFailure(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", task.MaxErrorBytes)
	tests := []struct {
		name string
		err  error
		want messages.InvokeResponse_Error
	}{
		{"an error of the domain", task.Errorf(task.Unavailable, "away"), messages.InvokeResponse_Error{Type: "Unavailable", Message: "away"}},
		{
			"a wrapped one", fmt.Errorf("claim: %w", task.Permanent(errors.New("never"))),
			messages.InvokeResponse_Error{Type: "Permanent", Message: "claim: never"},
		},
		{"an error of no kind", errors.New("odd"), messages.InvokeResponse_Error{Type: "InternalError", Message: "odd"}},
		{"a long message", errors.New(long + "y"), messages.InvokeResponse_Error{Type: "InternalError", Message: long}},
		{"a message that is not UTF-8", errors.New("\xff"), messages.InvokeResponse_Error{Type: "InternalError", Message: "\uFFFD"}},
		{"a character that SQS refuses", errors.New("a\uFFFF\uFFFEb\x00"), messages.InvokeResponse_Error{Type: "InternalError", Message: "a\uFFFD\uFFFDb\x00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Failure(tt.err)); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConvert looks at what the runtime gets: it takes the errorType from a
// value alone.
func TestConvert(t *testing.T) {
	t.Parallel()
	invoke := func(handle func(context.Context, string) (string, error)) ([]byte, error) {
		return lambda.NewHandler(convert(handle)).Invoke(t.Context(), []byte(`"in"`))
	}

	out, err := invoke(func(_ context.Context, in string) (string, error) { return in + " and out", nil })
	if string(out) != `"in and out"` || err != nil {
		t.Errorf("got %s, %v, want the handler's output", out, err)
	}

	_, err = invoke(func(context.Context, string) (string, error) { return "", task.Errorf(task.Unavailable, "away") })
	if value, ok := err.(messages.InvokeResponse_Error); !ok || value.Type != "Unavailable" {
		t.Errorf("got %T %v, want the value itself", err, err)
	}

	defer func() {
		if p := recover(); p != "boom" {
			t.Errorf("got the panic %v, want it left to the runtime", p)
		}
	}()
	_, _ = invoke(func(context.Context, string) (string, error) { panic("boom") })
}

func TestReserve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ timeout, want time.Duration }{
		{time.Minute, 58 * time.Second},
		{20 * time.Second, 18 * time.Second},
		{10 * time.Second, 9 * time.Second},
		{0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			ctx, cancel := Reserve(parent)
			defer cancel()
			deadline, _ := ctx.Deadline()
			if got := time.Until(deadline); got != tt.want {
				t.Errorf("of %v: got %v, want %v", tt.timeout, got, tt.want)
			}
		})
	}
}

func TestReserveWithoutADeadline(t *testing.T) {
	t.Parallel()
	parent, stop := context.WithCancel(t.Context())
	ctx, cancel := Reserve(parent)
	defer cancel()
	if _, ok := ctx.Deadline(); ok {
		t.Error("got a deadline, want none")
	}
	if stop(); ctx.Err() == nil {
		t.Error("it goes on after its parent")
	}
}
