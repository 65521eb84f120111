package asl

import (
	"regexp"
	"strings"
)

// filterExpr is the inside of [?(...)], with Jayway's operators: == != < <= >
// >= =~ in nin contains size empty, && || ! and the existence of a path.
type filterExpr interface {
	matches(s *search, current any) bool
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

func (e filterAnd) matches(s *search, current any) bool {
	for _, f := range e {
		if !f.matches(s, current) {
			return false
		}
	}
	return true
}

func (e filterOr) matches(s *search, current any) bool {
	for _, f := range e {
		if f.matches(s, current) {
			return true
		}
	}
	return false
}

func (e filterNot) matches(s *search, current any) bool { return !e.of.matches(s, current) }

func (e filterExists) matches(s *search, current any) bool {
	v, ok := e.operand.eval(s, current)
	if a, isArray := v.([]any); isArray && !e.operand.path.definite {
		return len(a) > 0
	}
	return ok
}

func (o operand) eval(s *search, current any) (any, bool) {
	if o.path == nil {
		return o.literal, true
	}
	from := s.root
	if o.fromCurrent {
		from = current
	}
	v, missing := o.path.from(s, from)
	return v, missing == ""
}

func (e filterCompare) matches(s *search, current any) bool {
	l, lok := e.left.eval(s, current)
	r, rok := e.right.eval(s, current)
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
		text, ok := l.(string)
		return ok && e.pattern.MatchString(text)
	case "in", "nin":
		a, _ := r.([]any)
		return s.contains(a, l) == (e.op == "in")
	case "contains":
		if text, ok := l.(string); ok {
			part, ok := r.(string)
			return ok && strings.Contains(text, part)
		}
		a, _ := l.([]any)
		return s.contains(a, r)
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

func (s *search) contains(a []any, v any) bool {
	for _, e := range a {
		if s.visit() && equalValues(e, v) {
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
