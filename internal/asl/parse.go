package asl

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Problem is one thing that is wrong with a definition.
type Problem struct {
	Path    string // "States.Process.Retry[0].MaxAttempts"; "" is the definition itself
	Message string // "must be >= 0, not -1"
}

// String gives the problem as one line.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// InvalidError lists all problems of a definition, in the order of its text.
type InvalidError struct{ Problems []Problem }

// Error gives one line for each problem.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Limits of the States Language and of "Step Functions service quotas".
const (
	maxDefinitionSize  = 1024 * 1024
	maxStateNameLength = 80
	maxSeconds         = 99_999_999
	maxScopeDepth      = 100
)

// Parse reads and validates a definition in JSON. The error is an *InvalidError
// with every problem found. What Step Functions knows and this package doesn't
// (JSONata, distributed Map, activities, .sync and .waitForTaskToken
// integrations) is refused by name.
func Parse(definition []byte) (*Machine, error) {
	p := &parser{names: map[string]string{}}
	if len(definition) > maxDefinitionSize {
		p.report("", "the definition is larger than %d bytes", maxDefinitionSize)
		return nil, &InvalidError{p.problems}
	}
	v, err := decode(definition, func(key string) { p.report("", "the member %q appears twice in one object", key) })
	if err != nil {
		p.report("", "not JSON: %s", err)
		return nil, &InvalidError{p.problems}
	}
	m := p.machine(v)
	if len(p.problems) > 0 {
		return nil, &InvalidError{p.problems}
	}
	return m, nil
}

// parser collects problems while it builds a machine.
type parser struct {
	problems []Problem
	names    map[string]string // state name → its place
	tasks    []*taskState
	scopes   int
	// assigned holds the names that the scopes around the present one assign.
	assigned []map[string]string
}

func (p *parser) report(at, format string, args ...any) {
	p.problems = append(p.problems, Problem{at, fmt.Sprintf(format, args...)})
}

func (p *parser) machine(v any) *Machine {
	o, ok := v.(*object)
	if !ok {
		p.report("", "the definition must be an object, not %s", typeName(v))
		return nil
	}
	f := p.fields("", "a state machine", o)
	m := &Machine{}
	f.str("Comment")
	f.queryLanguage()
	if version, ok := f.str("Version"); ok && version != "1.0" {
		p.report(f.place("Version"), "must be \"1.0\", not %q", version)
	}
	if seconds, ok := f.integer("TimeoutSeconds", 1, maxSeconds); ok {
		m.timeout = time.Duration(seconds) * time.Second
	}
	m.root = p.scope(f)
	m.tasks = p.tasks
	f.done()
	return m
}

// scope parses StartAt and States of the object that f reads.
func (p *parser) scope(f *fields) *scope {
	s := &scope{states: map[string]state{}}
	s.startAt, _ = f.requiredStr("StartAt")
	states, ok := f.object("States")
	if !ok {
		if !f.has("States") {
			p.report(f.place("States"), "is missing")
		}
		return s
	}
	if len(states.members) == 0 {
		p.report(f.place("States"), "must not be empty")
	}
	if p.scopes++; p.scopes > maxScopeDepth {
		p.report(f.place("States"), "nested deeper than %d levels", maxScopeDepth)
		return s
	}
	p.assigned = append(p.assigned, map[string]string{})
	for _, m := range states.members {
		at := f.place("States") + "." + m.key
		p.stateName(m.key, at)
		if st := p.state(m.key, at, m.value); st != nil {
			s.states[m.key] = st
			s.order = append(s.order, st)
		}
	}
	p.assigned = p.assigned[:len(p.assigned)-1]
	p.scopes--
	p.link(s, f)
	return s
}

func (p *parser) stateName(name, at string) {
	switch n := len([]rune(name)); {
	case n == 0:
		p.report(at, "a state must have a name")
	case n > maxStateNameLength:
		p.report(at, "a state's name must have at most %d characters", maxStateNameLength)
	}
	if first, ok := p.names[name]; ok {
		p.report(at, "the name %q is taken by %s: state names must be unique in the whole machine", name, first)
		return
	}
	p.names[name] = at
}

