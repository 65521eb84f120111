package sfnexecutions_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/sfnexecutions"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

const endpointVariable = "TASKS_TEST_SFN_ENDPOINT"

// Definitions of state machines.
const (
	untilStopped = `{"StartAt":"Wait","States":{"Wait":{"Type":"Wait","Seconds":3600,"End":true}}}`
	failing      = `{"StartAt":"Dead","States":{"Dead":{"Type":"Fail","Error":"WorkerError","Cause":"no \"luck\" 👎"}}}`
)

// createMachine makes a state machine. A real account needs a role for it, in
// TASKS_TEST_SFN_ROLE_ARN.
func createMachine(t *testing.T, client *sfn.Client, definition string) (arn string) {
	t.Helper()
	name, role := "tasks-"+rand.Text(), os.Getenv("TASKS_TEST_SFN_ROLE_ARN")
	if role == "" {
		role = "arn:aws:iam::123456789012:role/states"
	}
	created, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, RoleArn: &role,
		Definition: &definition,
	})
	if err != nil {
		t.Fatalf("create state machine: %v", err)
	}
	t.Cleanup(func() {
		_, err := client.DeleteStateMachine(context.WithoutCancel(t.Context()), &sfn.DeleteStateMachineInput{StateMachineArn: created.StateMachineArn})
		if err != nil {
			t.Logf("state machine %s is left behind: %v", name, err)
		}
	})
	return *created.StateMachineArn
}

// config returns a configuration whose requests go through the transport.
func config(t *testing.T, transport http.RoundTripper) aws.Config {
	t.Helper()
	return awstest.Config(t, endpointVariable, transport)
}

func TestExecutions(t *testing.T) {
	t.Parallel()
	for name, transport := range map[string]http.RoundTripper{
		"over a good way": nil,
		"when every answer is lost once": &awstest.Transport{
			Choose: awstest.Rotate(awstest.AppliedThenReset),
		},
		"over an unreliable way": &awstest.Transport{
			Choose: awstest.Rotate(awstest.Throttled, awstest.None, awstest.Lost, awstest.ServerError, awstest.AppliedThenReset),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tasktest.ExerciseExecutions(t, func(t *testing.T) tasktest.ExecutionsUnderTest {
				direct := sfn.NewFromConfig(config(t, nil))
				machine := createMachine(t, direct, untilStopped)
				x := sfnexecutions.New(config(t, transport), machine, sfnexecutions.Standard)
				stop := func(m task.Message) task.ExecutionOutcome {
					return stopExecution(t, direct, machine, m)
				}
				return tasktest.ExecutionsUnderTest{Executions: x, End: stop}
			})
		})
	}
}

func TestStatusTellsErrorAndCause(t *testing.T) {
	t.Parallel()
	cfg := config(t, nil)
	x := sfnexecutions.New(cfg, createMachine(t, sfn.NewFromConfig(cfg), failing), sfnexecutions.Standard)
	m := newMessage(t)
	if err := x.Start(t.Context(), m); err != nil {
		t.Fatalf("Start: %v", err)
	}
	want := task.ExecutionOutcome{Status: task.ExecutionFailed, Error: "WorkerError", Cause: `no "luck" 👎`}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for range 500 {
		got, err := x.Status(t.Context(), m)
		switch {
		case err != nil:
			t.Fatalf("Status: %v", err)
		case got == want:
			return
		case got.Status != task.ExecutionRunning:
			t.Fatalf("Status: got %+v, want %+v", got, want)
		}
		<-again.C
	}
	t.Error("the execution doesn't end")
}

func TestStartWaitsForAServiceThatThrottles(t *testing.T) {
	t.Parallel()
	direct := sfn.NewFromConfig(config(t, nil))
	machine := createMachine(t, direct, untilStopped)
	transport := &awstest.Transport{Choose: func(_ string, attempt int) awstest.Fault {
		if attempt < 4 {
			return awstest.Throttled
		}
		return awstest.None
	}}
	x := sfnexecutions.New(config(t, transport), machine, sfnexecutions.Standard)
	m := newMessage(t)
	if err := x.Start(t.Context(), m); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if n := transport.Count("StartExecution"); n != 4 {
		t.Errorf("got %d requests, want 4", n)
	}
}

