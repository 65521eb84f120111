package awsconfig

import (
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
	}
	getenv := func(name string) string { return env[name] }

	cfg, err := Load(getenv)
	if err != nil || cfg.Region != "eu-west-1" || cfg.BaseEndpoint != nil {
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
	if cfg, err := Load(getenv); err != nil || *cfg.BaseEndpoint != "http://127.0.0.1:5000" {
		t.Errorf("got endpoint %v, %v, want the environment's", cfg.BaseEndpoint, err)
	}

	clear(env)
	_, err = Load(getenv)
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got error %v, want one that names %s", err, name)
		}
	}
}