// state parses one state; nil if its type is unknown.
func (p *parser) state(name, at string, v any) state {
	o, ok := v.(*object)
	if !ok {
		p.report(at, "must be an object, not %s", typeName(v))
		return nil
	}
	f := p.fields(at, "a state", o)
	stateType, ok := f.requiredStr("Type")
	if !ok {
		return nil
	}
	f.what = article(stateType) + " " + stateType + " state"
	f.str("Comment")
	if !f.queryLanguage() {
		return nil // its fields are JSONata's
	}
	b := base{name: name, at: at, types: stateEvents(stateType)}
	var s state
	switch stateType {
	case "Pass":
		s = p.pass(f, b)
	case "Task":
		s = p.task(f, b)
	case "Choice":
		s = p.choice(f, b)
	case "Wait":
		s = p.wait(f, b)
	case "Succeed":
		s = p.succeed(f, b)
	case "Fail":
		s = p.fail(f, b)
	case "Parallel":
		s = p.parallel(f, b)
	case "Map":
		s = p.mapState(f, b)
	default:
		p.report(f.place("Type"), "unknown state type %q", stateType)
		return nil
	}
	f.done()
	return s
}

func article(word string) string {
	if word != "" && strings.ContainsRune("AEIOU", rune(word[0])) {
		return "an"
	}
	return "a"
}

// link resolves transitions and finds states that cannot be reached.
func (p *parser) link(s *scope, f *fields) {
	if s.startAt != "" {
		if s.start = s.states[s.startAt]; s.start == nil {
			p.dangling(f.place("StartAt"), s.startAt, f.place("States"))
		}
	}
	reached := map[string]bool{s.startAt: true}
	ends := false
	for _, st := range s.order {
		transitions(st, func(t *target, field string) {
			if t.name == "" {
				return
			}
			if t.state = s.states[t.name]; t.state == nil {
				p.dangling(st.common().at+field, t.name, f.place("States"))
			}
		})
	}
	todo := []string{s.startAt}
	for len(todo) > 0 {
		st := s.states[todo[0]]
		todo = todo[1:]
		if st == nil {
			continue
		}
		ends = ends || isTerminal(st)
		transitions(st, func(t *target, _ string) {
			if t.name != "" && !reached[t.name] {
				reached[t.name] = true
				todo = append(todo, t.name)
			}
		})
	}
	if s.start == nil {
		return
	}
	for _, st := range s.order {
		if b := st.common(); !reached[b.name] {
			p.report(b.at, "no state leads here: it is not reachable from StartAt")
		}
	}
	if !ends {
		p.report(f.place("States"), "no state reachable from StartAt ends the execution")
	}
}

func isTerminal(s state) bool {
	switch s.(type) {
	case *succeedState, *failState:
		return true
	case *choiceState:
		return false
	}
	return s.common().next.name == ""
}

// dangling reports a transition to a state that isn't in the scope whose States
// are at statesAt. A state that could not be parsed has its own problem.
func (p *parser) dangling(at, name, statesAt string) {
	place, known := p.names[name]
	switch {
	case !known:
		p.report(at, "there is no state %q", name)
	case place != statesAt+"."+name:
		p.report(at, "the state %q is in another scope (%s)", name, place)
	}
}

// transitions calls visit for every transition of a state, with the place of
// its field below the state's.
func transitions(s state, visit func(t *target, field string)) {
	b := s.common()
	if c, ok := s.(*choiceState); ok {
		for i := range c.rules {
			visit(&c.rules[i].next, fmt.Sprintf(".Choices[%d].Next", i))
		}
		visit(&c.fallback, ".Default")
		return
	}
	visit(&b.next, ".Next")
	for i := range b.catch {
		visit(&b.catch[i].next, fmt.Sprintf(".Catch[%d].Next", i))
	}
}

// transition parses Next or End.
func (f *fields) transition(b *base) {
	next, hasNext := f.str("Next")
	end, _ := f.boolean("End")
	switch {
	case f.has("Next") && f.has("End"):
		f.p.report(f.at, "must have Next or End, not both")
	case f.has("End") && !end:
		f.p.report(f.place("End"), "must be true or be left out")
	case !f.has("Next") && !f.has("End"):
		f.p.report(f.at, "must have Next or End")
	}
	if hasNext {
		if next == "" {
			f.p.report(f.place("Next"), "must name a state")
		}
		b.next.name = next
	}
}

// inputOutput parses the fields of step 1 and step 7, and Assign.
func (f *fields) inputOutput(b *base) {
	b.io.inputPath = f.pathField("InputPath")
	b.io.outputPath = f.pathField("OutputPath")
	b.io.assign = f.assign("Assign")
}

// result parses the fields of the states that have a result.
func (f *fields) result(b *base) {
	b.io.parameters = f.template("Parameters")
	b.io.resultSelector = f.template("ResultSelector")
	b.io.resultPath = f.resultPath("ResultPath")
}

// retryCatch parses Retry and Catch.
func (f *fields) retryCatch(b *base) {
	b.retries = true
	f.each("Retry", func(g *fields, last bool) {
		b.retry = append(b.retry, g.retrier(last))
	})
	f.each("Catch", func(g *fields, last bool) {
		c := catcher{errorEquals: g.errorEquals(last), resultPath: g.resultPath("ResultPath"), assign: g.assign("Assign")}
		g.str("Comment")
		c.next.name, _ = g.requiredStr("Next")
		g.done()
		b.catch = append(b.catch, c)
	})
}

