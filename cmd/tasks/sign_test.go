package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tasks/internal/client"
)

const executeAPI = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev"

// awsEnvironment sets what the SDK reads, and nothing that the machine has.
func awsEnvironment(t *testing.T, env map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value) // so that it is there again after the test
			os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "credentials"))
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestWhatIsSigned(t *testing.T) {
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
	inRegion := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-2"}
	for _, tt := range []struct {
		name, sign, api, token string
		env                    map[string]string
		region, err, said      string
	}{
		{"an API of API Gateway, in its own region", signAuto, executeAPI, "", inRegion, "eu-west-1", "", ""},
		{"an API of API Gateway, with a token", signAuto, executeAPI, "secret", keys, "", "", ""},
		{"an API of API Gateway, without credentials", signAuto, executeAPI, "", nil, "", "", "Requests go unsigned"},
		{"an API of API Gateway, against one's will", signNever, executeAPI, "", keys, "", "", ""},
		{"one machine", signAuto, defaultAPI, "", inRegion, "", "", ""},
		{"a domain of one's own", signAuto, "https://tasks.example.com", "", inRegion, "", "", ""},
		{"a domain of one's own, when told", signAlways, "https://tasks.example.com", "", inRegion, "us-east-2", "", ""},
		{"a domain in no region", signAlways, "https://tasks.example.com", "", keys, "", "set AWS_REGION", ""},
		{"nothing without credentials, when told", signAlways, executeAPI, "", nil, "", "get the AWS credentials", ""},
		{"nothing with a token, when told", signAlways, executeAPI, "secret", keys, "", "exclude each other", ""},
		{"nothing for another word", "perhaps", executeAPI, "", keys, "", "want auto, always or never", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			awsEnvironment(t, tt.env)
			var said strings.Builder
			c := &cli{sign: tt.sign, errOut: newOutput(&said, os.Getenv)}
			signer, err := c.signer(t.Context(), tt.api, tt.token)
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
			if region := regionOf(signer); region != tt.region {
				t.Errorf("got a signer for region %q, want %q", region, tt.region)
			}
			if !strings.HasPrefix(said.String(), tt.said) || (said.Len() > 0) != (tt.said != "") {
				t.Errorf("said %q, want %q", said.String(), tt.said)
			}
		})
	}
}

func regionOf(s *client.Signer) string {
	if s == nil {
		return ""
	}
	return s.Region
}

func TestSignsWithAProfile(t *testing.T) {
	awsEnvironment(t, map[string]string{"AWS_ACCESS_KEY_ID": "not this", "AWS_SECRET_ACCESS_KEY": "one"})
	const profile = "[profile ops]\nregion = eu-west-3\naws_access_key_id = OPS\naws_secret_access_key = secret\n"
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	var authorization string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"message":"Forbidden"}`)
	}))
	defer server.Close()
	got := runWith(t.Context(), "", map[string]string{"TASKS_API": server.URL}, "list", "--sign", "always", "--aws-profile", "ops")
	if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=OPS/") || !strings.Contains(authorization, "/eu-west-3/execute-api/aws4_request") {
		t.Errorf("sent %q, want it signed by the profile's key, in its region", authorization)
	}
	if got.Code != exitFailed || !strings.Contains(got.ErrOut, "403 Forbidden") || !strings.Contains(got.ErrOut, "execute-api:Invoke") {
		t.Errorf("got %+v, want a 403 that says what is missing", got)
	}
}
