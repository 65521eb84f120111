package awsconfig

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSDK(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
	}
	e := NewEnvironment(func(name string) string { return env[name] })

	cfg := e.SDK()
	if err := e.Err(); err != nil || cfg.Region != "eu-west-1" || cfg.BaseEndpoint != nil {
		t.Errorf("got region %q, endpoint %v, %v, want eu-west-1 and none", cfg.Region, cfg.BaseEndpoint, err)
	}
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "key" || got.SecretAccessKey != "secret" || got.SessionToken != "token" {
		t.Errorf("got credentials %q, %v, want the environment's", got.AccessKeyID, err)
	}
	if n := cfg.Retryer().MaxAttempts(); n != maxAttempts {
		t.Errorf("got %d attempts, want %d", n, maxAttempts)
	}

	env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:5000"
	if endpoint := e.SDK().BaseEndpoint; endpoint == nil || *endpoint != "http://127.0.0.1:5000" {
		t.Errorf("got endpoint %v, want the environment's", endpoint)
	}
}

func TestEnvironmentReportsAllProblemsTogether(t *testing.T) {
	t.Parallel()
	e := NewEnvironment(func(name string) string { return map[string]string{"TABLE_NAME": "tasks"}[name] })
	e.SDK()
	if got := e.Required("TABLE_NAME"); got != "tasks" {
		t.Errorf("TABLE_NAME: got %q, want tasks", got)
	}
	e.Required("TASK_QUEUE_URL")
	err := e.Err()
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TASK_QUEUE_URL"} {
		if err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("got error %v, want one that names %s", err, name)
		}
	}
	var got []any
	e.Check(func(v ...any) { got = v }, errors.New("FAILURE_RATE is odd"))
	if text := fmt.Sprint(got...); !strings.Contains(text, "TASK_QUEUE_URL") || !strings.Contains(text, "FAILURE_RATE") {
		t.Errorf("Check: got %q, want all problems", text)
	}
	NewEnvironment(func(string) string { return "" }).Check(func(v ...any) { t.Errorf("Check: got %v, want no call", v) })
}
