package asl

import (
	"fmt"
	"strings"
)

// choiceState goes where the first rule that holds leads.
type choiceState struct {
	base
	rules    []choiceRule
	fallback target // Default
}

type choiceRule struct {
	condition condition
	assign    *template
	next      target
}

// condition is a comparison, or And, Or, Not of conditions.
type condition interface {
	holds(x *Execution, t *thread, input any) (bool, *failure)
}

type conditionAnd []condition
type conditionOr []condition
type conditionNot struct{ of condition }

func (c conditionAnd) holds(x *Execution, t *thread, input any) (bool, *failure) {
	for _, e := range c {
		if ok, fail := e.holds(x, t, input); !ok || fail != nil {
			return false, fail
		}
	}
	return true, nil
}

func (c conditionOr) holds(x *Execution, t *thread, input any) (bool, *failure) {
	for _, e := range c {
		if ok, fail := e.holds(x, t, input); ok || fail != nil {
			return ok, fail
		}
	}
	return false, nil
}

func (c conditionNot) holds(x *Execution, t *thread, input any) (bool, *failure) {
	ok, fail := c.of.holds(x, t, input)
	return !ok, fail
}

// comparison applies one operator to a variable and a constant, or to the value
// of a second path.
type comparison struct {
	variable *path
	op       string // without "Path"
	compare  func(a, b any) bool
	constant any
	other    *path
}

func (p *parser) choice(f *fields, b base) state {
	s := &choiceState{base: b}
	f.inputOutput(&s.base)
	if rules, ok := f.array("Choices"); ok && len(rules) == 0 {
		p.report(f.place("Choices"), "must not be empty")
	} else if !f.has("Choices") {
		p.report(f.place("Choices"), "is missing")
	}
	f.each("Choices", func(g *fields, _ bool) {
		g.what = "a choice rule"
		r := choiceRule{assign: g.assign("Assign")}
		r.next.name, _ = g.requiredStr("Next")
		r.condition = g.condition(1)
		g.done()
		s.rules = append(s.rules, r)
	})
	if name, ok := f.str("Default"); ok {
		s.fallback.name = name
		if name == "" {
			p.report(f.place("Default"), "must name a state")
		}
	}
	return s
}

// maxConditionDepth bounds And, Or and Not in each other; it is a limit of this
// package.
const maxConditionDepth = 100

// condition parses the condition that the object holds, besides Next and Assign.
func (f *fields) condition(depth int) condition {
	f.str("Comment")
	if depth > maxConditionDepth {
		f.p.report(f.at, "conditions nest deeper than %d levels", maxConditionDepth)
		return conditionAnd{}
	}
	n := 0
	var c condition
	for _, key := range []string{"And", "Or", "Not"} {
		if f.has(key) {
			n++
			c = f.combined(key, depth)
		}
	}
	if f.has("Variable") || n == 0 && !f.has("Condition") {
		n++
		c = f.comparison()
	}
	if n > 1 {
		f.p.report(f.at, "must have exactly one of And, Or, Not and Variable")
	}
	return c
}

func (f *fields) combined(key string, depth int) condition {
	if key == "Not" {
		o, ok := f.object(key)
		if !ok {
			return nil
		}
		return conditionNot{f.inner(f.place(key), o, depth)}
	}
	a, ok := f.array(key)
	if ok && len(a) == 0 {
		f.p.report(f.place(key), "must not be empty")
	}
	var all []condition
	for i, v := range a {
		at := fmt.Sprintf("%s[%d]", f.place(key), i)
		o, ok := v.(*object)
		if !ok {
			f.p.report(at, "must be an object, not %s", typeName(v))
			continue
		}
		all = append(all, f.inner(at, o, depth))
	}
	if key == "And" {
		return conditionAnd(all)
	}
	return conditionOr(all)
}

func (f *fields) inner(at string, o *object, depth int) condition {
	g := f.p.fields(at, "a nested condition", o)
	c := g.condition(depth + 1)
	g.done()
	return c
}

func (f *fields) comparison() condition {
	c := &comparison{}
	if !f.has("Variable") {
		f.p.report(f.place("Variable"), "is missing")
	}
	c.variable = f.path("Variable")
	for _, m := range f.obj.members {
		name := strings.TrimSuffix(m.key, "Path")
		op, ok := operators[name]
		if !ok || name != m.key && op.noPath {
			continue
		}
		f.seen[m.key] = true
		if c.op != "" {
			f.p.report(f.place(m.key), "a comparison has one operator; there is %s already", c.op)
			continue
		}
		c.op, c.compare = name, op.compare
		if name != m.key {
			c.other = f.path(m.key)
			continue
		}
		c.constant = f.constant(m.key, op.want, m.value)
	}
	if c.op == "" {
		f.p.report(f.at, "has no comparison operator")
	}
	return c
}

// constant checks the operand of a comparison operator.
func (f *fields) constant(key, want string, v any) any {
	if typeName(v) != want && (want != "timestamp" || typeName(v) != "string") {
		f.wrongType(key, "a "+want, v)
		return nil
	}
	if want == "timestamp" {
		at, ok := parseTimestamp(v.(string))
		if !ok {
			f.p.report(f.place(key), "must be a time as RFC 3339 writes it, not %q", v)
		}
		return at
	}
	if key == "StringMatches" {
		return newWildcard(v.(string))
	}
	return v
}

func (c *comparison) holds(x *Execution, t *thread, input any) (bool, *failure) {
	v, err := x.evaluator(t, input).path(c.variable)
	if c.op == "IsPresent" {
		return (err == nil) == c.constant.(bool), nil
	}
	if err != nil {
		return false, t.choicePathFailure(c.variable)
	}
	operand := c.constant
	if c.other != nil {
		if operand, err = x.evaluator(t, input).path(c.other); err != nil {
			return false, t.choicePathFailure(c.other)
		}
	}
	return c.compare(v, operand), nil
}

func (t *thread) choicePathFailure(p *path) *failure {
	return t.failure(errRuntime, "Invalid path '%s': The choice state's condition path references an invalid value.", p.text)
}

func (x *Execution) executeChoice(t *thread, s *choiceState) {
	input, fail := x.selectedInput(t, &s.io)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	for i := range s.rules {
		r := &s.rules[i]
		ok, fail := r.condition.holds(x, t, input)
		if fail != nil {
			x.handle(t, fail)
			return
		}
		if ok {
			x.choose(t, s, input, r.next, r.assign)
			return
		}
	}
	if s.fallback.state == nil {
		f := t.failure(errRuntime, "Failed to transition out of the state. The state does not point to a next state.")
		f.alias = errNoChoiceMatched
		x.handle(t, f)
		return
	}
	x.choose(t, s, input, s.fallback, s.io.assign)
}

// choose leaves by a rule or by the default. A rule's own Assign takes the place
// of the state's.
func (x *Execution) choose(t *thread, s *choiceState, input any, next target, assign *template) {
	io := s.io
	io.assign = assign
	output, assigned, fail := x.output(t, &io, input)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	x.exit(t, output, assigned, next)
}
