package samtemplate

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readTemplate(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the host takes from our own template. When this fails, template and host
// have drifted apart: see which of the two is right.
func TestOurTemplate(t *testing.T) {
	t.Parallel()
	got, err := Parse(readTemplate(t), map[string]string{"StageName": "local", "FailureRate": "0.5", "MaxReceiveCount": "7", "WorkerConcurrency": "5"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"StageName", "WorkerConcurrency"}, got.Unused); diff != "" {
		t.Errorf("parameters without an effect (-want +got):\n%s", diff)
	}
	timeouts := map[string]time.Duration{}
	for _, f := range got.Functions {
		timeouts[f.Name] = f.Timeout
	}
	want := map[string]time.Duration{
		"submit": 20 * time.Second, "status": 20 * time.Second, "redrive": 20 * time.Second,
		"poller": 50 * time.Second, "process": 60 * time.Second, "monitor": 30 * time.Second, "reconcile": 50 * time.Second,
		"count": 30 * time.Second,
	}
	if diff := cmp.Diff(want, timeouts); diff != "" {
		t.Errorf("functions and their timeouts (-want +got):\n%s", diff)
	}
	if got := got.Functions["ProcessFunction"].Environment["FAILURE_RATE"]; got != "0.5" {
		t.Errorf("FAILURE_RATE: got %q, want the parameter's value", got)
	}
	if diff := cmp.Diff([]Route{
		{"POST /tasks", "SubmitFunction"},
		{"GET /tasks", "StatusFunction"},
		{"GET /tasks/{taskId}", "StatusFunction"},
		{"GET /tasks/{taskId}/history", "StatusFunction"},
		{"POST /tasks/{taskId}/redrive", "RedriveFunction"},
		{"POST /tasks/batch", "SubmitFunction"},
		{"GET /tasks/stats", "StatusFunction"},
		{"POST /tasks/redrive", "RedriveFunction"},
		{"GET /openapi.yaml", "StatusFunction"},
		{"$default", "StatusFunction"},
	}, got.Routes); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]Queue{
		"TaskQueue":       {VisibilityTimeout: 5 * time.Minute, MaxReceiveCount: 7, DeadLetterQueue: "DeadLetterQueue"},
		"DeadLetterQueue": {VisibilityTimeout: 5 * time.Minute},
	}, got.Queues); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Mapping{{"PollerFunction", "TaskQueue", 10}, {"MonitorFunction", "DeadLetterQueue", 10}}, got.Mappings); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Schedule{{"ReconcileFunction", time.Minute}}, got.Schedules); diff != "" {
		t.Errorf("schedules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(StateMachine{
		ID: "TaskStateMachine", ARN: "arn:aws:states:local:000000000000:stateMachine:TaskStateMachine", DefinitionURI: "statemachine/task.asl.json",
		Substitutions: map[string]string{
			"ProcessFunctionArn": "arn:aws:lambda:local:000000000000:function:ProcessFunction",
			"DeadLetterQueueUrl": "https://sqs.local/000000000000/DeadLetterQueue",
			"Partition":          "aws",
		},
	}, got.StateMachine); diff != "" {
		t.Errorf("state machine (-want +got):\n%s", diff)
	}
	// SQS delivers a message again while the poller still works on it, if its
	// visibility timeout is shorter than six times the poller's.
	if q, f := got.Queues["TaskQueue"], got.Functions["PollerFunction"]; q.VisibilityTimeout < 6*f.Timeout {
		t.Errorf("visibility timeout %v: want 6 times the poller's %v at least", q.VisibilityTimeout, f.Timeout)
	}
}

// A template of one function, in which tests put something else.
const small = `
Parameters:
  Seconds: {Type: Number, Default: 20, MinValue: 1, MaxValue: 900}
  Name: {Type: String, Default: x, AllowedPattern: "^[a-z]+$"}
  Size: {Type: String, Default: small, AllowedValues: [small, large]}
Globals:
  Function:
    Timeout: !Ref Seconds
    Environment: {Variables: {SHARED: shared}}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/f/bootstrap/
      Environment: {Variables: {VALUE: HERE}}
`

func TestValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ value, want string }{
		{`literal`, "literal"},
		{`12`, "12"},
		{`!Ref Name`, "x"},
		{`{Ref: Name}`, "x"},
		{`!Ref AWS::Region`, "local"},
		{`!Ref Queue`, "https://sqs.local/000000000000/Queue"},
		{`!GetAtt Queue.Arn`, "arn:aws:sqs:local:000000000000:Queue"},
		{`{"Fn::GetAtt": [F, Arn]}`, "arn:aws:lambda:local:000000000000:function:F"},
		{`!Sub "${Name}/${AWS::AccountId}/${F.Arn}/${!Literal}"`, "x/000000000000/arn:aws:lambda:local:000000000000:function:F/${Literal}"},
		{`{"Fn::Sub": "a-${Size}"}`, "a-small"},
	} {
		s, err := Parse([]byte(strings.Replace(small, "HERE", tt.value, 1)), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.value, err)
			continue
		}
		if got := s.Functions["F"].Environment["VALUE"]; got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.value, got, tt.want)
		}
	}
}

