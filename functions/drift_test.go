package functions_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"tasks/internal/api"
	"tasks/internal/samtemplate"
)

// These tests fail when template, state machine, sample events and functions
// disagree. What they have in common with the host is tested there.

// stackName is the stack of the dev stage, as samconfig.toml has it and the
// sample events show it.
const stackName = "tasks-dev"

func readSystem(t *testing.T) *samtemplate.System {
	t.Helper()
	b, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	system, err := samtemplate.Parse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return system
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestEveryFunctionIsInTheTemplateAndHasEvents(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("*/bootstrap/main.go")
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]bool{}
	for _, file := range mains {
		folders[functionOf(filepath.Dir(filepath.Dir(file)))] = true
	}
	inTemplate := map[string]bool{}
	for id, f := range readSystem(t).Functions {
		inTemplate[id] = true
		if functionOf(f.Name) != id {
			t.Errorf("%s has the code of functions/%s", id, f.Name)
		}
	}
	withEvents, expected := map[string]bool{}, map[string]bool{}
	for _, event := range sampleEvents(t) {
		withEvents[functionOf(event)], expected[event] = true, true
	}
	diff(t, "functions in the template and folders with a bootstrap", sortedKeys(inTemplate), sortedKeys(folders))
	diff(t, "functions in the template and functions with events", sortedKeys(inTemplate), sortedKeys(withEvents))
	diff(t, "events and expected.json", sortedKeys(expected), sortedKeys(expectations(t)))
}

func TestTheSampleEnvironmentIsTheTemplates(t *testing.T) {
	t.Parallel()
	var samples map[string]map[string]string
	readJSON(t, "../events/env.json", &samples)
	system := readSystem(t)
	diff(t, "functions", sortedKeys(system.Functions), sortedKeys(samples))
	values := map[string]string{}
	for id, f := range system.Functions {
		diff(t, id+"'s variables", sortedKeys(f.Environment), sortedKeys(samples[id]))
		for name, value := range samples[id] {
			if values[name] != "" && values[name] != value {
				t.Errorf("%s is %q for one function and %q for another", name, values[name], value)
			}
			values[name] = value
			// Names and ARNs are the account's; the rest is the template's.
			if declared := f.Environment[name]; name == "METRIC_NAMESPACE" || name == "WORKFLOW_TYPE" || name == "RETENTION_DAYS" {
				diff(t, id+"'s "+name, declared, value)
			}
		}
	}
}

// TestFunctionsReadTheVariablesThatTheyAreGiven compares the template with the
// names in the sources: the arguments of Required and getenv.
func TestFunctionsReadTheVariablesThatTheyAreGiven(t *testing.T) {
	t.Parallel()
	for id, f := range readSystem(t).Functions {
		read := map[string]bool{"SSL_CERT_DIR": true} // by Go itself
		for _, file := range parse(t, f.Name, path.Join(f.Name, "bootstrap")) {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 1 {
					return true
				}
				name := ""
				switch fun := call.Fun.(type) {
				case *ast.Ident:
					name = fun.Name
				case *ast.SelectorExpr:
					name = fun.Sel.Name
				}
				if literal, ok := call.Args[0].(*ast.BasicLit); ok && (name == "Required" || name == "getenv") {
					variable, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					read[variable] = true
				}
				return true
			})
		}
		diff(t, id+"'s variables", sortedKeys(f.Environment), sortedKeys(read))
	}
}

// parse returns the Go files in folders, without tests.
func parse(t *testing.T, folders ...string) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, folder := range folders {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: got %q, %v", folder, names, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	return files
}