func (f *fields) retrier(last bool) Retrier {
	r := Retrier{ErrorEquals: f.errorEquals(last), Interval: time.Second, MaxAttempts: 3, BackoffRate: 2}
	f.str("Comment")
	if n, ok := f.integer("IntervalSeconds", 1, maxSeconds); ok {
		r.Interval = time.Duration(n) * time.Second
	}
	if n, ok := f.integer("MaxAttempts", 0, maxSeconds); ok {
		r.MaxAttempts = n
	}
	if rate, ok := f.float("BackoffRate"); ok {
		if rate < 1 {
			f.p.report(f.place("BackoffRate"), "must be >= 1, not %v", rate)
		}
		r.BackoffRate = rate
	}
	if n, ok := f.integer("MaxDelaySeconds", 1, 31622400); ok {
		r.MaxDelay = time.Duration(n) * time.Second
		if r.MaxDelay <= r.Interval {
			f.p.report(f.place("MaxDelaySeconds"), "must be greater than IntervalSeconds (%d), not %d", int(r.Interval.Seconds()), n)
		}
	}
	if jitter, ok := f.str("JitterStrategy"); ok {
		switch jitter {
		case "FULL":
			r.FullJitter = true
		case "NONE":
		default:
			f.p.report(f.place("JitterStrategy"), "must be \"FULL\" or \"NONE\", not %q", jitter)
		}
	}
	f.done()
	return r
}

// knownStatesErrors are the reserved error names.
var knownStatesErrors = map[string]bool{
	errAll: true, errTaskFailed: true, errTimeout: true, errHeartbeatTimeout: true, errRuntime: true,
	errDataLimitExceeded: true, errParameterPath: true, errResultPathMatch: true, errIntrinsic: true,
	errNoChoiceMatched: true, errBranchFailed: true, errExceedTolerated: true, "States.Permissions": true,
	"States.ItemReaderFailed": true, "States.ResultWriterFailed": true, "States.QueryEvaluationError": true,
	"States.Http.Socket": true,
}

func (f *fields) errorEquals(last bool) []string {
	v, ok := f.array("ErrorEquals")
	if !ok {
		if !f.has("ErrorEquals") {
			f.p.report(f.place("ErrorEquals"), "is missing")
		}
		return nil
	}
	if len(v) == 0 {
		f.p.report(f.place("ErrorEquals"), "must not be empty")
	}
	var names []string
	for i, e := range v {
		at := fmt.Sprintf("%s[%d]", f.place("ErrorEquals"), i)
		name, ok := e.(string)
		switch {
		case !ok:
			f.p.report(at, "must be a string, not %s", typeName(e))
		case name == "":
			f.p.report(at, "must not be empty")
		case name == errAll && len(v) > 1:
			f.p.report(at, "States.ALL must stand alone")
		case name == errAll && !last:
			f.p.report(at, "States.ALL must be in the last entry")
		case strings.HasPrefix(name, "States.") && !knownStatesErrors[name]:
			f.p.report(at, "unknown error name %q: names that begin with \"States.\" are reserved", name)
		}
		names = append(names, name)
	}
	return names
}

// reservedVariable may not be assigned: JSONata's $states.
const reservedVariable = "states"

// assign parses Assign. A branch or an iteration may not assign a name that a
// scope around it assigns ("Passing data between states with variables").
func (f *fields) assign(key string) *template {
	t := f.template(key)
	if t == nil {
		return nil
	}
	o, _ := f.obj.get(key)
	inner := f.p.assigned[len(f.p.assigned)-1]
	for _, m := range o.(*object).members {
		name := strings.TrimSuffix(m.key, ".$")
		at := f.place(key) + "." + m.key
		switch {
		case !isVariableName(name):
			f.p.report(at, "%q is not a variable name", name)
		case name == reservedVariable:
			f.p.report(at, "the variable name %q is reserved", name)
		}
		inner[name] = at
	}
	for _, outer := range f.p.assigned[:len(f.p.assigned)-1] {
		for _, name := range sortedKeys(outer) {
			if at, ok := inner[name]; ok && strings.HasPrefix(at, f.place(key)) {
				f.p.report(at, "the variable %q is assigned in the scope around this one (%s)", name, outer[name])
			}
		}
	}
	return t
}

func isVariableName(name string) bool {
	for i := 0; i < len(name); i++ {
		if !isNameStart(name[i]) && (i == 0 || name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return name != "" && len([]rune(name)) <= maxStateNameLength
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
