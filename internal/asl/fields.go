package asl

import (
	"fmt"
	"strings"
)

// fields reads the members of one object of a definition, reports those of a
// wrong type at their place and, when done, those that nobody asked for.
type fields struct {
	p    *parser
	at   string
	what string // "a Pass state"
	obj  *object
	seen map[string]bool
}

func (p *parser) fields(at, what string, o *object) *fields {
	return &fields{p: p, at: at, what: what, obj: o, seen: make(map[string]bool, len(o.members))}
}

func (f *fields) place(key string) string {
	if f.at == "" {
		return key
	}
	return f.at + "." + key
}

func (f *fields) has(key string) bool { return f.obj.find(key) >= 0 }

// value gives a member and marks it as known.
func (f *fields) value(key string) (any, bool) {
	f.seen[key] = true
	return f.obj.get(key)
}

func (f *fields) wrongType(key, want string, v any) {
	f.p.refuse(f.place(key), "must be %s, not %s", want, typeName(v))
}

func (f *fields) str(key string) (string, bool) {
	v, ok := f.value(key)
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	if !ok {
		f.wrongType(key, "a string", v)
	}
	return s, ok
}

func (f *fields) requiredStr(key string) (string, bool) {
	s, ok := f.str(key)
	switch {
	case !f.has(key):
		f.p.report(f.place(key), "is missing")
	case ok && s == "":
		f.p.report(f.place(key), "must not be empty")
		return "", false
	}
	return s, ok
}

func (f *fields) boolean(key string) (bool, bool) {
	v, ok := f.value(key)
	if !ok {
		return false, false
	}
	b, ok := v.(bool)
	if !ok {
		f.wrongType(key, "a boolean", v)
	}
	return b, ok
}

func (f *fields) integer(key string, low, high int) (int, bool) {
	v, ok := f.value(key)
	if !ok {
		return 0, false
	}
	n, isNumber := v.(number)
	if !isNumber {
		f.wrongType(key, "an integer", v)
		return 0, false
	}
	i, ok := n.int64()
	switch {
	case !ok:
		f.p.report(f.place(key), "must be an integer, not %s", n)
	case i < int64(low):
		f.p.report(f.place(key), "must be >= %d, not %d", low, i)
		ok = false
	case i > int64(high):
		f.p.report(f.place(key), "must be <= %d, not %d", high, i)
		ok = false
	}
	return int(i), ok
}

func (f *fields) float(key string) (float64, bool) {
	v, ok := f.value(key)
	if !ok {
		return 0, false
	}
	n, ok := v.(number)
	if !ok {
		f.wrongType(key, "a number", v)
		return 0, false
	}
	return n.float64(), true
}

func (f *fields) object(key string) (*object, bool) {
	v, ok := f.value(key)
	if !ok {
		return nil, false
	}
	o, ok := v.(*object)
	if !ok {
		f.wrongType(key, "an object", v)
	}
	return o, ok
}

func (f *fields) array(key string) ([]any, bool) {
	v, ok := f.value(key)
	if !ok {
		return nil, false
	}
	a, ok := v.([]any)
	if !ok {
		f.wrongType(key, "an array", v)
	}
	return a, ok
}

// each calls visit for every object in an array.
func (f *fields) each(key string, visit func(g *fields, last bool)) {
	a, _ := f.array(key)
	for i, v := range a {
		at := fmt.Sprintf("%s[%d]", f.place(key), i)
		o, ok := v.(*object)
		if !ok {
			f.p.report(at, "must be an object, not %s", typeName(v))
			continue
		}
		visit(f.p.fields(at, "an entry of "+key, o), i == len(a)-1)
	}
}

// path parses a field that holds a path.
func (f *fields) path(key string) *path {
	s, ok := f.str(key)
	if !ok {
		return nil
	}
	p, err := parsePath(s)
	if err != nil {
		f.p.report(f.place(key), "%q is not a path: %s", s, err)
	}
	return p
}

// pathField parses InputPath or OutputPath: a path or null.
func (f *fields) pathField(key string) pathField {
	if v, ok := f.obj.get(key); ok && v == nil {
		f.seen[key] = true
		return pathField{null: true}
	}
	p := f.path(key)
	if p != nil && p.root == rootInput && len(p.steps) == 0 {
		p = nil
	}
	return pathField{path: p}
}

// resultPath parses ResultPath: a reference path or null.
func (f *fields) resultPath(key string) pathField {
	if v, ok := f.obj.get(key); ok && v == nil {
		f.seen[key] = true
		return pathField{null: true}
	}
	s, ok := f.str(key)
	if !ok {
		return pathField{}
	}
	p, err := parseReferencePath(s)
	if err != nil {
		f.p.report(f.place(key), "%s", err)
	}
	return pathField{path: p}
}

// template parses a payload template, which must be an object.
func (f *fields) template(key string) *template {
	o, ok := f.object(key)
	if !ok {
		return nil
	}
	return compileTemplate(o, f.place(key), func(at, message string) { f.p.report(at, "%s", message) })
}

// expression parses a field that takes a path or an intrinsic function.
func (f *fields) expression(key string) *expression {
	s, ok := f.str(key)
	if !ok {
		return nil
	}
	e, err := parseExpression(s)
	if err != nil {
		f.p.report(f.place(key), "%s", err)
		return nil
	}
	return &e
}

// exclusive reports that two fields exclude each other.
func (f *fields) exclusive(a, b string) {
	if f.has(a) && f.has(b) {
		f.p.report(f.at, "must have %s or %s, not both", a, b)
	}
}

// queryLanguage refuses JSONata.
func (f *fields) queryLanguage() bool {
	language, ok := f.str("QueryLanguage")
	switch {
	case !ok || language == "JSONPath":
		return true
	case language == "JSONata":
		f.p.report(f.place("QueryLanguage"), "JSONata is not supported; use JSONPath")
	default:
		f.p.report(f.place("QueryLanguage"), "must be \"JSONPath\", not %q", language)
	}
	return false
}

// jsonataFields exist only in JSONata states.
var jsonataFields = map[string]bool{"Arguments": true, "Output": true, "Items": true, "Condition": true}

// done reports the members that nobody asked for.
func (f *fields) done() {
	for _, m := range f.obj.members {
		switch {
		case f.seen[m.key]:
		case jsonataFields[m.key]:
			f.p.refuse(f.place(m.key), "is a JSONata field: %s whose query language is JSONPath cannot have it", strings.TrimPrefix(f.what, "an entry of "))
		default:
			f.p.refuse(f.place(m.key), "unknown field: %s cannot have it", f.what)
		}
	}
}
