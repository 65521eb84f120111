package client_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"tasks/internal/client"
	"tasks/internal/task"
)

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, text)
	return h.Sum(nil)
}

// signatureOf computes a request's signature from what arrived, step by step as
// "Signature Version 4 signing process" of the IAM User Guide has it, and not
// with the SDK's signer, which made it.
func signatureOf(r *http.Request, body []byte, signedHeaders, scope, secret string) string {
	query, _ := url.ParseQuery(r.URL.RawQuery)
	hash := sha256.Sum256(body)
	canonical := []string{
		r.Method,
		// Each segment of the path is encoded once more than it was sent.
		strings.ReplaceAll(url.PathEscape(r.URL.EscapedPath()), "%2F", "/"),
		strings.ReplaceAll(query.Encode(), "+", "%20"),
	}
	for name := range strings.SplitSeq(signedHeaders, ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		canonical = append(canonical, name+":"+strings.TrimSpace(value))
	}
	canonical = append(canonical, "", signedHeaders, hex.EncodeToString(hash[:]))
	digest := sha256.Sum256([]byte(strings.Join(canonical, "\n")))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(digest[:])}, "\n")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, toSign))
}

// verify answers 403, as API Gateway does, unless the request is signed for the
// region by the access key "AKID" with the secret "secret" and the session
// "session".
func verify(t *testing.T, region string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		date := r.Header.Get("X-Amz-Date")
		signed, err := time.Parse("20060102T150405Z", date)
		if err != nil || time.Since(signed).Abs() > 5*time.Minute {
			t.Errorf("X-Amz-Date is %q", date)
			date = "yyyymmdd"
		}
		scope := date[:8] + "/" + region + "/execute-api/aws4_request"
		rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKID/"+scope+", SignedHeaders=")
		headers, signature, _ := strings.Cut(rest, ", Signature=")
		for _, name := range []string{"host", "x-amz-date", "x-amz-security-token"} {
			ok = ok && strings.Contains(";"+headers+";", ";"+name+";")
		}
		if !ok || r.Header.Get("X-Amz-Security-Token") != "session" || signature != signatureOf(r, body, headers, scope, "secret") {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"message":"Forbidden"}`)
			return
		}
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
		}
		io.WriteString(w, `{"taskId":"`+string(id)+`"}`)
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *client.Client) error{
		"submit": func(ctx context.Context, c *client.Client) error {
			_, err := c.Submit(ctx, client.Submission{Answer: "a <ü>"})
			return err
		},
		"redrive": func(ctx context.Context, c *client.Client) error { _, err := c.Redrive(ctx, id); return err },
		"get":     func(ctx context.Context, c *client.Client) error { _, err := c.Get(ctx, id); return err },
		"history": func(ctx context.Context, c *client.Client) error { _, err := c.History(ctx, id); return err },
		"list with everything": func(ctx context.Context, c *client.Client) error {
			_, err := c.List(ctx, client.ListQuery{Status: task.DLQ, Limit: 7, Token: "a&b c+/="})
			return err
		},
		"get of an odd id": func(ctx context.Context, c *client.Client) error { _, err := c.Get(ctx, "a/../b c"); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for secret, want := range map[string]int{"secret": 0, "another": http.StatusForbidden} {
				c := serve(t, client.Config{Token: "not sent", Signer: &client.Signer{
					Credentials: credentials.NewStaticCredentialsProvider("AKID", secret, "session"), Region: "eu-west-1",
				}}, verify(t, "eu-west-1"))
				err := call(t.Context(), c)
				refused, _ := errors.AsType[*client.RefusedError](err)
				if want == 0 && err != nil || want != 0 && (refused == nil || refused.Status != want) {
					t.Errorf("signed with %q: got %v, want status %d", secret, err, want)
				}
			}
		})
	}
}

func TestNothingIsSentWithoutCredentials(t *testing.T) {
	t.Parallel()
	expired := errors.New("the session has expired")
	c := serve(t, client.Config{Signer: &client.Signer{
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, expired }),
	}}, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	if _, err := c.Submit(t.Context(), client.Submission{Answer: "42"}); !errors.Is(err, expired) || client.Passing(err) {
		t.Errorf("got %v, want the provider's error, not a passing one", err)
	}
}

func TestExecuteAPIRegion(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/dev":                           "us-east-1",
		"https://a1b2c3d4e5.execute-api.us-gov-west-1.amazonaws.com/prod":                      "us-gov-west-1",
		"https://a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn/dev":                       "cn-north-1",
		"https://a1b2c3d4e5.execute-api.eu-central-1.api.aws/dev":                              "eu-central-1",
		"https://vpce-0123456789abcdef0-abcdefgh.execute-api.eu-west-1.vpce.amazonaws.com/dev": "eu-west-1",
		"http://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/dev":                            "",
		"https://tasks.example.com/dev":                                                        "",
		"https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com.example.com/dev":               "",
		"https://example.com/a1b2c3d4e5.execute-api.us-east-1.amazonaws.com":                   "",
		"http://127.0.0.1:3000/local":                                                          "",
		"https://%zz":                                                                          "",
	} {
		if got := client.ExecuteAPIRegion(url); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
}
