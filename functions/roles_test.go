package functions_test

import (
	"go/ast"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// resource decodes the properties of a resource in the template, in which a
// function such as !GetAtt is read as what it is of.
func resource(t *testing.T, id string, properties any) {
	t.Helper()
	node := resources(t)[id].Properties
	if err := node.Decode(properties); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
}

// templated is a resource of the template.
type templated struct {
	Type       string    `yaml:"Type"`
	Properties yaml.Node `yaml:"Properties"`
}

func resources(t *testing.T) map[string]templated {
	t.Helper()
	b, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]templated `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(b, &template); err != nil {
		t.Fatal(err)
	}
	return template.Resources
}

// oneOrMore is a string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*o = oneOrMore{node.Value}
		return nil
	}
	return node.Decode((*[]string)(o))
}

// granted returns what the role of a function allows, as "service:Operation of
// Resource", without what its logs, its traces and the delivery of its events
// need.
func granted(t *testing.T, function string) []string {
	t.Helper()
	var role struct {
		Policies []struct {
			PolicyDocument struct {
				Statement []struct {
					Sid      string    `yaml:"Sid"`
					Action   oneOrMore `yaml:"Action"`
					Resource oneOrMore `yaml:"Resource"`
				} `yaml:"Statement"`
			} `yaml:"PolicyDocument"`
		} `yaml:"Policies"`
	}
	resource(t, strings.TrimSuffix(function, "Function")+"Role", &role)
	all := map[string]bool{}
	for _, policy := range role.Policies {
		for _, s := range policy.PolicyDocument.Statement {
			if s.Sid == "Log" || s.Sid == "Trace" || s.Sid == "ConsumeQueue" || s.Sid == "ConsumeStream" {
				continue
			}
			for _, action := range s.Action {
				for _, resource := range s.Resource {
					all[action+" of "+resource] = true
				}
			}
		}
	}
	return sortedKeys(all)
}

// adapters are the fields of the handlers, the packages behind them, and the
// resource that each works on, as the template refers to it.
var adapters = map[string]struct{ folder, sdk, action, resource string }{
	"Store":           {"../internal/dynamotable", "dynamodb", "dynamodb", "TaskTable.Arn"},
	"Counter":         {"../internal/dynamotable", "dynamodb", "dynamodb", "TaskTable.Arn"},
	"Queue":           {"../internal/sqsqueue", "sqs", "sqs", "TaskQueue.Arn"},
	"DeadLetterQueue": {"../internal/sqsqueue", "sqs", "sqs", "DeadLetterQueue.Arn"},
	"Executions":      {"../internal/sfnexecutions", "sfn", "states", "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${TaskStateMachine.Name}:*"},
	"Metrics":         {"../internal/cwmetrics", "cloudwatch", "cloudwatch", "*"},
}

// elsewhere are the operations whose resource is another one than the adapter's.
var elsewhere = map[string]string{
	"dynamodb:Query":        "${TaskTable.Arn}/index/byClass",
	"states:StartExecution": "TaskStateMachine",
}

// operations returns the operations of an AWS service that a method of a
// package calls, itself or by what it refers to in that package: functions are
// told apart by name alone, so there may be one too many, and never too few. An
// operation is known by its input, such as dynamodb.PutItemInput. A role allows
// what a transaction is made of, such as types.Put, and not the transaction.
func operations(t *testing.T, folder, sdk, method string) map[string]bool {
	t.Helper()
	bodies := map[string][]ast.Node{}
	for _, file := range parse(t, folder) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				bodies[f.Name.Name] = append(bodies[f.Name.Name], f.Body)
			}
		}
	}
	found, seen := map[string]bool{}, map[string]bool{}
	var follow func(name string)
	follow = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, body := range bodies[name] {
			ast.Inspect(body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CompositeLit:
					if input, ok := n.Type.(*ast.SelectorExpr); ok {
						operation, isInput := strings.CutSuffix(input.Sel.Name, "Input")
						pkg, _ := input.X.(*ast.Ident)
						switch {
						case pkg == nil:
						case isInput && pkg.Name == sdk && operation == "SendMessageBatch":
							found["SendMessage"] = true // its action's name
						case isInput && pkg.Name == sdk && operation != "TransactWriteItems":
							found[operation] = true
						case pkg.Name == "types" && (input.Sel.Name == "Put" || input.Sel.Name == "Update"):
							found[input.Sel.Name+"Item"] = true
						}
					}
				case *ast.Ident:
					if bodies[n.Name] != nil {
						follow(n.Name)
					}
				}
				return true
			})
		}
	}
	if bodies[method] == nil {
		t.Fatalf("%s has no method %s", folder, method)
	}
	follow(method)
	if len(found) == 0 {
		t.Fatalf("%s: %s calls nothing", folder, method)
	}
	return found
}

// TestRolesAllowWhatTheFunctionsCall compares each role with the calls in the
// sources of its function: nothing may be missing, and nothing left over.
func TestRolesAllowWhatTheFunctionsCall(t *testing.T) {
	t.Parallel()
	for id, f := range readSystem(t).Functions {
		called := map[string]bool{}
		for _, file := range parse(t, f.Name) {
			ast.Inspect(file, func(n ast.Node) bool {
				method, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				field, ok := method.X.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				adapter, ok := adapters[field.Sel.Name]
				if !ok {
					return true
				}
				for operation := range operations(t, adapter.folder, adapter.sdk, method.Sel.Name) {
					action := adapter.action + ":" + operation
					resource := adapter.resource
					if other := elsewhere[action]; other != "" {
						resource = other
					}
					called[action+" of "+resource] = true
				}
				return true
			})
		}
		diff(t, id+"'s role", slices.Sorted(maps.Keys(called)), granted(t, id))
	}
}

// TestTheAPIMayInvokeItsFunctions compares the routes with the functions'
// permissions, of which the API's gateway needs one for each route: nothing may be
// missing, and nothing left over.
func TestTheAPIMayInvokeItsFunctions(t *testing.T) {
	t.Parallel()
	const api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${TaskApi}/"
	type permission struct{ FunctionName, SourceArn string }
	used := map[permission]bool{}
	for _, r := range resources(t) {
		if r.Type != "AWS::Lambda::Permission" {
			continue
		}
		var p struct {
			FunctionName string `yaml:"FunctionName"`
			SourceArn    string `yaml:"SourceArn"`
		}
		if err := r.Properties.Decode(&p); err != nil {
			t.Fatal(err)
		}
		used[permission{p.FunctionName, p.SourceArn}] = false
	}
	for _, route := range readSystem(t).Routes {
		// What the gateway says it invokes for: the stage, then the route.
		source := api + "dev/" + strings.ReplaceAll(strings.Replace(route.Key, " ", "", 1), "{taskId}", "*")
		allowed := false
		for p := range used {
			// As IAM matches an ARN: a star is any text.
			pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(p.SourceArn), `\*`, ".*") + "$"
			if p.FunctionName == route.Function && regexp.MustCompile(pattern).MatchString(source) {
				allowed, used[p] = true, true
			}
		}
		if !allowed {
			t.Errorf("%s: the API may not invoke %s: no permission is for %s", route.Key, route.Function, source)
		}
	}
	for p, needed := range used {
		if !needed {
			t.Errorf("%s: no route needs the permission for %s", p.FunctionName, p.SourceArn)
		}
	}
}

// TestAlarmsCountWhatTheyFetch: the sum of an alarm has all of its metrics in it.
func TestAlarmsCountWhatTheyFetch(t *testing.T) {
	t.Parallel()
	sums := 0
	for id, r := range resources(t) {
		var alarm struct {
			Metrics []struct {
				ID         string `yaml:"Id"`
				Expression string `yaml:"Expression"`
			} `yaml:"Metrics"`
		}
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		if err := r.Properties.Decode(&alarm); err != nil {
			t.Fatal(err)
		}
		sum := ""
		for _, m := range alarm.Metrics {
			sum += m.Expression
		}
		for _, m := range alarm.Metrics {
			if m.Expression == "" && !strings.Contains(sum, "FILL("+m.ID+",0)") {
				t.Errorf("%s: %s is not in %q", id, m.ID, sum)
			}
		}
		if sum != "" {
			sums++
		}
	}
	if sums != 2 {
		t.Errorf("%d alarms are sums, want the two over all functions", sums)
	}
}
