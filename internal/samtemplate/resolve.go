package samtemplate

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pseudo are the pseudo parameters of CloudFormation, as one machine has them.
var pseudo = map[string]string{
	"AWS::AccountId": "000000000000",
	"AWS::Partition": "aws",
	"AWS::Region":    "local",
	"AWS::StackName": "tasks-local",
}

// template is a parsed file with the values of its parameters.
type template struct {
	root       *yaml.Node
	parameters map[string]string
	used       map[string]bool // of the parameters
}

// parse reads a template. A parameter has the value that overrides gives it, or
// its default.
func parse(data []byte, overrides map[string]string) (*template, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a template: want a mapping")
	}
	t := &template{root: doc.Content[0], parameters: map[string]string{}, used: map[string]bool{}}
	var errs []error
	for name, p := range entries(child(t.root, "Parameters")) {
		value, given := overrides[name]
		if d := child(p, "Default"); !given && d != nil {
			value, given = d.Value, true
		}
		if !given {
			errs = append(errs, fmt.Errorf("parameter %s has no default: give it a value with --param %s=VALUE", name, name))
			continue
		}
		if err := checkParameter(p, value); err != nil {
			errs = append(errs, fmt.Errorf("parameter %s: %w", name, err))
		}
		t.parameters[name] = value
	}
	for name := range overrides {
		if _, ok := t.parameters[name]; !ok {
			errs = append(errs, fmt.Errorf("there is no parameter %s in the template", name))
		}
	}
	return t, errors.Join(errs...)
}

// checkParameter holds a value against the constraints of its parameter.
func checkParameter(p *yaml.Node, value string) error {
	if a := child(p, "AllowedValues"); a != nil {
		allowed := []string{}
		for _, v := range a.Content {
			allowed = append(allowed, v.Value)
		}
		if !slices.Contains(allowed, value) {
			return fmt.Errorf("%q is not allowed: want one of %s", value, strings.Join(allowed, ", "))
		}
	}
	if pattern := child(p, "AllowedPattern"); pattern != nil {
		re, err := regexp.Compile("^(?:" + pattern.Value + ")$")
		if err != nil {
			return fmt.Errorf("AllowedPattern: %w", err)
		}
		if !re.MatchString(value) {
			return fmt.Errorf("%q is not allowed: want a value that matches %s", value, pattern.Value)
		}
	}
	if kind := child(p, "Type"); kind == nil || kind.Value != "Number" {
		return nil
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", value)
	}
	for _, limit := range []struct {
		key  string
		sign float64
	}{{"MinValue", 1}, {"MaxValue", -1}} {
		if l := child(p, limit.key); l != nil {
			if bound, err := strconv.ParseFloat(l.Value, 64); err == nil && (n-bound)*limit.sign < 0 {
				return fmt.Errorf("%s is out of range: %s is %s", value, limit.key, l.Value)
			}
		}
	}
	return nil
}

// text resolves a node to its text: a literal, a Ref, a Sub or a GetAtt.
func (t *template) text(n *yaml.Node) (string, error) {
	if n == nil {
		return "", errors.New("missing")
	}
	tag, arg := n.Tag, n
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 { // the long form, {"Ref": "X"}
		switch name := n.Content[0].Value; name {
		case "Ref":
			tag, arg = "!Ref", n.Content[1]
		case "Fn::Sub", "Fn::GetAtt":
			tag, arg = "!"+strings.TrimPrefix(name, "Fn::"), n.Content[1]
		}
	}
	switch {
	case tag == "!Ref":
		return t.ref(arg.Value)
	case tag == "!GetAtt" && arg.Kind == yaml.SequenceNode && len(arg.Content) == 2:
		return t.attribute(arg.Content[0].Value + "." + arg.Content[1].Value)
	case tag == "!GetAtt":
		return t.attribute(arg.Value)
	case tag == "!Sub" && arg.Kind == yaml.ScalarNode:
		return t.sub(arg.Value)
	case n.Kind == yaml.ScalarNode && strings.HasPrefix(tag, "!!"):
		return n.Value, nil
	}
	return "", fmt.Errorf("line %d: one machine reads literals, Ref, Sub and GetAtt here, not %s", n.Line, describe(n))
}

func describe(n *yaml.Node) string {
	switch {
	case !strings.HasPrefix(n.Tag, "!!"):
		return n.Tag
	case n.Kind == yaml.MappingNode && len(n.Content) == 2:
		return n.Content[0].Value
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	}
	return "a list"
}

// ref is what Ref gives: a parameter's value, a queue's URL, a state machine's
// ARN, and the logical id of any other resource.
func (t *template) ref(name string) (string, error) {
	if v, ok := t.parameters[name]; ok {
		t.used[name] = true
		return v, nil
	}
	if v, ok := pseudo[name]; ok {
		return v, nil
	}
	resource := child(child(t.root, "Resources"), name)
	if resource == nil {
		return "", fmt.Errorf("there is no parameter and no resource %s", name)
	}
	switch kind := child(resource, "Type"); {
	case kind != nil && kind.Value == "AWS::SQS::Queue":
		return "https://sqs.local/" + pseudo["AWS::AccountId"] + "/" + name, nil
	case kind != nil && kind.Value == "AWS::Serverless::StateMachine":
		return t.attribute(name + ".Arn")
	}
	return name, nil
}

// services are the types of the resources that have an ARN on one machine, and
// the part of it before the name.
var services = map[string]string{
	"AWS::Serverless::Function":     "lambda:local:000000000000:function:",
	"AWS::Serverless::StateMachine": "states:local:000000000000:stateMachine:",
	"AWS::SQS::Queue":               "sqs:local:000000000000:",
}

// attribute is what GetAtt gives. Of all attributes one machine has Arn.
func (t *template) attribute(name string) (string, error) {
	id, attribute, _ := strings.Cut(name, ".")
	kind := child(child(child(t.root, "Resources"), id), "Type")
	if kind == nil || services[kind.Value] == "" || attribute != "Arn" {
		return "", fmt.Errorf("GetAtt %s: one machine knows the Arn of functions, queues and state machines only", name)
	}
	return "arn:aws:" + services[kind.Value] + id, nil
}

var placeholder = regexp.MustCompile(`\$\{[^}]+\}`)

// sub is what Sub gives.
func (t *template) sub(s string) (string, error) {
	var errs []error
	out := placeholder.ReplaceAllStringFunc(s, func(m string) string {
		name := m[2 : len(m)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		get := t.ref
		if strings.Contains(name, ".") {
			get = t.attribute
		}
		v, err := get(name)
		if err != nil {
			errs = append(errs, err)
		}
		return v
	})
	return out, errors.Join(errs...)
}

// child returns the value of a key of a mapping, nil if it isn't there.
func child(n *yaml.Node, key string) *yaml.Node {
	for k, v := range entries(n) {
		if k == key {
			return v
		}
	}
	return nil
}

// entries yields the keys and values of a mapping, in order; of anything else,
// nothing.
func entries(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n != nil && n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}