func TestGlobalsApply(t *testing.T) {
	t.Parallel()
	s, err := Parse([]byte(small), map[string]string{"Seconds": "42"})
	if err != nil {
		t.Fatal(err)
	}
	want := Function{Name: "f", Timeout: 42 * time.Second, Environment: map[string]string{"SHARED": "shared", "VALUE": "HERE"}}
	if diff := cmp.Diff(want, s.Functions["F"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProblemsAreNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, old, new string
		parameters     map[string]string
		want           string
	}{
		{"an intrinsic that one machine does not read", "HERE", `!If [A, b, c]`, nil, "F.Environment.VALUE: line 16: one machine reads literals, Ref, Sub and GetAtt here, not !If"},
		{"its long form", "HERE", `{"Fn::Select": [0, [a]]}`, nil, "not Fn::Select"},
		{"a Sub with a mapping", "HERE", `!Sub ["${A}", {A: b}]`, nil, "not !Sub"},
		{"a Ref to nothing", "HERE", `!Ref Nothing`, nil, "there is no parameter and no resource Nothing"},
		{"a Sub of nothing", "HERE", `!Sub "${Nothing}"`, nil, "there is no parameter and no resource Nothing"},
		{"an attribute that one machine does not have", "HERE", `!GetAtt Queue.QueueName`, nil, "GetAtt Queue.QueueName"},
		{"a timeout that is no number", "Timeout: !Ref Seconds", "Timeout: soon", nil, `F.Timeout: "soon": want a whole number`},
		{"a timeout beyond all bounds", "Timeout: !Ref Seconds", "Timeout: 9223372036854775807", nil, `F.Timeout: "9223372036854775807": want a whole number from 1 to 100000`},
		{"a rate beyond all bounds", "Environment: {Variables: {VALUE: HERE}}", "Events: {E: {Type: ScheduleV2, Properties: {ScheduleExpression: 'rate(9999999 days)'}}}", nil, `not "rate(9999999 days)"`},
		{"a missing timeout", "Timeout: !Ref Seconds", "MemorySize: 128", nil, "F.Timeout: missing"},
		{"a missing CodeUri", "CodeUri: functions/f/bootstrap/", "Handler: x", nil, "F.CodeUri: missing"},
		{"an event source that one machine does not have", "Environment: {Variables: {VALUE: HERE}}", "Events: {E: {Type: Kinesis}}", nil, `F.Events.E.Type: one machine has no event source "Kinesis"`},
		{"a schedule that is no rate", "Environment: {Variables: {VALUE: HERE}}", "Events: {E: {Type: ScheduleV2, Properties: {ScheduleExpression: 'cron(0 * * * ? *)'}}}", nil, `not "cron(0 * * * ? *)"`},
		{"no partial failures", "Environment: {Variables: {VALUE: HERE}}", "Events: {E: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 1}}}", nil, "want [ReportBatchItemFailures]"},
		{"a parameter that is not there", "", "", map[string]string{"Other": "1"}, "there is no parameter Other"},
		{"a parameter without a value", "Default: small, ", "", nil, "parameter Size has no default"},
		{"a value that is not allowed", "", "", map[string]string{"Size": "huge"}, `parameter Size: "huge" is not allowed: want one of small, large`},
		{"a value that does not match", "", "", map[string]string{"Name": "X"}, `parameter Name: "X" is not allowed`},
		{"a value that is no number", "", "", map[string]string{"Seconds": "many"}, `parameter Seconds: "many" is not a number`},
		{"a value below its bound", "", "", map[string]string{"Seconds": "0"}, "MinValue is 1"},
		{"a value above its bound", "", "", map[string]string{"Seconds": "901"}, "MaxValue is 900"},
		{"a file that is no YAML", "Parameters:", "\tParameters: [", nil, "yaml"},
		{"a list", small, "- a", nil, "want a mapping"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(strings.Replace(small, tt.old, tt.new, 1)), tt.parameters)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	bad := strings.NewReplacer("HERE", "!Ref Nothing", "CodeUri: functions/f/bootstrap/", "Timeout: soon").Replace(small)
	_, err := Parse([]byte(bad), nil)
	for _, want := range []string{"F.CodeUri", "F.Timeout", "F.Environment.VALUE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one that names %s", err, want)
		}
	}
}
