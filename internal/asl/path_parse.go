package asl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pathScanner parses paths and, in path_filter_parse.go, the filters in them.
type pathScanner struct {
	text  string
	pos   int
	depth int // of the filter
	// nameEnd has the characters that end a name after a dot. Any other may be
	// in one, but what is around the path must not be taken for it.
	nameEnd string
}

const (
	endsNameInPath   = ".[]() \t"
	endsNameInCall   = endsNameInPath + ","
	endsNameInFilter = endsNameInCall + "'\"=<>!&|"
)

func (s *pathScanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *pathScanner) has(prefix string) bool { return strings.HasPrefix(s.text[s.pos:], prefix) }

func (s *pathScanner) accept(prefix string) bool {
	if !s.has(prefix) {
		return false
	}
	s.pos += len(prefix)
	return true
}

func (s *pathScanner) space() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.pos++
	}
}

// path parses a path from '$' to the first character that cannot belong to it.
func (s *pathScanner) path() (*path, error) {
	start := s.pos
	if !s.accept("$") {
		return nil, errors.New("must begin with '$'")
	}
	p := &path{}
	switch {
	case s.accept("$"):
		p.root = rootContext
	case isNameStart(s.peek()):
		p.root = rootVariable
		begin := s.pos
		for isNameStart(s.peek()) || s.peek() >= '0' && s.peek() <= '9' {
			s.pos++
		}
		p.variable = s.text[begin:s.pos]
	}
	steps, err := s.steps()
	if err != nil {
		return nil, err
	}
	p.text, p.steps, p.definite = s.text[start:s.pos], steps, isDefinite(steps)
	return p, nil
}

func isNameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func isDefinite(steps []step) bool {
	for _, s := range steps {
		if s.kind != stepName && s.kind != stepIndex {
			return false
		}
	}
	return true
}

func (s *pathScanner) steps() ([]step, error) {
	var steps []step
	for {
		switch {
		case s.accept(".."):
			steps = append(steps, step{kind: stepDescend})
			if s.peek() == '[' {
				continue
			}
		case s.accept("."):
			if s.peek() == '[' {
				continue
			}
		case s.peek() == '[':
			st, err := s.bracket()
			if err != nil {
				return nil, err
			}
			steps = append(steps, st)
			continue
		default:
			return steps, nil
		}
		st, err := s.dotted()
		if err != nil {
			return nil, err
		}
		steps = append(steps, st)
	}
}

// dotted parses what follows a dot: a name or '*'.
func (s *pathScanner) dotted() (step, error) {
	if s.accept("*") {
		return step{kind: stepWildcard}, nil
	}
	var name strings.Builder
	begin := s.pos
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c == '\\' && s.pos+1 < len(s.text) {
			name.WriteByte(s.text[s.pos+1])
			s.pos += 2
			continue
		}
		if strings.IndexByte(s.nameEnd, c) >= 0 {
			break
		}
		name.WriteByte(c)
		s.pos++
	}
	if s.pos == begin {
		return step{}, fmt.Errorf("a name is missing at position %d", begin)
	}
	if s.peek() == '(' {
		return step{}, fmt.Errorf("path functions such as %s() are not supported", name.String())
	}
	return step{kind: stepName, name: name.String()}, nil
}

func (s *pathScanner) bracket() (step, error) {
	open := s.pos
	s.pos++
	s.space()
	var st step
	var err error
	switch c := s.peek(); {
	case c == '*':
		s.pos++
		st = step{kind: stepWildcard}
	case c == '?':
		s.pos++
		st, err = s.filterStep()
	case c == '\'' || c == '"':
		st, err = s.quotedNames()
	case c == '-' || c == ':' || c >= '0' && c <= '9':
		st, err = s.indexes()
	case c != 0:
		err = fmt.Errorf("unexpected %q at position %d", s.text[s.pos:], s.pos)
	}
	if err != nil {
		return step{}, err
	}
	s.space()
	if !s.accept("]") {
		return step{}, fmt.Errorf("the '[' at position %d is not closed", open)
	}
	return st, nil
}

func (s *pathScanner) quotedNames() (step, error) {
	var names []string
	for {
		name, err := s.quoted()
		if err != nil {
			return step{}, err
		}
		names = append(names, name)
		s.space()
		if !s.accept(",") {
			break
		}
		s.space()
	}
	if len(names) == 1 {
		return step{kind: stepName, name: names[0]}, nil
	}
	return step{kind: stepNames, names: names}, nil
}

// quoted parses a string in single or double quotes.
func (s *pathScanner) quoted() (string, error) {
	quote := s.peek()
	if quote != '\'' && quote != '"' {
		return "", fmt.Errorf("a quoted string is missing at position %d", s.pos)
	}
	begin := s.pos
	s.pos++
	var b strings.Builder
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		s.pos++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\\' && s.pos < len(s.text):
			b.WriteByte(s.text[s.pos])
			s.pos++
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("the string at position %d is not closed", begin)
}

// indexes parses 1 or 1,2 or start:end:stride.
func (s *pathScanner) indexes() (step, error) {
	first, err := s.integer()
	if err != nil {
		return step{}, err
	}
	s.space()
	switch {
	case s.peek() == ':':
		return s.slice(first)
	case s.peek() == ',':
		indexes := []int{*first}
		for s.accept(",") {
			s.space()
			n, err := s.integer()
			if err != nil {
				return step{}, err
			}
			if n == nil {
				return step{}, fmt.Errorf("a number is missing at position %d", s.pos)
			}
			indexes = append(indexes, *n)
			s.space()
		}
		return step{kind: stepIndexes, indexes: indexes}, nil
	}
	return step{kind: stepIndex, index: *first}, nil
}

func (s *pathScanner) slice(start *int) (step, error) {
	st := step{kind: stepSlice, start: start, stride: 1}
	s.pos++
	s.space()
	end, err := s.integer()
	if err != nil {
		return step{}, err
	}
	st.end = end
	s.space()
	if !s.accept(":") {
		return st, nil
	}
	s.space()
	stride, err := s.integer()
	if err != nil {
		return step{}, err
	}
	if stride != nil {
		if *stride < 1 {
			return step{}, fmt.Errorf("the step of a slice must be positive, not %d", *stride)
		}
		st.stride = *stride
	}
	return st, nil
}

// integer parses an optional integer: nil if there is none.
func (s *pathScanner) integer() (*int, error) {
	begin := s.pos
	s.accept("-")
	for s.peek() >= '0' && s.peek() <= '9' {
		s.pos++
	}
	if s.pos == begin {
		if s.peek() == ':' || s.peek() == ']' {
			return nil, nil
		}
		return nil, fmt.Errorf("a number is missing at position %d", begin)
	}
	n, err := strconv.ParseInt(s.text[begin:s.pos], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not an index", s.text[begin:s.pos])
	}
	i := int(n)
	return &i, nil
}
