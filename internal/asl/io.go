package asl

// Input and output of a state, in the order in which it happens (States
// Language, "Input and Output Processing"; Step Functions developer guide,
// "Processing input and output in Step Functions"):
//
//	raw input
//	  1 InputPath       selects from the raw input
//	  2 Parameters      or, for each item of a Map, ItemSelector: builds the
//	                    effective input
//	  3                 the state does its work and has a result
//	  4 ResultSelector  builds the effective result
//	  5 Assign          sets variables; $ is the effective result
//	  6 ResultPath      puts the result into the raw input, not the selected one
//	  7 OutputPath      selects the output
//
// Variables and $$ can be used in each; what Assign sets is seen from the next
// state on. A caught error replaces the result from step 5, with the catcher's
// own Assign and ResultPath, and skips OutputPath.
type ioFields struct {
	inputPath      pathField
	parameters     *template
	resultSelector *template
	assign         *template
	resultPath     pathField
	outputPath     pathField
}

// pathField is InputPath, OutputPath or ResultPath: absent ("$"), null, or a
// path.
type pathField struct {
	null bool
	path *path // nil also stands for "$"
}

// selected applies InputPath or OutputPath: null gives {}.
func (f pathField) selected(x *evaluator) (any, error) {
	switch {
	case f.null:
		return emptyObject, nil
	case f.path == nil:
		return x.input, nil
	}
	return x.path(f.path)
}

// effectiveInput does steps 1 and 2.
func (x *Execution) effectiveInput(t *thread, f *ioFields) (any, *failure) {
	v, fail := x.selectedInput(t, f)
	if fail != nil || f.parameters == nil {
		return v, fail
	}
	v, err := f.parameters.eval(x.evaluator(t, v))
	if err != nil {
		return nil, t.evaluationFailure(err)
	}
	if encodedSize(v, maxDataSize) > maxDataSize {
		return nil, t.dataLimitExceeded()
	}
	return v, nil
}

// selectedInput does step 1.
func (x *Execution) selectedInput(t *thread, f *ioFields) (any, *failure) {
	if f.inputPath.path == nil && !f.inputPath.null {
		return t.input, nil
	}
	v, err := f.inputPath.selected(x.evaluator(t, t.input))
	if err != nil {
		return nil, t.pathFailure(err)
	}
	return v, nil
}

// output does steps 4 to 7 with a result and gives the state's output and the
// variables to assign.
func (x *Execution) output(t *thread, f *ioFields, result any) (output any, assigned *object, fail *failure) {
	if f.resultSelector != nil {
		v, err := f.resultSelector.eval(x.evaluator(t, result))
		if err != nil {
			return nil, nil, t.evaluationFailure(err)
		}
		result = v
	}
	assigned, fail = x.assigned(t, f.assign, result)
	if fail != nil {
		return nil, nil, fail
	}
	output, fail = t.merged(f.resultPath, result)
	if fail != nil {
		return nil, nil, fail
	}
	if f.outputPath.path != nil || f.outputPath.null {
		v, err := f.outputPath.selected(x.evaluator(t, output))
		if err != nil {
			return nil, nil, t.pathFailure(err)
		}
		output = v
	}
	return output, assigned, t.checkSize(output)
}

// assigned evaluates an Assign field.
func (x *Execution) assigned(t *thread, assign *template, result any) (*object, *failure) {
	if assign == nil {
		return nil, nil
	}
	v, err := assign.eval(x.evaluator(t, result))
	if err != nil {
		return nil, t.evaluationFailure(err)
	}
	// The quota "Maximum combined size for variables in a single Assign field".
	if encodedSize(v, maxDataSize) > maxDataSize {
		return nil, t.dataLimitExceeded()
	}
	o, _ := v.(*object)
	if o == nil || len(o.members) == 0 {
		return nil, nil
	}
	return o, nil
}

// merged applies ResultPath: null gives the raw input.
func (t *thread) merged(f pathField, result any) (any, *failure) {
	switch {
	case f.null:
		return t.input, nil
	case f.path == nil || len(f.path.steps) == 0:
		return result, nil
	}
	v, ok := f.path.set(t.input, result)
	if !ok {
		return nil, t.failure(errResultPathMatch, "Unable to apply ReferencePath %s to input %s", f.path.text, encode(t.input))
	}
	return v, nil
}

// checkSize enforces the data quota on what a state hands on. What it was
// handed has been checked.
func (t *thread) checkSize(output any) *failure {
	if output == t.inputIdentity() || encodedSize(output, maxDataSize) <= maxDataSize {
		return nil
	}
	return t.dataLimitExceeded()
}

// inputIdentity is the input if it is an object, which compares by identity;
// otherwise something that equals no output.
func (t *thread) inputIdentity() any {
	if o, ok := t.input.(*object); ok {
		return o
	}
	return (*thread)(nil)
}

func (t *thread) dataLimitExceeded() *failure {
	return &failure{name: errDataLimitExceeded, cause: dataLimitCause(t.state.common().name)}
}

func dataLimitCause(who string) string {
	return "The state/task '" + who + "' returned a result with a size exceeding the maximum number of bytes service limit."
}
