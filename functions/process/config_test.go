package process

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		rate, days string
		want       Config
	}{
		{"0.3", "30", Config{FailureRate: 0.3, Retention: 30 * day}},
		{"0", "1", Config{FailureRate: 0, Retention: day}},
		{"1", "3650", Config{FailureRate: 1, Retention: 3650 * day}},
	} {
		got, err := LoadConfig(env(map[string]string{"FAILURE_RATE": test.rate, "RETENTION_DAYS": test.days}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("config (-want +got):\n%s", diff)
		}
	}
}

func TestLoadConfigNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, vars := range []map[string]string{
		{},
		{"FAILURE_RATE": "30%", "RETENTION_DAYS": "a month"},
		{"FAILURE_RATE": "-0.1", "RETENTION_DAYS": "0"},
		{"FAILURE_RATE": "1.1", "RETENTION_DAYS": "3651"},
		{"FAILURE_RATE": "NaN", "RETENTION_DAYS": "1.5"},
	} {
		_, err := LoadConfig(env(vars))
		if err == nil || !strings.Contains(err.Error(), "FAILURE_RATE") || !strings.Contains(err.Error(), "RETENTION_DAYS") {
			t.Errorf("%v: got %v, want both named", vars, err)
		}
	}
}
