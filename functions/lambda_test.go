package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"tasks/functions/process"
	"tasks/internal/awsconfig"
	"tasks/internal/dynamotable"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// expectations returns the part of each event's answer that is looked at, by
// the event's name.
func expectations(t *testing.T) map[string]any {
	t.Helper()
	var want map[string]any
	readJSON(t, "../events/expected.json", &want)
	return want
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// sampleEvents returns the names of the files in events/ that are events.
func sampleEvents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../events/*-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got events %q, %v", files, err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return files
}

// functionOf returns the logical id of the function that an event is for.
func functionOf(event string) string {
	name, _, _ := strings.Cut(event, "-")
	return strings.ToUpper(name[:1]) + name[1:] + "Function"
}

// TestEventsUnderTheRuntimeInterfaceEmulator runs each event on the executable
// of its function. scripts/test-lambda sets what it needs.
func TestEventsUnderTheRuntimeInterfaceEmulator(t *testing.T) {
	emulator, artifacts := os.Getenv("TASKS_TEST_RIE"), os.Getenv("TASKS_TEST_ARTIFACTS")
	if emulator == "" {
		t.Skip("TASKS_TEST_RIE is not set: see scripts/test-lambda")
	}
	var environment map[string]map[string]string
	readJSON(t, os.Getenv("TASKS_TEST_LAMBDA_ENVIRONMENT"), &environment)
	want := expectations(t)
	for _, event := range sampleEvents(t) {
		t.Run(event, func(t *testing.T) {
			body, err := os.ReadFile("../events/" + event + ".json")
			if err != nil {
				t.Fatal(err)
			}
			function := functionOf(event)
			newAccount(t, environment)
			givenFor(t, event, body, environment["ProcessFunction"]["TABLE_NAME"])
			got := invoke(t, emulator, filepath.Join(artifacts, function, "bootstrap"), environment[function], body)
			if diff := cmp.Diff(want[event], common(want[event], got)); diff != "" || want[event] == nil {
				t.Errorf("got %v (-want +got, where they differ):\n%s", got, diff)
			}
		})
	}
}

// common returns got without the members that want does not have.
func common(want, got any) any {
	wanted, ok1 := want.(map[string]any)
	object, ok2 := got.(map[string]any)
	if !ok1 || !ok2 {
		return got
	}
	object = maps.Clone(object)
	maps.DeleteFunc(object, func(name string, _ any) bool { _, ok := wanted[name]; return !ok })
	for name, value := range object {
		object[name] = common(wanted[name], value)
	}
	return object
}

// invoke runs one event on an executable, in an execution environment of its own.
func invoke(t *testing.T, emulator, executable string, environment map[string]string, event []byte) any {
	t.Helper()
	front, api := freeAddress(t), freeAddress(t)
	cmd := exec.Command(emulator, "--log-level", "warn", "--runtime-interface-emulator-address", front, "--runtime-api-address", api, executable)
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	// Where the emulated services are, which a function in an account has no need of.
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "AWS_ENDPOINT_URL="+os.Getenv("AWS_ENDPOINT_URL"), "SSL_CERT_FILE="+os.Getenv("SSL_CERT_FILE"))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("output:\n%s", output.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, err := post(ctx, "http://"+front+"/2015-03-31/functions/function/invocations", event)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer any
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("got %s, %q: %v", resp.Status, b, err)
	}
	return answer
}

// post sends a request as soon as there is a server.
func post(ctx context.Context, url string, body []byte) (*http.Response, error) {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
			return resp, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newAccount empties the emulated account, and creates what the functions'
// environment names.
func newAccount(t *testing.T, environment map[string]map[string]string) {
	t.Helper()
	cfg := sdkConfig(t)
	resp, err := post(t.Context(), *cfg.BaseEndpoint+"/_ministack/reset", nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("reset: %v, %v", resp, err)
	}
	resp.Body.Close()
	env := environment["ReconcileFunction"]
	createTable(t, cfg, env["TABLE_NAME"])
	for _, url := range []string{env["TASK_QUEUE_URL"], env["DEAD_LETTER_QUEUE_URL"]} {
		if _, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(path.Base(url))}); err != nil {
			t.Fatal(err)
		}
	}
	arn := env["STATE_MACHINE_ARN"]
	created, err := sfn.NewFromConfig(cfg).CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String(arn[strings.LastIndex(arn, ":")+1:]), RoleArn: aws.String("arn:aws:iam::123456789012:role/any"),
		Definition: aws.String(`{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}`),
	})
	if err != nil || *created.StateMachineArn != arn {
		t.Fatalf("got %v, %v, want state machine %s", created, err, arn)
	}
}

func sdkConfig(t *testing.T) aws.Config {
	t.Helper()
	env := awsconfig.NewEnvironment(os.Getenv)
	cfg := env.SDK()
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// createTable creates the table as the template has it.
func createTable(t *testing.T, cfg aws.Config, name string) {
	t.Helper()
	var all map[string]any
	resource(t, "TaskTable", &all)
	maps.DeleteFunc(all, func(name string, _ any) bool {
		return !slices.Contains([]string{"BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"}, name)
	})
	properties, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	in := dynamodb.CreateTableInput{TableName: &name}
	if err := json.Unmarshal(properties, &in); err != nil {
		t.Fatal(err)
	}
	if _, err := dynamodb.NewFromConfig(cfg).CreateTable(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
}

// givenFor writes the records that an event is about: an ordinary task of an
// hour ago, with the attempts that the event has behind it, and a dead one.
func givenFor(t *testing.T, event string, body []byte, table string) {
	t.Helper()
	store := dynamotable.New(sdkConfig(t), table)
	ago := time.Now().Add(-time.Hour)
	err := tasktest.Create(t.Context(), store, task.New(ordinary, "42", ago))
	if err != nil {
		t.Fatal(err)
	}
	d := task.New(dead, "43", ago)
	err = tasktest.Create(t.Context(), store, d)
	letter := task.MarkRequest{DeadLetter: task.DeadLetter{Message: d.Message(), Error: "WorkerError"}, Now: task.At(ago), Retention: 24 * time.Hour}
	_, _, err1 := store.MarkDead(t.Context(), letter)
	_, _, err2 := store.Redrive(t.Context(), task.Message{TaskID: dead}, task.At(ago))
	letter.DeadLetter.Message.Run = 2
	_, _, err3 := store.MarkDead(t.Context(), letter)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(event, "process-") {
		return
	}
	var in process.Input
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatal(err)
	}
	for n := range in.RetryCount {
		now := task.At(time.Now().Add(-10 * time.Second))
		_, _, errClaim := store.Claim(t.Context(), task.ClaimRequest{Message: in.Message, ExecutionID: in.ExecutionID, RetryCount: n, Token: fmt.Sprint(n), Now: now, Lease: time.Minute})
		errFinish := store.Finish(t.Context(), task.FinishRequest{ID: in.TaskID, Token: fmt.Sprint(n), Now: now, Err: &task.Failure{Type: "WorkerError"}})
		if err := errors.Join(errClaim, errFinish); err != nil {
			t.Fatal(err)
		}
	}
}
