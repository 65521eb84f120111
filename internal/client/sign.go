package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Signer signs requests with AWS Signature Version 4, as an API Gateway API
// with the authorization AWS_IAM asks for. The API's answer is 403 when the
// caller may not execute-api:Invoke.
type Signer struct {
	Credentials aws.CredentialsProvider
	Region      string // of the API
}

// sign signs a request with that body.
func (s *Signer) sign(ctx context.Context, req *http.Request, body []byte) error {
	creds, err := s.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("get the AWS credentials to sign with: %w", err)
	}
	hash := sha256.Sum256(body)
	return v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(hash[:]), "execute-api", s.Region, time.Now())
}

// executeAPIHost matches the names that API Gateway gives to APIs: of IPv4 and
// of both protocols, and those of interface VPC endpoints.
var executeAPIHost = regexp.MustCompile(`^[a-z0-9-]+\.execute-api\.([a-z]+(?:-[a-z]+)+-[0-9]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$`)

// ExecuteAPIRegion returns the region in the host name of an API Gateway API, or
// "" if the URL has another host, such as a domain of one's own.
func ExecuteAPIRegion(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "https" {
		return ""
	}
	if m := executeAPIHost.FindStringSubmatch(u.Hostname()); m != nil {
		return m[1]
	}
	return ""
}
