package asl

import (
	"strings"
	"time"
)

// operator is a comparison operator; those with noPath have no variant that
// reads its operand from a path.
type operator struct {
	want    string
	compare func(a, b any) bool
	noPath  bool
}

var operators = map[string]operator{
	"BooleanEquals":              {want: "boolean", compare: booleanEquals},
	"NumericEquals":              {want: "number", compare: numeric(func(c int) bool { return c == 0 })},
	"NumericLessThan":            {want: "number", compare: numeric(func(c int) bool { return c < 0 })},
	"NumericLessThanEquals":      {want: "number", compare: numeric(func(c int) bool { return c <= 0 })},
	"NumericGreaterThan":         {want: "number", compare: numeric(func(c int) bool { return c > 0 })},
	"NumericGreaterThanEquals":   {want: "number", compare: numeric(func(c int) bool { return c >= 0 })},
	"StringEquals":               {want: "string", compare: textual(func(c int) bool { return c == 0 })},
	"StringLessThan":             {want: "string", compare: textual(func(c int) bool { return c < 0 })},
	"StringLessThanEquals":       {want: "string", compare: textual(func(c int) bool { return c <= 0 })},
	"StringGreaterThan":          {want: "string", compare: textual(func(c int) bool { return c > 0 })},
	"StringGreaterThanEquals":    {want: "string", compare: textual(func(c int) bool { return c >= 0 })},
	"StringMatches":              {want: "string", compare: stringMatches, noPath: true},
	"TimestampEquals":            {want: "timestamp", compare: temporal(func(c int) bool { return c == 0 })},
	"TimestampLessThan":          {want: "timestamp", compare: temporal(func(c int) bool { return c < 0 })},
	"TimestampLessThanEquals":    {want: "timestamp", compare: temporal(func(c int) bool { return c <= 0 })},
	"TimestampGreaterThan":       {want: "timestamp", compare: temporal(func(c int) bool { return c > 0 })},
	"TimestampGreaterThanEquals": {want: "timestamp", compare: temporal(func(c int) bool { return c >= 0 })},
	"IsNull":                     {want: "boolean", compare: is(func(v any) bool { return v == nil }), noPath: true},
	"IsBoolean":                  {want: "boolean", compare: is(func(v any) bool { return typeName(v) == "boolean" }), noPath: true},
	"IsNumeric":                  {want: "boolean", compare: is(func(v any) bool { return typeName(v) == "number" }), noPath: true},
	"IsString":                   {want: "boolean", compare: is(func(v any) bool { return typeName(v) == "string" }), noPath: true},
	"IsTimestamp":                {want: "boolean", compare: is(func(v any) bool { _, ok := timestampOf(v); return ok }), noPath: true},
	"IsPresent":                  {want: "boolean", noPath: true}, // needs no value: see holds
}

func booleanEquals(a, b any) bool {
	x, ok := a.(bool)
	y, ok2 := b.(bool)
	return ok && ok2 && x == y
}

func numeric(want func(c int) bool) func(a, b any) bool {
	return func(a, b any) bool {
		x, ok := a.(number)
		y, ok2 := b.(number)
		return ok && ok2 && want(compareNumbers(x, y))
	}
}

func textual(want func(c int) bool) func(a, b any) bool {
	return func(a, b any) bool {
		x, ok := a.(string)
		y, ok2 := b.(string)
		return ok && ok2 && want(strings.Compare(x, y))
	}
}

func temporal(want func(c int) bool) func(a, b any) bool {
	return func(a, b any) bool {
		x, ok := timestampOf(a)
		y, ok2 := timestampOf(b)
		return ok && ok2 && want(x.Compare(y))
	}
}

func timestampOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		return parseTimestamp(v)
	}
	return time.Time{}, false
}

func is(test func(v any) bool) func(a, b any) bool {
	return func(a, b any) bool { return test(a) == b.(bool) }
}

// wildcard is a StringMatches pattern: * stands for any text, \* for itself.
type wildcard struct {
	pieces []string // literal text between the stars
}

func newWildcard(pattern string) wildcard {
	pieces := []string{""}
	for i := 0; i < len(pattern); i++ {
		last := &pieces[len(pieces)-1]
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
			*last += pattern[i : i+1]
		case pattern[i] == '*':
			pieces = append(pieces, "")
		default:
			*last += pattern[i : i+1]
		}
	}
	return wildcard{pieces}
}

func (w wildcard) matches(s string) bool {
	first, last := w.pieces[0], w.pieces[len(w.pieces)-1]
	if len(w.pieces) == 1 {
		return s == first
	}
	if !strings.HasPrefix(s, first) || !strings.HasSuffix(s[len(first):], last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, piece := range w.pieces[1 : len(w.pieces)-1] {
		i := strings.Index(s, piece)
		if i < 0 {
			return false
		}
		s = s[i+len(piece):]
	}
	return true
}

func stringMatches(a, b any) bool {
	s, ok := a.(string)
	return ok && b.(wildcard).matches(s)
}
