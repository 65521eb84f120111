package asl

import (
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
