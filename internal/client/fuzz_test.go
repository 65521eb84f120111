package client_test

import (
	"net/url"
	"strings"
	"testing"

	"tasks/internal/client"
)

// FuzzURL checks that no URL makes the tool sign for a host that is not API
// Gateway's, or send anything to another host than the URL's.
func FuzzURL(f *testing.F) {
	for _, raw := range []string{
		"https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/dev", "https://a.execute-api.us-east-1.amazonaws.com:443/", "https://a.execute-api.cn-north-1.amazonaws.com.cn",
		"https://a.execute-api.us-east-1.amazonaws.com.evil.example", "https://evil.example/.execute-api.us-east-1.amazonaws.com", "https://me@a.execute-api.us-east-1.api.aws",
		"https://a.execute-api.us-east-1.amazonaws.com%2eevil.example", "http://127.0.0.1:3000/local//", "http://[::1%25eth0]/", "//x", "http://127.0.0.1:3000/local?", "https://a\\.execute-api.eu-west-1.api.aws",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if region := client.ExecuteAPIRegion(raw); region != "" {
			u, err := url.Parse(raw)
			if err != nil || u.Scheme != "https" {
				t.Fatalf("signs for %q: %v", raw, err)
			}
			name, zone, _ := strings.Cut(u.Hostname(), ".execute-api."+region+".")
			zone = strings.TrimPrefix(zone, "vpce.")
			if name == "" || strings.ContainsAny(name, "./@") || zone != "amazonaws.com" && zone != "amazonaws.com.cn" && zone != "api.aws" {
				t.Errorf("signs for %q, whose host is %q", raw, u.Hostname())
			}
		}
		c, err := client.New(client.Config{URL: raw})
		if err != nil {
			return
		}
		given, errGiven := url.Parse(raw)
		u, err := url.Parse(c.URL() + "/tasks")
		if err != nil || errGiven != nil || u.Host != given.Host || u.User != nil || !strings.HasSuffix(u.Path, "/tasks") || u.RawQuery != "" {
			t.Errorf("%q is called at %q", raw, c.URL()+"/tasks")
		}
	})
}
