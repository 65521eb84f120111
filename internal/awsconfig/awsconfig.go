// Package awsconfig is the SDK configuration of a Lambda function.
//
// It reads what Lambda sets in the environment and nothing else: neither files
// nor instance metadata, which the SDK's config package links in for some
// 2 MB a binary and a slower start.
package awsconfig

import (
	"errors"
	"fmt"
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
// still waits.
const (
	connectTimeout = time.Second
	attemptTimeout = 5 * time.Second
	maxAttempts    = 5
	maxBackoff     = time.Second
)

// Load returns the configuration: region and credentials of the function's
// role, and an endpoint for all services, if AWS_ENDPOINT_URL names one.
func Load(getenv func(string) string) (aws.Config, error) {
	var missing error
	required := func(name string) string {
		value := getenv(name)
		if value == "" {
			missing = errors.Join(missing, fmt.Errorf("%s is not set", name))
		}
		return value
	}
	cfg := aws.Config{
		Region: required("AWS_REGION"),
		// Valid as long as the execution environment lives.
		Credentials: credentials.NewStaticCredentialsProvider(
			required("AWS_ACCESS_KEY_ID"), required("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")),
		HTTPClient: awshttp.NewBuildableClient().
			WithTimeout(attemptTimeout).
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
			WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 64 }),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = maxAttempts
				o.MaxBackoff = maxBackoff
			})
		},
	}
	if endpoint := getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return cfg, missing
}
