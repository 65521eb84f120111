package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"tasks/internal/client"
)

// The values of --sign.
const (
	signAuto   = "auto"
	signAlways = "always"
	signNever  = "never"
)

// credentialsTimeout bounds the search for AWS credentials. Its last place, the
// metadata service of an EC2 instance, is missing elsewhere.
const credentialsTimeout = 10 * time.Second

// signer returns what signs the requests to the API, or nil. By itself it signs
// for the host names of API Gateway only, if there are credentials and no token:
// an API that is open takes requests without, and one that is not says 403.
func (c *cli) signer(ctx context.Context, api, token string) (*client.Signer, error) {
	region := client.ExecuteAPIRegion(api)
	switch c.sign {
	case signNever:
		return nil, nil
	case signAlways:
		if token != "" {
			return nil, usagef("--sign always and a token exclude each other: both are the Authorization header")
		}
	case signAuto:
		if region == "" || token != "" {
			return nil, nil
		}
	default:
		return nil, usagef("--sign %q: want %s, %s or %s", c.sign, signAuto, signAlways, signNever)
	}
	var options []func(*config.LoadOptions) error
	if c.profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.profile))
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	aws, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if region = cmp.Or(region, aws.Region); region == "" {
		return nil, usagef("--sign always: the region is not in the API's host name; set AWS_REGION or the profile's region")
	}
	if _, err := aws.Credentials.Retrieve(ctx); err != nil {
		if c.sign == signAuto && c.profile == "" {
			c.errOut.printf("Requests go unsigned, because there are no AWS credentials: %s\n", printable(err.Error()))
			return nil, nil
		}
		return nil, fmt.Errorf("get the AWS credentials to sign with: %w", err)
	}
	return &client.Signer{Credentials: aws.Credentials, Region: region}, nil
}
