package asl

// succeedState ends its scope with its input.
type succeedState struct{ base }

func (p *parser) succeed(f *fields, b base) state {
	s := &succeedState{b}
	s.io.inputPath = f.pathField("InputPath")
	s.io.outputPath = f.pathField("OutputPath")
	return s
}

func (x *Execution) executeSucceed(t *thread, s *succeedState) {
	v, fail := x.selectedInput(t, &s.io)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	x.complete(t, v)
}