// TestEventsAreOfThisSystem looks at what ties an event to the template and to
// the state machine: routes and stage, queues, execution and members.
func TestEventsAreOfThisSystem(t *testing.T) {
	t.Parallel()
	system := readSystem(t)
	machine := readMachine(t)
	var environment map[string]map[string]string
	readJSON(t, "../events/env.json", &environment)
	executions := strings.Replace(environment["StatusFunction"]["STATE_MACHINE_ARN"], ":stateMachine:", ":execution:", 1) + ":"
	for _, name := range sampleEvents(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, id := "../events/"+name+".json", functionOf(name)
			var kind struct {
				RouteKey  string
				Records   []events.SQSMessage
				Resources []string
			}
			readJSON(t, file, &kind)
			switch {
			case kind.RouteKey != "":
				var req api.Request
				readJSON(t, file, &req)
				if !slices.Contains(system.Routes, samtemplate.Route{Key: req.RouteKey, Function: id}) {
					t.Errorf("the template has no route %q to %s", req.RouteKey, id)
				}
				stage := req.RequestContext.Stage
				if "tasks-"+stage != stackName || !strings.HasPrefix(req.RawPath, "/"+stage+"/") {
					t.Errorf("got stage %q and path %q", stage, req.RawPath)
				}
				path := strings.TrimPrefix(req.RawPath, "/"+stage)
				want := gatewayEvent(badRequest{method: req.RequestContext.HTTP.Method}, path)
				diff(t, "the route and its parameters", []any{want.RouteKey, want.PathParameters}, []any{req.RouteKey, req.PathParameters})
			case len(kind.Records) > 0 && kind.Records[0].EventSource == "aws:dynamodb":
				table := "arn:aws:dynamodb:us-east-1:123456789012:table/" + environment[id]["TABLE_NAME"] + "/stream/"
				for _, r := range kind.Records {
					if !strings.HasPrefix(r.EventSourceARN, table) {
						t.Errorf("got a record of %q, want one of the table in env.json", r.EventSourceARN)
					}
				}
			case len(kind.Records) > 0:
				i := slices.IndexFunc(system.Mappings, func(m samtemplate.Mapping) bool { return m.Function == id })
				if i < 0 {
					t.Fatalf("the template maps no queue to %s", id)
				}
				if len(kind.Records) > system.Mappings[i].BatchSize {
					t.Errorf("got %d messages, and batches have %d at most", len(kind.Records), system.Mappings[i].BatchSize)
				}
				want := queueName(t, system.Mappings[i].Queue)
				for _, m := range kind.Records {
					if got := samtemplate.LogicalID(m.EventSourceARN); got != want {
						t.Errorf("got a message of the queue %q, want %q", got, want)
					}
					checkLetter(t, m, machine, executions)
				}
			case strings.HasPrefix(name, "process-"):
				var payload map[string]any
				readJSON(t, file, &payload)
				diff(t, "the payload's members", members(machine.States["Process"].Parameters["Payload"]), sortedKeys(payload))
				if e := fmt.Sprint(payload["executionId"]); e != executions+fmt.Sprintf("%v-%v", payload["taskId"], payload["run"]) {
					t.Errorf("got the execution %q, want one of the state machine in env.json, named for the task and its run", e)
				}
			case len(kind.Resources) > 0:
				if !slices.ContainsFunc(system.Schedules, func(s samtemplate.Schedule) bool { return s.Function == id }) ||
					!strings.Contains(kind.Resources[0], "/"+stackName+"-"+id) {
					t.Errorf("got an event of %q: the template has no such schedule of %s", kind.Resources, id)
				}
			default:
				t.Error("this is no event that the system has")
			}
		})
	}
}

// checkLetter checks that what the state machine's dead letters say is what
// those among the sample events say.
func checkLetter(t *testing.T, m events.SQSMessage, machine stateMachine, executions string) {
	t.Helper()
	var letter map[string]any
	if json.Unmarshal([]byte(m.Body), &letter) != nil || letter["executionId"] == nil {
		return // not a dead letter of the state machine
	}
	diff(t, "the dead letter's members", members(machine.States["DeadLetter"].Parameters["MessageBody"]), sortedKeys(letter))
	if e := fmt.Sprint(letter["executionId"]); !strings.HasPrefix(e, executions) {
		t.Errorf("got the execution %q, want one of the state machine in env.json", e)
	}
}

type stateMachine struct {
	States map[string]struct{ Parameters map[string]json.RawMessage }
}

func readMachine(t *testing.T) (machine stateMachine) {
	t.Helper()
	readJSON(t, "../statemachine/task.asl.json", &machine)
	return machine
}

// members returns the names of a payload template's members.
func members(template json.RawMessage) []string {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(template, &object); err != nil {
		return []string{err.Error()}
	}
	names := sortedKeys(object)
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, ".$")
	}
	slices.Sort(names)
	return names
}

func queueName(t *testing.T, id string) string {
	t.Helper()
	var queue struct {
		QueueName string `yaml:"QueueName"`
	}
	resource(t, id, &queue)
	return strings.ReplaceAll(queue.QueueName, "${AWS::StackName}", stackName)
}

func TestTheDefinitionsSubstitutionsAreTheTemplates(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../statemachine/task.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllSubmatch(b, -1) {
		used[string(m[1])] = true
	}
	diff(t, "substitutions", sortedKeys(readSystem(t).StateMachine.Substitutions), sortedKeys(used))
}

// TestTimeoutsFitTheirCallers: the limits are those of "Quotas for HTTP APIs"
// and of "Using Lambda with Amazon SQS".
func TestTimeoutsFitTheirCallers(t *testing.T) {
	t.Parallel()
	system := readSystem(t)
	for _, r := range system.Routes {
		if limit := system.Functions[r.Function].Timeout; limit >= 30*time.Second {
			t.Errorf("%s may take %v, and API Gateway gives up after 30 s", r.Function, limit)
		}
	}
	for _, m := range system.Mappings {
		if limit, hidden := system.Functions[m.Function].Timeout, system.Queues[m.Queue].VisibilityTimeout; hidden < 6*limit {
			t.Errorf("%s hides a message for %v, want 6 times %s's %v at least", m.Queue, hidden, m.Function, limit)
		}
	}
	for _, s := range system.Schedules {
		if limit := system.Functions[s.Function].Timeout; limit >= s.Every {
			t.Errorf("%s may take %v and begins every %v", s.Function, limit, s.Every)
		}
	}
}
