package asl

import (
	"errors"
	"fmt"
	"strings"
)

// call is a compiled intrinsic function such as
// States.Format('Hello {}', $.name); see "Intrinsic functions for JSONPath
// states in Step Functions" in the developer guide.
type call struct {
	text string
	fn   *intrinsic
	name string
	args []argument
}

// argument is a literal, a path or a nested call.
type argument struct {
	literal any
	// quoted is a string literal as written, with its escapes: States.Format
	// needs to know {} from \{\}.
	quoted string
	path   *path
	call   *call
}

// intrinsic describes one function. Its run gets evaluated arguments.
type intrinsic struct {
	min, max int // number of arguments; max < 0 is unlimited
	run      func(x *evaluator, c *call, args []any) (any, error)
}

// maxCallDepth is how deep functions may nest ("Intrinsic functions for JSONPath
// states in Step Functions").
const maxCallDepth = 10

// maxGiven bounds what the functions of one template or path field may be given
// in all, in bytes of JSON: what they make of it is about as large, and is held
// against maxDataSize only when all of it is there.
const maxGiven = 32 * maxDataSize

func isCall(text string) bool { return strings.HasPrefix(text, "States.") }

// parseCall compiles an intrinsic function call.
func parseCall(text string) (*call, error) {
	s := &callScanner{pathScanner{text: text, nameEnd: endsNameInCall}}
	c, err := s.call(1)
	if err != nil {
		return nil, err
	}
	s.space()
	if s.pos < len(text) {
		return nil, fmt.Errorf("unexpected %q after the function", text[s.pos:])
	}
	return c, nil
}

type callScanner struct{ pathScanner }

func (s *callScanner) call(depth int) (*call, error) {
	if depth > maxCallDepth {
		return nil, fmt.Errorf("functions nest deeper than %d levels", maxCallDepth)
	}
	begin := s.pos
	for s.peek() != 0 && strings.IndexByte("( \t,)'", s.peek()) < 0 {
		s.pos++
	}
	c := &call{name: s.text[begin:s.pos]}
	c.fn = intrinsics[c.name]
	if c.fn == nil {
		return nil, fmt.Errorf("unknown intrinsic function %s", c.name)
	}
	s.space()
	if !s.accept("(") {
		return nil, fmt.Errorf("'(' is missing after %s", c.name)
	}
	if err := s.arguments(c, depth); err != nil {
		return nil, err
	}
	c.text = s.text[begin:s.pos]
	if n := len(c.args); n < c.fn.min || c.fn.max >= 0 && n > c.fn.max {
		return nil, fmt.Errorf("%s takes %s, not %d", c.name, c.fn.arity(), n)
	}
	return c, nil
}

func (f *intrinsic) arity() string {
	switch {
	case f.max < 0:
		return fmt.Sprintf("at least %d arguments", f.min)
	case f.min == f.max:
		return fmt.Sprintf("%d arguments", f.min)
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

func (s *callScanner) arguments(c *call, depth int) error {
	s.space()
	if s.accept(")") {
		return nil
	}
	for {
		s.space()
		a, err := s.argument(depth)
		if err != nil {
			return err
		}
		c.args = append(c.args, a)
		s.space()
		if s.accept(")") {
			return nil
		}
		if !s.accept(",") {
			return fmt.Errorf("',' or ')' is missing at position %d in %q", s.pos, s.text)
		}
	}
}

func (s *callScanner) argument(depth int) (argument, error) {
	switch {
	case s.has("States."):
		c, err := s.call(depth + 1)
		return argument{call: c}, err
	case s.peek() == '$':
		p, err := s.path()
		return argument{path: p}, err
	case s.peek() == '\'':
		return s.stringLiteral()
	}
	begin := s.pos
	for s.peek() != 0 && strings.IndexByte(" \t,)", s.peek()) < 0 {
		s.pos++
	}
	v, err := decode([]byte(s.text[begin:s.pos]), nil)
	if err != nil || isContainer(v) {
		return argument{}, fmt.Errorf("%q is not an argument: it takes a path, a function, a number, true, false, null or a string in single quotes", s.text[begin:s.pos])
	}
	if _, isString := v.(string); isString {
		return argument{}, fmt.Errorf("%s must be in single quotes", s.text[begin:s.pos])
	}
	return argument{literal: v}, nil
}

// stringLiteral parses '...', in which a backslash escapes the next character
// (States Language, "Intrinsic Functions": \' \{ \} \\).
func (s *callScanner) stringLiteral() (argument, error) {
	s.pos++
	begin := s.pos
	var plain strings.Builder
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch {
		case c == '\'':
			s.pos++
			return argument{literal: plain.String(), quoted: s.text[begin : s.pos-1]}, nil
		case c == '\\' && s.pos+1 < len(s.text) && strings.IndexByte(`'{}\`, s.text[s.pos+1]) >= 0:
			s.pos++
			c = s.text[s.pos]
		}
		plain.WriteByte(c)
		s.pos++
	}
	return argument{}, fmt.Errorf("the string at position %d is not closed", begin-1)
}

// intrinsicError is a failure of a function itself, as opposed to a path that
// leads nowhere.
type intrinsicError struct {
	call *call
	err  error
}

func (e *intrinsicError) Error() string {
	return fmt.Sprintf("The function '%s' had the following error: %s", e.call.text, e.err)
}

func (e *intrinsicError) Unwrap() error { return e.err }

// eval runs the call. An error is a *pathError or an *intrinsicError.
func (c *call) eval(x *evaluator) (any, error) {
	args := make([]any, len(c.args))
	for i, a := range c.args {
		v, err := a.eval(x, c)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	if x.given += encodedSize(args, maxGiven); x.given > maxGiven {
		return nil, &intrinsicError{c, fmt.Errorf("functions are given more than %d bytes here", maxGiven)}
	}
	v, err := c.fn.run(x, c, args)
	if err != nil {
		return nil, &intrinsicError{c, err}
	}
	return v, nil
}

func (a argument) eval(x *evaluator, c *call) (any, error) {
	switch {
	case a.call != nil:
		return a.call.eval(x)
	case a.path != nil:
		v, err := x.path(a.path)
		var missing *pathError
		if errors.As(err, &missing) {
			missing.call = c
		}
		return v, err
	}
	return a.literal, nil
}
