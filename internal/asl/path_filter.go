package asl

import (
	"fmt"
	"regexp"
	"strings"
)

// filterExpr is the inside of [?(...)], with Jayway's operators: == != < <= >
// >= =~ in nin contains size empty, && || ! and the existence of a path.
type filterExpr interface {
	matches(root, current any) bool
}

type filterAnd []filterExpr
type filterOr []filterExpr
type filterNot struct{ of filterExpr }
type filterExists struct{ operand operand }
type filterCompare struct {
	op          string
	left, right operand
	pattern     *regexp.Regexp
}

// operand is a literal, or a path from the element (@) or the root ($).
type operand struct {
	literal     any
	path        *path
	fromCurrent bool
}

func (e filterAnd) matches(root, current any) bool {
	for _, f := range e {
		if !f.matches(root, current) {
			return false
		}
	}
	return true
}

func (e filterOr) matches(root, current any) bool {
	for _, f := range e {
		if f.matches(root, current) {
			return true
		}
	}
	return false
}

func (e filterNot) matches(root, current any) bool { return !e.of.matches(root, current) }

func (e filterExists) matches(root, current any) bool {
	v, ok := e.operand.eval(root, current)
	if a, isArray := v.([]any); isArray && !e.operand.path.definite {
		return len(a) > 0
	}
	return ok
}

func (o operand) eval(root, current any) (any, bool) {
	if o.path == nil {
		return o.literal, true
	}
	from := root
	if o.fromCurrent {
		from = current
	}
	v, missing := o.path.find(from)
	return v, missing == ""
}

func (e filterCompare) matches(root, current any) bool {
	l, lok := e.left.eval(root, current)
	r, rok := e.right.eval(root, current)
	if e.op == "!=" {
		return lok != rok || lok && !equalValues(l, r)
	}
	if !lok || !rok {
		return false
	}
	switch e.op {
	case "==":
		return equalValues(l, r)
	case "=~":
		s, ok := l.(string)
		return ok && e.pattern.MatchString(s)
	case "in", "nin":
		a, _ := r.([]any)
		return containsValue(a, l) == (e.op == "in")
	case "contains":
		if s, ok := l.(string); ok {
			sub, ok := r.(string)
			return ok && strings.Contains(s, sub)
		}
		a, _ := l.([]any)
		return containsValue(a, r)
	case "size":
		n, ok := r.(number)
		return ok && compareNumbers(n, intNumber(int64(lengthOf(l)))) == 0
	case "empty":
		want, ok := r.(bool)
		return ok && (lengthOf(l) == 0) == want
	}
	return ordered(e.op, l, r)
}

