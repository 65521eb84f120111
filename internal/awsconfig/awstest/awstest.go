// Package awstest connects the tests of the AWS adapters to an implementation
// of a service, and makes the way there unreliable.
package awstest

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"tasks/internal/awsconfig"
)

// Config returns a configuration for the endpoint in an environment variable,
// and skips the test if it is not set. The transport may be nil.
//
// Region and credentials are those of the environment, for a real account, or
// else made up, for an emulator.
func Config(t *testing.T, variable string, transport http.RoundTripper) aws.Config {
	t.Helper()
	endpoint := os.Getenv(variable)
	if endpoint == "" {
		t.Skipf("%s is not set: no implementation to test against (see scripts/test-aws)", variable)
	}
	getenv := func(name, otherwise string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		return otherwise
	}
	return aws.Config{
		Region:       getenv("AWS_REGION", "eu-west-1"),
		BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(
			getenv("AWS_ACCESS_KEY_ID", "test"), getenv("AWS_SECRET_ACCESS_KEY", "test"), os.Getenv("AWS_SESSION_TOKEN")),
		HTTPClient: &http.Client{Transport: transport, Timeout: 30 * time.Second},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				awsconfig.RetryCutAnswers(o)
				o.MaxAttempts = 5
				o.RateLimiter = ratelimit.None // more faults than any quota of retries allows
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
			})
		},
	}
}
