// Package samtemplate reads from a SAM template what the one-machine host needs
// to know of the system: functions with their timeouts and environment, routes,
// queues, event source mappings, schedules and the state machine.
//
// Values may be literals, Globals, and Ref, Sub or GetAtt of parameters and
// resources. Names, ARNs and URLs of resources end in their logical id. Anything
// else that the host needs and can't read is an error by name; what the host has
// no use for is not looked at.
package samtemplate

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// LogicalID returns the logical id of the resource that an ARN, a URL or a name
// stands for.
func LogicalID(name string) string {
	return name[strings.LastIndexAny(name, ":/")+1:]
}

// System is what a template describes. Functions, queues and the state machine
// go by their logical ids.
type System struct {
	Functions    map[string]Function
	Routes       []Route
	Queues       map[string]Queue
	Mappings     []Mapping
	Schedules    []Schedule
	StateMachine StateMachine
	// Unused are the parameters that were given a value and that nothing here depends
	// on, sorted.
	Unused []string
}

// Function is an AWS::Serverless::Function.
type Function struct {
	// Name is the folder below functions/ that CodeUri names.
	Name        string
	Timeout     time.Duration
	Environment map[string]string
}

// Route is an AWS::ApiGatewayV2::Route.
type Route struct {
	Key      string // "POST /tasks", or "$default"
	Function string
}

// Queue is an AWS::SQS::Queue.
type Queue struct {
	VisibilityTimeout time.Duration
	// MaxReceiveCount and DeadLetterQueue are the redrive policy; 0 and ""
	// without one.
	MaxReceiveCount int
	DeadLetterQueue string
}

// Mapping is a function's event of type SQS.
type Mapping struct {
	Function  string
	Queue     string
	BatchSize int
}

// Schedule is a function's event of type ScheduleV2 with a rate.
type Schedule struct {
	Function string
	Every    time.Duration
}

// StateMachine is an AWS::Serverless::StateMachine.
type StateMachine struct {
	ID            string
	ARN           string
	DefinitionURI string
	Substitutions map[string]string
}

// Parse reads a template. A parameter has the value that parameters gives it,
// or its default. All problems are reported together.
func Parse(data []byte, parameters map[string]string) (*System, error) {
	t, err := parse(data, parameters)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	r := &reader{template: t, system: &System{Functions: map[string]Function{}, Queues: map[string]Queue{}}}
	for id, resource := range entries(child(t.root, "Resources")) {
		properties := child(resource, "Properties")
		switch kind := child(resource, "Type"); {
		case kind == nil:
		case kind.Value == "AWS::Serverless::Function":
			r.function(id, properties)
		case kind.Value == "AWS::SQS::Queue":
			r.queue(id, properties)
		case kind.Value == "AWS::ApiGatewayV2::Route":
			r.route(id, properties)
		case kind.Value == "AWS::Serverless::StateMachine":
			r.stateMachine(id, properties)
		}
	}
	if len(r.errs) > 0 {
		return nil, fmt.Errorf("template: %w", errors.Join(r.errs...))
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if !t.used[name] {
			r.system.Unused = append(r.system.Unused, name)
		}
	}
	return r.system, nil
}

// maxNumber bounds every number: so many days still are a time.Duration, and AWS
// takes less for each of them.
const maxNumber = 100_000

// reader fills a System and collects what is wrong.
type reader struct {
	*template
	system *System
	errs   []error
}

func (r *reader) function(id string, p *yaml.Node) {
	globals := child(child(r.root, "Globals"), "Function")
	timeout := child(p, "Timeout")
	if timeout == nil {
		timeout = child(globals, "Timeout")
	}
	f := Function{
		Name:        path.Base(path.Dir(path.Clean(r.string(id+".CodeUri", child(p, "CodeUri"))))),
		Timeout:     r.seconds(id+".Timeout", timeout),
		Environment: map[string]string{},
	}
	for _, environment := range []*yaml.Node{child(globals, "Environment"), child(p, "Environment")} {
		for name, value := range entries(child(environment, "Variables")) {
			f.Environment[name] = r.string(id+".Environment."+name, value)
		}
	}
	r.system.Functions[id] = f
	for name, event := range entries(child(p, "Events")) {
		r.event(id, id+".Events."+name, event)
	}
}

