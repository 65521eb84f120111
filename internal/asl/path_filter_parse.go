package asl

import (
	"fmt"
	"regexp"
	"strings"
)

// maxFilterDepth bounds parentheses and negations within one filter.
const maxFilterDepth = 50

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
