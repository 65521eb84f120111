package asl

// passState hands on its input, or a fixed result.
type passState struct {
	base
	hasResult bool
	result    any
}

func (p *parser) pass(f *fields, b base) state {
	s := &passState{base: b}
	f.transition(&s.base)
	f.inputOutput(&s.base)
	s.io.parameters = f.template("Parameters")
	s.io.resultPath = f.resultPath("ResultPath")
	s.result, s.hasResult = f.value("Result")
	return s
}

func (x *Execution) executePass(t *thread, s *passState) {
	result, fail := x.effectiveInput(t, &s.io)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	if s.hasResult {
		result = s.result
	}
	x.complete(t, result)
}
