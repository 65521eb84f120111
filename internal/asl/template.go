package asl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// template is a compiled payload template (Parameters, ResultSelector, Assign,
// ItemSelector): JSON in which a field "name.$" is replaced by "name" with the
// value of its expression (States Language, "Payload Template").
type template struct {
	constant any // if there is nothing to replace
	dynamic  bool
	members  []templateMember // an object's
	elements []*template      // an array's
	isArray  bool
}

type templateMember struct {
	key   string
	field string // the key as written, for messages
	value *template
	expr  *expression
}

func (t *template) eval(x *evaluator) (any, error) {
	if !t.dynamic {
		return t.constant, nil
	}
	if t.isArray {
		items := make([]any, len(t.elements))
		for i, e := range t.elements {
			v, err := e.eval(x)
			if err != nil {
				return nil, err
			}
			items[i] = v
		}
		return items, nil
	}
	members := make([]member, len(t.members))
	for i, m := range t.members {
		v, err := m.eval(x)
		if err != nil {
			return nil, err
		}
		members[i] = member{m.key, v}
	}
	return newObject(members...), nil
}

func (m *templateMember) eval(x *evaluator) (any, error) {
	if m.expr != nil {
		return m.expr.eval(x, m.field)
	}
	return m.value.eval(x)
}

// compileTemplate compiles v and reports problems at their places below at.
func compileTemplate(v any, at string, report func(at, message string)) *template {
	switch v := v.(type) {
	case []any:
		t := &template{constant: v, isArray: true}
		for i, e := range v {
			et := compileTemplate(e, fmt.Sprintf("%s[%d]", at, i), report)
			t.elements = append(t.elements, et)
			t.dynamic = t.dynamic || et.dynamic
		}
		return t
	case *object:
		return compileObject(v, at, report)
	}
	return &template{constant: v}
}

func compileObject(o *object, at string, report func(at, message string)) *template {
	t := &template{constant: o}
	var expressions []templateMember
	for _, m := range o.members {
		place := at + "." + m.key
		if !strings.HasSuffix(m.key, ".$") {
			mt := compileTemplate(m.value, place, report)
			t.members = append(t.members, templateMember{key: m.key, field: m.key, value: mt})
			t.dynamic = t.dynamic || mt.dynamic
			continue
		}
		t.dynamic = true
		key := strings.TrimSuffix(m.key, ".$")
		if o.find(key) >= 0 {
			report(place, fmt.Sprintf("there is a field %q too", key))
		}
		text, ok := m.value.(string)
		if !ok {
			report(place, fmt.Sprintf("must be a string that holds a path or an intrinsic function, not %s", typeName(m.value)))
			continue
		}
		e, err := parseExpression(text)
		if err != nil {
			report(place, err.Error())
			continue
		}
		expressions = append(expressions, templateMember{key: key, field: m.key, expr: &e})
	}
	sortAsJavaHashMap(expressions, func(m templateMember) string { return m.key })
	t.members = append(t.members, expressions...)
	return t
}

// sortAsJavaHashMap puts members in the order of a Java HashMap, in which Step
// Functions writes evaluated fields, after the constant ones, and merged objects.
// It shows in the text of histories and in States.Format.
func sortAsJavaHashMap[M any](members []M, key func(M) string) {
	buckets := uint32(16)
	for uint32(len(members)) > buckets/4*3 {
		buckets *= 2
	}
	bucket := func(m M) uint32 {
		var h uint32
		for _, c := range utf16.Encode([]rune(key(m))) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (buckets - 1)
	}
	slices.SortStableFunc(members, func(a, b M) int { return cmp.Compare(bucket(a), bucket(b)) })
}
