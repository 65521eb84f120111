// Package awsconfig is the configuration of a Lambda function: what it finds in
// its environment, and how it uses the SDK.
//
// Region and credentials are what Lambda sets in the environment, and nothing
// else: neither files nor instance metadata, which the SDK's config package
// links in for some 2 MB a binary and a slower start.
package awsconfig

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Timeouts and retries of a request. The services answer within milliseconds;
// what takes seconds has got lost, and is better sent again while the caller
// still waits. All attempts together fit the functions' timeouts, of which the
// shortest is 20 s, so that a function can say what is wrong.
const (
	connectTimeout = time.Second
	attemptTimeout = 3 * time.Second
	maxAttempts    = 4
	maxBackoff     = time.Second
)

// Environment reads environment variables and collects what is wrong with them.
type Environment struct {
	getenv   func(string) string
	problems []error
}

// NewEnvironment returns the environment that getenv reads.
func NewEnvironment(getenv func(string) string) *Environment {
	return &Environment{getenv: getenv}
}

// Required returns a variable that must be set.
func (e *Environment) Required(name string) string {
	value := e.getenv(name)
	if value == "" {
		e.problems = append(e.problems, fmt.Errorf("%s is not set", name))
	}
	return value
}

// Err returns all problems found so far, and others, as one error, or nil.
func (e *Environment) Err(others ...error) error {
	return errors.Join(append(others, e.problems...)...)
}

// Check calls fatal with Err, if that is not nil.
func (e *Environment) Check(fatal func(v ...any), others ...error) {
	if err := e.Err(others...); err != nil {
		fatal(err)
	}
}

// SDK returns the SDK's configuration: region and credentials of the function's
// role, and an endpoint for all services, if AWS_ENDPOINT_URL names one.
func (e *Environment) SDK() aws.Config {
	cfg := aws.Config{
		Region: e.Required("AWS_REGION"),
		// Valid as long as the execution environment lives.
		Credentials: credentials.NewStaticCredentialsProvider(
			e.Required("AWS_ACCESS_KEY_ID"), e.Required("AWS_SECRET_ACCESS_KEY"), e.getenv("AWS_SESSION_TOKEN")),
		HTTPClient: awshttp.NewBuildableClient().
			WithTimeout(attemptTimeout).
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
			// A page of the listing is read by up to 16 requests at once.
			WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 16 }),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				RetryCutAnswers(o)
				o.MaxAttempts = maxAttempts
				o.MaxBackoff = maxBackoff
			})
		},
	}
	if endpoint := e.getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return cfg
}

// RetryCutAnswers has a request sent again whose answer was cut off. The SDK
// itself does so only if there is no answer at all.
func RetryCutAnswers(o *retry.StandardOptions) {
	o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return aws.TrueTernary
		}
		return aws.UnknownTernary
	}))
}
