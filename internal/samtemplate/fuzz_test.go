package samtemplate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse checks that a template is refused, or gives a system that a host can
// run, and always the same. A value that is not empty is one of the parameter
// Seconds.
func FuzzParse(f *testing.F) {
	f.Add(string(readTemplate(f)), "")
	f.Add(small, "")
	f.Add(strings.ReplaceAll(small, "Timeout: !Ref Seconds", "Timeout: 9223372036854775807"), "")
	f.Add("Resources: {A: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {}}}}", "")
	f.Add("Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: functions/f/bootstrap/, Timeout: 1, Events: {E: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(99999999 days)}}}}}}", "")
	f.Add("Parameters: &a {A: *a}", "")
	for _, value := range []string{"60", "0", "-1", "1e3", "900.5", "99999999999999999999", "NaN", "60\n", "!Ref Seconds", "${Seconds}"} {
		f.Add(small, value)
	}
	f.Fuzz(func(t *testing.T, s, value string) {
		parameters := map[string]string{}
		if value != "" {
			parameters["Seconds"] = value
		}
		system, err := Parse([]byte(s), parameters)
		if (system == nil) == (err == nil) {
			t.Fatalf("got %v and error %v, want one of them", system, err)
		}
		if err != nil {
			return
		}
		for id, f := range system.Functions {
			if f.Timeout <= 0 || f.Name == "" {
				t.Errorf("function %s: got %+v", id, f)
			}
		}
		for id, q := range system.Queues {
			if q.VisibilityTimeout <= 0 || q.MaxReceiveCount < 0 || (q.MaxReceiveCount > 0) != (q.DeadLetterQueue != "") {
				t.Errorf("queue %s: got %+v", id, q)
			}
		}
		for _, m := range system.Mappings {
			if m.BatchSize < 1 || m.Queue == "" || m.Function == "" {
				t.Errorf("mapping: got %+v", m)
			}
		}
		for _, s := range system.Schedules {
			if s.Every <= 0 || s.Function == "" {
				t.Errorf("schedule: got %+v", s)
			}
		}
		again, err := Parse([]byte(s), parameters)
		if diff := cmp.Diff(system, again); err != nil || diff != "" {
			t.Errorf("read again: %v (-first +second):\n%s", err, diff)
		}
	})
}
