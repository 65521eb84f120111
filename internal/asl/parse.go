package asl

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Problem is one thing that is wrong with a definition.
type Problem struct {
	Path    string // "States.Process.Retry[0].MaxAttempts"; "" is the definition itself
	Message string // "must be >= 0, not -1"
	// Line and Column say where that is in the text, counted from 1. For
	// something that is missing they give what it is missing from.
	Line, Column int
}

// String gives the problem as one line.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// InvalidError lists all problems of a definition in the order of its text.
type InvalidError struct{ Problems []Problem }

// Error gives one line for each problem, with its line and column first.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p)
	}
	return strings.Join(lines, "\n")
}

const (
	// maxDefinitionSize is the quota "Maximum definition size" in bytes.
	maxDefinitionSize = 1024 * 1024
	// maxStateNameLength is in characters (States Language, "States").
	maxStateNameLength = 80
	// maxSeconds is the default of TimeoutSeconds and the most that a number of
	// seconds may be ("Task workflow state").
	maxSeconds = 99_999_999
	// maxScopeDepth is a limit of this package, for states in branches in
	// branches.
	maxScopeDepth = 100
)

// Parse reads and validates a definition in JSON. The error is an *InvalidError
// with every problem found. What Step Functions knows and this package doesn't
// (JSONata, distributed Map, activities, .sync and .waitForTaskToken
// integrations) is refused by name.
func Parse(definition []byte) (*Machine, error) {
	return parse(definition, func(any) bool { return true })
}

// substitution is a place in a definition that a deployment fills in.
var substitution = regexp.MustCompile(`\$\{[^{}"]+\}`)

// Validate is Parse for a definition whose substitutions, ${Name}, are not made
// yet ("AWS::StepFunctions::StateMachine DefinitionSubstitutions"). A string
// that has one could become any other string, so nothing is held against it but
// that a string is not what belongs there.
func Validate(definition []byte) error {
	_, err := parse(definition, func(value any) bool {
		text, ok := value.(string)
		return !ok || !substitution.MatchString(text)
	})
	return err
}

// parse leaves out the problems whose values don't count.
func parse(definition []byte, counts func(value any) bool) (*Machine, error) {
	p := &parser{names: map[string]string{}, refused: map[int]bool{}}
	if len(definition) > maxDefinitionSize {
		return nil, &InvalidError{[]Problem{{Message: fmt.Sprintf("the definition is larger than %d bytes", maxDefinitionSize), Line: 1, Column: 1}}}
	}
	where := newPositions()
	v, err := decode(definition, where)
	if err != nil {
		problem := Problem{Message: "not JSON: " + err.Error(), Line: 1, Column: 1}
		if syntax, ok := err.(*syntaxError); ok {
			problem = Problem{Message: "not JSON: " + syntax.message, Line: syntax.line, Column: syntax.column}
		}
		return nil, &InvalidError{[]Problem{problem}}
	}
	m := p.machine(v)
	for _, s := range p.tasks {
		offset, _ := where.find(v, s.at+".Resource")
		s.line, s.column = lineAndColumn(definition, offset)
	}
	counted := p.problems[:0]
	for i, problem := range p.problems {
		offset, value := where.find(v, problem.Path)
		if counts(value) || p.refused[i] {
			problem.Line, problem.Column = lineAndColumn(definition, offset)
			counted = append(counted, problem)
		}
	}
	p.problems = counted
	for _, d := range where.duplicates {
		line, column := lineAndColumn(definition, d.offset)
		p.problems = append(p.problems, Problem{"", fmt.Sprintf("the member %q appears twice in one object", d.key), line, column})
	}
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &InvalidError{p.problems}
	}
	return m, nil
}

// parser collects problems while it builds a machine.
type parser struct {
	problems []Problem
	// refused has the indexes of the problems that no other text would solve.
	refused map[int]bool
	names   map[string]string // state name → its place
	tasks   []*taskState
	scopes  int
	// variables holds what each scope assigns; present is the one being parsed.
	variables []*variableScope
	present   *variableScope
}

func (p *parser) report(at, format string, args ...any) {
	p.problems = append(p.problems, Problem{Path: at, Message: fmt.Sprintf(format, args...)})
}

// refuse reports a field that would be wrong with any other text in it too.
func (p *parser) refuse(at, format string, args ...any) {
	p.refused[len(p.problems)] = true
	p.report(at, format, args...)
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
	if !f.queryLanguage() {
		return nil // what follows is JSONata's
	}
	if version, ok := f.str("Version"); ok && version != "1.0" {
		p.report(f.place("Version"), "must be \"1.0\", not %q", version)
	}
	if seconds, ok := f.integer("TimeoutSeconds", 1, maxSeconds); ok {
		m.timeout = time.Duration(seconds) * time.Second
	}
	m.root = p.scope(f)
	m.tasks = p.tasks
	p.checkVariables()
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
	p.present = &variableScope{outer: p.present, places: map[string]string{}}
	p.variables = append(p.variables, p.present)
	for _, m := range states.members {
		at := f.place("States") + "." + m.key
		p.stateName(m.key, at)
		if st := p.state(m.key, at, m.value); st != nil {
			s.states[m.key] = st
			s.order = append(s.order, st)
		}
	}
	p.present = p.present.outer
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

// transition parses Next or End.
func (f *fields) transition(b *base) {
	next, hasNext := f.str("Next")
	end, isBoolean := f.boolean("End")
	switch {
	case f.has("Next") && f.has("End"):
		f.p.report(f.at, "must have Next or End, not both")
	case isBoolean && !end:
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