func ordered(op string, l, r any) bool {
	var c int
	switch l := l.(type) {
	case number:
		r, ok := r.(number)
		if !ok {
			return false
		}
		c = compareNumbers(l, r)
	case string:
		r, ok := r.(string)
		if !ok {
			return false
		}
		c = strings.Compare(l, r)
	default:
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func containsValue(a []any, v any) bool {
	for _, e := range a {
		if equalValues(e, v) {
			return true
		}
	}
	return false
}

func lengthOf(v any) int {
	switch v := v.(type) {
	case string:
		return len([]rune(v))
	case []any:
		return len(v)
	case *object:
		return len(v.members)
	}
	return -1
}

func (s *pathScanner) filterStep() (step, error) {
	s.space()
	if !s.accept("(") {
		return step{}, fmt.Errorf("'(' is missing after '?' at position %d", s.pos)
	}
	outside := s.nameEnd
	s.nameEnd = endsNameInFilter
	f, err := s.filterOr()
	s.nameEnd = outside
	if err != nil {
		return step{}, err
	}
	s.space()
	if !s.accept(")") {
		return step{}, fmt.Errorf("')' is missing at position %d", s.pos)
	}
	return step{kind: stepFilter, filter: f}, nil
}

func (s *pathScanner) filterOr() (filterExpr, error) {
	var all filterOr
	for {
		f, err := s.filterAnd()
		if err != nil {
			return nil, err
		}
		all = append(all, f)
		s.space()
		if !s.accept("||") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (s *pathScanner) filterAnd() (filterExpr, error) {
	var all filterAnd
	for {
		f, err := s.filterTerm()
		if err != nil {
			return nil, err
		}
		all = append(all, f)
		s.space()
		if !s.accept("&&") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (s *pathScanner) filterTerm() (filterExpr, error) {
	if s.depth++; s.depth > maxFilterDepth {
		return nil, fmt.Errorf("a filter nests deeper than %d levels", maxFilterDepth)
	}
	defer func() { s.depth-- }()
	s.space()
	if s.has("!") && !s.has("!=") {
		s.pos++
		f, err := s.filterTerm()
		return filterNot{f}, err
	}
	if s.accept("(") {
		f, err := s.filterOr()
		if err != nil {
			return nil, err
		}
		s.space()
		if !s.accept(")") {
			return nil, fmt.Errorf("')' is missing at position %d", s.pos)
		}
		return f, nil
	}
	return s.comparison()
}

var filterOperators = []string{"==", "!=", "<=", ">=", "=~", "<", ">", "nin", "in", "contains", "size", "empty"}

func (s *pathScanner) comparison() (filterExpr, error) {
	left, err := s.operand()
	if err != nil {
		return nil, err
	}
	s.space()
	for _, op := range filterOperators {
		if !s.accept(op) {
			continue
		}
		s.space()
		c := filterCompare{op: op, left: left}
		if op == "=~" {
			c.pattern, err = s.regexp()
			return c, err
		}
		c.right, err = s.operand()
		return c, err
	}
	if left.path == nil {
		return nil, fmt.Errorf("an operator is missing at position %d", s.pos)
	}
	return filterExists{left}, nil
}

func (s *pathScanner) operand() (operand, error) {
	switch c := s.peek(); {
	case c == '@':
		begin := s.pos
		s.pos++
		steps, err := s.steps()
		p := &path{text: s.text[begin:s.pos], steps: steps, definite: isDefinite(steps)}
		return operand{path: p, fromCurrent: true}, err
	case c == '$':
		p, err := s.path()
		if err == nil && p.root != rootInput {
			err = fmt.Errorf("%s cannot be used in a filter", p.text)
		}
		return operand{path: p}, err
	case c == '\'' || c == '"':
		v, err := s.quoted()
		return operand{literal: v}, err
	case c == '[':
		return s.listOperand()
	}
	begin := s.pos
	for s.pos < len(s.text) && strings.IndexByte(" \t)],=<>!&|", s.text[s.pos]) < 0 {
		s.pos++
	}
	v, err := decode([]byte(s.text[begin:s.pos]), nil)
	if err != nil {
		return operand{}, fmt.Errorf("unexpected %q at position %d", s.text[begin:], begin)
	}
	return operand{literal: v}, nil
}

func (s *pathScanner) listOperand() (operand, error) {
	s.pos++
	items := []any{}
	for {
		s.space()
		if s.accept("]") {
			return operand{literal: items}, nil
		}
		if s.peek() == '[' {
			return operand{}, fmt.Errorf("nested lists are not supported at position %d", s.pos)
		}
		o, err := s.operand()
		if err != nil {
			return operand{}, err
		}
		if o.path != nil {
			return operand{}, fmt.Errorf("a list in a filter may hold literals only")
		}
		items = append(items, o.literal)
		s.space()
		if !s.accept(",") && s.peek() != ']' {
			return operand{}, fmt.Errorf("',' or ']' is missing at position %d", s.pos)
		}
	}
}

func (s *pathScanner) regexp() (*regexp.Regexp, error) {
	begin := s.pos
	if !s.accept("/") {
		return nil, fmt.Errorf("a pattern such as /a.*/ is missing at position %d", begin)
	}
	var b strings.Builder
	for s.pos < len(s.text) && s.peek() != '/' {
		if s.has(`\/`) {
			s.pos++
		}
		b.WriteByte(s.peek())
		s.pos++
	}
	if !s.accept("/") {
		return nil, fmt.Errorf("the pattern at position %d is not closed", begin)
	}
	pattern := "^(?:" + b.String() + ")$"
	if s.accept("i") {
		pattern = "(?i)" + pattern
	}
	return regexp.Compile(pattern)
}
