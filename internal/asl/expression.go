package asl

import "fmt"

// evaluator gives expressions what they may refer to.
type evaluator struct {
	input     any            // $
	context   func() *object // builds $$
	built     *object        // $$, when it has been asked for
	variables *variables     // $name
	random    func() uint64
	given     int // bytes, to functions so far
}

// pathError says that a definite path selects nothing.
type pathError struct {
	path   *path
	reason string // in Jayway's words
	input  any    // what was searched
	field  string // the template field that holds the path, if any
	call   *call  // the function that the path is an argument of, if any
}

func (e *pathError) Error() string {
	if e.call != nil {
		return fmt.Sprintf("The function '%s' had the following error: The JsonPath argument for the field '%s' could not be found in the input '%s'",
			e.call.text, e.path.text, encode(e.input))
	}
	if e.reason == tooManyVisits {
		return fmt.Sprintf("The JSONPath '%s' specified for the field '%s' could not be evaluated: %s", e.path.text, e.field, e.reason)
	}
	return fmt.Sprintf("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'", e.path.text, e.field, encode(e.input))
}

// path evaluates p. An error is a *pathError.
func (x *evaluator) path(p *path) (any, error) {
	from := x.input
	switch p.root {
	case rootContext:
		if x.built == nil {
			x.built = x.context()
		}
		from = x.built
	case rootVariable:
		v, ok := x.variables.get(p.variable)
		if !ok {
			return nil, &pathError{path: p, reason: fmt.Sprintf("The variable '$%s' has no value", p.variable), input: emptyObject}
		}
		from = v
	}
	v, missing := p.find(from)
	if missing != "" {
		return nil, &pathError{path: p, reason: missing, input: from}
	}
	return v, nil
}

// expression is a path or an intrinsic function, the value of a field whose
// name ends in ".$".
type expression struct {
	path *path
	call *call
}

func parseExpression(text string) (expression, error) {
	if isCall(text) {
		c, err := parseCall(text)
		return expression{call: c}, err
	}
	p, err := parsePath(text)
	if err != nil {
		return expression{}, fmt.Errorf("%q is neither a path nor an intrinsic function: %w", text, err)
	}
	return expression{path: p}, nil
}

func (e expression) eval(x *evaluator, field string) (any, error) {
	if e.call != nil {
		return e.call.eval(x)
	}
	v, err := x.path(e.path)
	if missing, ok := err.(*pathError); ok {
		missing.field = field
	}
	return v, err
}