func (r *reader) event(function, at string, event *yaml.Node) {
	p := child(event, "Properties")
	switch kind := r.string(at+".Type", child(event, "Type")); kind {
	case "SQS":
		r.system.Mappings = append(r.system.Mappings, Mapping{
			Function:  function,
			Queue:     LogicalID(r.string(at+".Queue", child(p, "Queue"))),
			BatchSize: r.number(at+".BatchSize", child(p, "BatchSize")),
		})
		responses := child(p, "FunctionResponseTypes")
		if responses == nil || len(responses.Content) != 1 || responses.Content[0].Value != "ReportBatchItemFailures" {
			r.fail(at+".FunctionResponseTypes", errors.New("want [ReportBatchItemFailures]"))
		}
	case "ScheduleV2", "Schedule":
		expression := child(p, "ScheduleExpression")
		if kind == "Schedule" {
			expression = child(p, "Schedule")
		}
		every, err := parseRate(r.string(at+".ScheduleExpression", expression))
		if err != nil {
			r.fail(at+".ScheduleExpression", err)
		}
		r.system.Schedules = append(r.system.Schedules, Schedule{Function: function, Every: every})
	default:
		r.fail(at+".Type", fmt.Errorf("one machine has no event source %q: want SQS or ScheduleV2", kind))
	}
}

// parseRate reads the rate expression of a schedule: rate(5 minutes).
func parseRate(s string) (time.Duration, error) {
	var n int
	var unit string
	inner, ok := strings.CutPrefix(s, "rate(")
	if inner, closed := strings.CutSuffix(inner, ")"); ok && closed {
		if _, err := fmt.Sscanf(inner, "%d %s", &n, &unit); err == nil && n > 0 && n <= maxNumber {
			switch strings.TrimSuffix(unit, "s") {
			case "minute":
				return time.Duration(n) * time.Minute, nil
			case "hour":
				return time.Duration(n) * time.Hour, nil
			case "day":
				return time.Duration(n) * 24 * time.Hour, nil
			}
		}
	}
	return 0, fmt.Errorf("one machine reads rates, such as rate(1 minute), not %q", s)
}

func (r *reader) queue(id string, p *yaml.Node) {
	q := Queue{VisibilityTimeout: 30 * time.Second} // SQS's default
	if v := child(p, "VisibilityTimeout"); v != nil {
		q.VisibilityTimeout = r.seconds(id+".VisibilityTimeout", v)
	}
	if policy := child(p, "RedrivePolicy"); policy != nil {
		q.MaxReceiveCount = r.number(id+".RedrivePolicy.maxReceiveCount", child(policy, "maxReceiveCount"))
		q.DeadLetterQueue = LogicalID(r.string(id+".RedrivePolicy.deadLetterTargetArn", child(policy, "deadLetterTargetArn")))
	}
	r.system.Queues[id] = q
}

func (r *reader) route(id string, p *yaml.Node) {
	integration := strings.TrimPrefix(r.string(id+".Target", child(p, "Target")), "integrations/")
	uri := child(child(child(child(r.root, "Resources"), integration), "Properties"), "IntegrationUri")
	r.system.Routes = append(r.system.Routes, Route{
		Key:      r.string(id+".RouteKey", child(p, "RouteKey")),
		Function: LogicalID(r.string(integration+".IntegrationUri", uri)),
	})
}

func (r *reader) stateMachine(id string, p *yaml.Node) {
	arn, err := r.attribute(id + ".Arn")
	if err != nil {
		r.fail(id, err)
	}
	m := StateMachine{ID: id, ARN: arn, DefinitionURI: r.string(id+".DefinitionUri", child(p, "DefinitionUri")), Substitutions: map[string]string{}}
	for name, value := range entries(child(p, "DefinitionSubstitutions")) {
		m.Substitutions[name] = r.string(id+".DefinitionSubstitutions."+name, value)
	}
	if r.system.StateMachine.ID != "" {
		r.fail(id, errors.New("one machine runs one state machine"))
	}
	r.system.StateMachine = m
}

func (r *reader) fail(at string, err error) { r.errs = append(r.errs, fmt.Errorf("%s: %w", at, err)) }

func (r *reader) string(at string, n *yaml.Node) string {
	s, err := r.text(n)
	if err != nil {
		r.fail(at, err)
	}
	return s
}

func (r *reader) number(at string, n *yaml.Node) int {
	s, err := r.text(n)
	if err != nil {
		r.fail(at, err)
		return 0
	}
	i, err := strconv.Atoi(s)
	if err != nil || i < 1 || i > maxNumber {
		r.fail(at, fmt.Errorf("%q: want a whole number from 1 to %d", s, maxNumber))
	}
	return i
}

func (r *reader) seconds(at string, n *yaml.Node) time.Duration {
	return time.Duration(r.number(at, n)) * time.Second
}
