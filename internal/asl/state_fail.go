package asl

// failState ends its scope with an error.
type failState struct {
	base
	error, cause         string
	errorExpr, causeExpr *expression
}

func (p *parser) fail(f *fields, b base) state {
	s := &failState{base: b}
	s.error, _ = f.str("Error")
	s.cause, _ = f.str("Cause")
	s.errorExpr = f.expression("ErrorPath")
	s.causeExpr = f.expression("CausePath")
	f.exclusive("Error", "ErrorPath")
	f.exclusive("Cause", "CausePath")
	return s
}

func (x *Execution) executeFail(t *thread, s *failState) {
	f := &failure{name: s.error, cause: s.cause}
	for _, field := range []struct {
		name string
		expr *expression
		to   *string
	}{{"ErrorPath", s.errorExpr, &f.name}, {"CausePath", s.causeExpr, &f.cause}} {
		if field.expr == nil {
			continue
		}
		v, err := field.expr.eval(x.evaluator(t, t.input), field.name)
		if err != nil {
			x.fail(t, t.evaluationFailure(err))
			return
		}
		text, ok := v.(string)
		if !ok {
			x.fail(t, t.failure(errRuntime, "The %s parameter must give a string, but gave: %s", field.name, encode(v)))
			return
		}
		*field.to = text
	}
	x.fail(t, f)
}
