package asl

import "fmt"

// A path selects values from the state's input ($), the context object ($$) or
// a variable ($name). The flavour is that of Jayway's JsonPath, on which Step
// Functions is built:
//
//	$.a.b  $['a']['b']  $.a\.b   members
//	$.a[0] $.a[-1]               elements, from the end if negative
//	$.a[0,2] $['a','b']          several
//	$.a[1:3] $.a[:2] $.a[::2]    slices
//	$.*  $.a[*]                  all
//	$..a                         at any depth
//	$.a[?(@.b > 1)]              those that a filter selects
//
// A path of members and elements alone is definite and gives one value; any
// other gives an array of what it found, and fails at maxVisits alone.
//
// This is a parser of our own because that flavour, its messages and objects
// that keep their order are what the Go libraries (RFC 9535 or Goessner's
// original) don't have.
type path struct {
	text     string
	root     pathRoot
	variable string
	steps    []step
	definite bool
}

type pathRoot int

const (
	rootInput pathRoot = iota
	rootContext
	rootVariable
)

type stepKind int

const (
	stepName stepKind = iota
	stepIndex
	stepNames
	stepIndexes
	stepSlice
	stepWildcard
	stepDescend // ".." before the next step
	stepFilter
)

type step struct {
	kind       stepKind
	name       string
	names      []string
	index      int
	indexes    []int
	start, end *int
	stride     int
	filter     filterExpr
}

// parsePath compiles text, which must begin with '$'.
func parsePath(text string) (*path, error) {
	s := pathScanner{text: text, nameEnd: endsNameInPath}
	p, err := s.path()
	if err != nil {
		return nil, err
	}
	if s.pos < len(text) {
		return nil, fmt.Errorf("unexpected %q at position %d", text[s.pos:], s.pos)
	}
	return p, nil
}

// parseReferencePath compiles a path that identifies one place in the input:
// only members and elements (States Language, "Reference Paths").
func parseReferencePath(text string) (*path, error) {
	p, err := parsePath(text)
	if err != nil {
		return nil, err
	}
	if !p.definite || p.root != rootInput {
		return nil, fmt.Errorf("must be a reference path ($, members and elements only), not %q", text)
	}
	for _, s := range p.steps {
		if s.kind == stepIndex && s.index < 0 {
			return nil, fmt.Errorf("must not have a negative index, as %q does", text)
		}
	}
	return p, nil
}

// find gives what the path selects in v. For a definite path that selects
// nothing, the second result says why in the words of Jayway's exceptions.
func (p *path) find(v any) (any, string) {
	return p.from(&search{root: v}, v)
}

// search is one evaluation of a path.
type search struct {
	root   any // what $ is in a filter
	visits int // of values, so far
}

// maxVisits bounds the values that an evaluation of a path looks at, so that no
// short path, such as $..*..*..*, takes for ever. It is far more than what a
// path visits that names a depth but once: that is each value of a state's
// input.
const maxVisits = 4 << 20

// tooManyVisits is why a path that reached maxVisits selects nothing.
const tooManyVisits = "The path visits too many values"

func (s *search) visit() bool {
	s.visits++
	return s.visits <= maxVisits
}

func (p *path) from(s *search, v any) (any, string) {
	if p.definite {
		return p.findOne(v)
	}
	found := []any{}
	s.walk(v, p.steps, func(v any) { found = append(found, v) })
	if s.visits > maxVisits {
		return nil, tooManyVisits
	}
	return found, ""
}