func TestExecutionsWhicheverRequestIsHit(t *testing.T) {
	t.Parallel()
	call := func(name string, before []string, do func(context.Context, task.Executions, task.Message) (any, error)) awstest.Call {
		var machine string // one for all situations of the call
		return awstest.Call{Name: name, Prepare: func(t *testing.T, transport http.RoundTripper) awstest.Prepared {
			client := sfn.NewFromConfig(config(t, nil))
			if machine == "" {
				machine = createMachine(t, client, untilStopped)
			}
			m := newMessage(t)
			direct := sfnexecutions.New(config(t, nil), machine, sfnexecutions.Standard)
			for _, step := range before {
				switch step {
				case "started":
					if err := direct.Start(t.Context(), m); err != nil {
						t.Fatal(err)
					}
				case "stopped":
					stopExecution(t, client, machine, m)
				}
			}
			x := sfnexecutions.New(config(t, transport), machine, sfnexecutions.Standard)
			return awstest.Prepared{
				ID: string(m.TaskID),
				Do: func(ctx context.Context) (any, error) {
					// A start waits as long as it may, up to 2 s after a throttle.
					ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
					defer cancel()
					return do(ctx, x, m)
				},
				State: func() any {
					status, err := direct.Status(t.Context(), m)
					if err != nil && !task.IsKind(err, task.NotFound) {
						t.Error(err)
					}
					return status
				},
			}
		}}
	}
	start := func(ctx context.Context, x task.Executions, m task.Message) (any, error) { return nil, x.Start(ctx, m) }
	status := func(ctx context.Context, x task.Executions, m task.Message) (any, error) { return x.Status(ctx, m) }
	history := func(ctx context.Context, x task.Executions, m task.Message) (any, error) {
		events, err := x.History(ctx, m)
		return len(events), err
	}
	running, ended := []string{"started"}, []string{"started", "stopped"}
	awstest.Sweep[task.Executions](t, []awstest.Call{
		call("Start", nil, start),
		call("Start, of what runs already", running, start),
		call("Start, of what has ended", ended, start),
		call("Status", running, status),
		call("Status, of what is not there", nil, status),
		call("History", ended, history),
		call("History, of what is not there", nil, history),
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	awstest.Outage(t, func(cfg aws.Config) task.Executions {
		return sfnexecutions.New(cfg, "arn:aws:states:eu-west-1:123456789012:stateMachine:m", sfnexecutions.Standard)
	}, "Start")
}

// TestStartWaitsForRoomAmongTheOpenExecutions until there is some, or its caller's time
// is up. What else the service refuses it does not ask for again.
func TestStartWaitsForRoomAmongTheOpenExecutions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refusals    int
		refusal     string
		want        task.Kind
		least, most int // requests; they are 5 s apart at most
	}{
		"which comes":                {10, "ExecutionLimitExceeded", "", 11, 11},
		"which does not":             {1000, "ExecutionLimitExceeded", task.Unavailable, 120, 500},
		"and not for permissions":    {1000, "AccessDeniedException", task.Unavailable, 1, 1},
		"and not for one that ended": {1000, "ExecutionAlreadyExists", task.Closed, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				transport := awstest.Answers(func(string, []byte) (int, string) {
					if requests++; requests <= test.refusals {
						return http.StatusBadRequest, fmt.Sprintf(`{"__type": %q, "message": "no"}`, test.refusal)
					}
					return http.StatusOK, `{"executionArn": "arn", "startDate": 1}`
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				x := sfnexecutions.New(awstest.FunctionConfig(transport), "arn:aws:states:eu-west-1:123456789012:stateMachine:m", sfnexecutions.Standard)
				err := x.Start(ctx, newMessage(t))
				if task.KindOf(err) != test.want || (err == nil) != (test.want == "") {
					t.Errorf("got %v, want kind %q", err, test.want)
				}
				if requests < test.least || requests > test.most {
					t.Errorf("got %d requests, want %d to %d", requests, test.least, test.most)
				}
			})
		})
	}
}

func TestExpressCannotBeAsked(t *testing.T) {
	t.Parallel()
	x := sfnexecutions.New(aws.Config{}, "arn:aws:states:eu-west-1:123456789012:stateMachine:m", sfnexecutions.Express)
	m := newMessage(t)
	if _, err := x.Status(t.Context(), m); !task.IsKind(err, task.Unsupported) {
		t.Errorf("Status: got %v, want kind %s", err, task.Unsupported)
	}
	if _, err := x.History(t.Context(), m); !task.IsKind(err, task.Unsupported) {
		t.Errorf("History: got %v, want kind %s", err, task.Unsupported)
	}
}

func newMessage(t *testing.T) task.Message {
	t.Helper()
	id, err := task.NewID()
	if err != nil {
		t.Fatal(err)
	}
	return task.Message{TaskID: id, Run: 1}
}

func stopExecution(t *testing.T, client *sfn.Client, machine string, m task.Message) task.ExecutionOutcome {
	t.Helper()
	running, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine})
	if err != nil {
		t.Fatalf("list executions: %v", err)
	}
	for _, e := range running.Executions {
		if *e.Name != m.ExecutionName() {
			continue
		}
		if _, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: e.ExecutionArn}); err != nil {
			t.Fatalf("stop execution: %v", err)
		}
		return task.ExecutionOutcome{Status: task.ExecutionAborted}
	}
	t.Fatalf("execution %s is not listed", m.ExecutionName())
	panic("unreachable")
}