func (p *path) findOne(v any) (any, string) {
	for i, s := range p.steps {
		var ok bool
		switch s.kind {
		case stepName:
			o, isObject := v.(*object)
			if !isObject {
				return nil, fmt.Sprintf("Expected to find an object with property ['%s'] in path %s but found '%s'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.", s.name, normalPath(p.steps[:i]), javaClass(v))
			}
			v, ok = o.get(s.name)
		case stepIndex:
			a, isArray := v.([]any)
			switch {
			case v == nil:
				return nil, "The path " + normalPath(p.steps[:i]) + " is null"
			case !isArray:
				return nil, "Filter: " + stepText(s) + " can only be applied to arrays. Current context is: " + javaText(v)
			}
			n := s.index
			if n < 0 {
				n += len(a)
			}
			if ok = n >= 0 && n < len(a); ok {
				v = a[n]
			}
		}
		if !ok {
			if i < len(p.steps)-1 && s.kind == stepName {
				return nil, "Missing property in path " + normalPath(p.steps[:i+1])
			}
			return nil, "No results for path: " + normalPath(p.steps)
		}
	}
	return v, ""
}

// walk calls emit for each value that steps select below v.
func (s *search) walk(v any, steps []step, emit func(any)) {
	if !s.visit() {
		return
	}
	if len(steps) == 0 {
		emit(v)
		return
	}
	first, rest := &steps[0], steps[1:]
	if first.kind == stepDescend {
		s.descend(v, rest, emit)
		return
	}
	first.each(s, v, func(v any) { s.walk(v, rest, emit) })
}

func (s *search) descend(v any, steps []step, emit func(any)) {
	if !s.visit() {
		return
	}
	// A filter looks at the elements of arrays; the containers themselves come
	// first, as in Jayway.
	s.walk(v, steps, emit)
	switch v := v.(type) {
	case *object:
		for _, m := range v.members {
			if isContainer(m.value) {
				s.descend(m.value, steps, emit)
			}
		}
	case []any:
		for _, e := range v {
			if isContainer(e) {
				s.descend(e, steps, emit)
			}
		}
	}
}

func isContainer(v any) bool {
	switch v.(type) {
	case *object, []any:
		return true
	}
	return false
}

// each calls emit for each value that the step selects in v.
func (s *step) each(in *search, v any, emit func(any)) {
	if o, ok := v.(*object); ok {
		s.eachMember(in, o, emit)
	}
	if a, ok := v.([]any); ok {
		s.eachElement(in, a, emit)
	}
}

func (s *step) eachMember(in *search, o *object, emit func(any)) {
	switch s.kind {
	case stepName:
		if v, ok := o.get(s.name); ok {
			emit(v)
		}
	case stepNames:
		picked := make([]member, 0, len(s.names))
		for _, name := range s.names {
			if v, ok := o.get(name); ok {
				picked = append(picked, member{name, v})
			}
		}
		emit(newObject(picked...))
	case stepWildcard:
		for _, m := range o.members {
			emit(m.value)
		}
	case stepFilter:
		if s.filter.matches(in, o) {
			emit(o)
		}
	}
}

func (s *step) eachElement(in *search, a []any, emit func(any)) {
	at := func(i int) {
		if i < 0 {
			i += len(a)
		}
		if i >= 0 && i < len(a) {
			emit(a[i])
		}
	}
	switch s.kind {
	case stepIndex:
		at(s.index)
	case stepIndexes:
		for _, i := range s.indexes {
			at(i)
		}
	case stepWildcard:
		for _, e := range a {
			emit(e)
		}
	case stepSlice:
		start, end := s.bounds(len(a))
		for i := start; i < end; i += s.stride {
			emit(a[i])
		}
	case stepFilter:
		// "The @ operator does not match scalar values. It only matches objects."
		// (Step Functions developer guide, "Paths")
		for _, e := range a {
			if o, ok := e.(*object); ok && in.visit() && s.filter.matches(in, o) {
				emit(o)
			}
		}
	}
}

func (s *step) bounds(n int) (start, end int) {
	end = n
	if s.start != nil {
		start = *s.start
		if start < 0 {
			start = max(start+n, 0)
		}
	}
	if s.end != nil {
		end = *s.end
		if end < 0 {
			end += n
		}
		end = min(end, n)
	}
	return start, end
}
