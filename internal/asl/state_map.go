package asl

// mapState runs its item processor once for each item, inline.
type mapState struct {
	base
	processor      *scope
	itemsPath      *path
	itemSelector   *template
	batcher        *itemBatcher
	maxConcurrency countField
	toleratedCount countField
	toleratedShare countField // percent
}

// countField is a field that takes a number, or its Path variant.
type countField struct {
	field string // the Path variant
	given bool
	value float64
	path  *path
}

// maxInlineConcurrency is how many iterations of an inline Map Step Functions
// runs at once ("Map state processing modes").
const maxInlineConcurrency = 40

func (p *parser) mapState(f *fields, b base) state {
	s := &mapState{base: b}
	f.transition(&s.base)
	f.inputOutput(&s.base)
	f.retryCatch(&s.base)
	s.io.resultSelector = f.template("ResultSelector")
	s.io.resultPath = f.resultPath("ResultPath")
	s.itemsPath = f.path("ItemsPath")
	s.itemSelector = f.template("ItemSelector")
	if legacy := f.template("Parameters"); s.itemSelector == nil {
		s.itemSelector = legacy
	}
	f.exclusive("ItemSelector", "Parameters")
	s.maxConcurrency = f.count("MaxConcurrency", maxSeconds)
	s.toleratedCount = f.count("ToleratedFailureCount", maxSeconds)
	s.toleratedShare = f.count("ToleratedFailurePercentage", 100)
	if o, ok := f.object("ItemBatcher"); ok {
		s.batcher = p.itemBatcher(f.place("ItemBatcher"), o)
	}
	for _, key := range []string{"ItemReader", "ResultWriter", "Label"} {
		if f.has(key) {
			f.value(key)
			p.refuse(f.place(key), "%s belongs to the distributed Map, which is not supported", key)
		}
	}
	s.processor = f.itemProcessor()
	return s
}

// itemProcessor parses ItemProcessor, or Iterator, its older name.
func (f *fields) itemProcessor() *scope {
	f.exclusive("ItemProcessor", "Iterator")
	key := "ItemProcessor"
	if f.has("Iterator") {
		key = "Iterator"
	}
	o, ok := f.object(key)
	if !ok {
		if !f.has(key) {
			f.p.report(f.place(key), "is missing")
		}
		return nil
	}
	g := f.p.fields(f.place(key), "an item processor", o)
	g.str("Comment")
	if config, ok := g.object("ProcessorConfig"); ok {
		f.p.processorConfig(g.place("ProcessorConfig"), config)
	}
	s := f.p.scope(g)
	g.done()
	return s
}

func (p *parser) processorConfig(at string, o *object) {
	f := p.fields(at, "a ProcessorConfig", o)
	mode, ok := f.str("Mode")
	switch {
	case mode == "DISTRIBUTED":
		p.report(f.place("Mode"), "the distributed Map is not supported; use \"INLINE\"")
		f.value("ExecutionType")
	case ok && mode != "INLINE":
		p.report(f.place("Mode"), "must be \"INLINE\", not %q", mode)
	}
	f.done()
}

func (f *fields) count(key string, high float64) countField {
	c := countField{field: key + "Path", given: f.has(key) || f.has(key+"Path")}
	if key == "ToleratedFailurePercentage" {
		if v, ok := f.float(key); ok {
			if v < 0 || v > high {
				f.p.report(f.place(key), "must be from 0 to %v, not %v", high, v)
			}
			c.value = v
		}
	} else {
		n, _ := f.integer(key, 0, int(high))
		c.value = float64(n)
	}
	c.path = f.path(c.field)
	f.exclusive(key, c.field)
	return c
}

func (x *Execution) executeMap(t *thread, s *mapState) {
	input, items, fail := x.mapItems(t, s)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	c := newChildren(len(items), input)
	c.items = items
	if fail := x.mapLimits(t, s, c, input); fail != nil {
		x.handle(t, fail)
		return
	}
	x.record(t, "MapStateStarted", mapStarted).index = len(items)
	t.children = c
	x.startChildren(t)
}

func (x *Execution) beginIteration(t *thread, s *mapState, child *thread, c *children) *failure {
	i := child.index
	child.state, child.input = s.processor.start, c.items[i]
	child.item = mapItem(i, c.items[i])
	child.prevID = x.recordIteration(s, i, child.prevID, "MapIterationStarted").ID
	if s.batcher != nil {
		return nil // the items have been selected
	}
	var fail *failure
	child.input, fail = x.selectedItem(t, s, i, c.items[i], c.input)
	return fail
}

// mapItems gives the effective input and the items, in batches if they are to be.
func (x *Execution) mapItems(t *thread, s *mapState) (any, []any, *failure) {
	input, fail := x.selectedInput(t, &s.io)
	if fail != nil {
		return nil, nil, fail
	}
	v, text := input, "$"
	if s.itemsPath != nil {
		var err error
		text = s.itemsPath.text
		if v, err = x.evaluator(t, input).path(s.itemsPath); err != nil {
			return nil, nil, t.pathFailure(err)
		}
	}
	items, ok := v.([]any)
	if !ok {
		return nil, nil, t.failure(errRuntime, "Reference path \"%s\" must point to array.", text)
	}
	if s.batcher != nil {
		items, fail = x.batches(t, s, input, items)
	}
	return input, items, fail
}

func (x *Execution) mapLimits(t *thread, s *mapState, c *children, input any) *failure {
	n, fail := x.count(t, s.maxConcurrency, input)
	if fail != nil {
		return fail
	}
	c.limit = maxInlineConcurrency
	if n > 0 && n < maxInlineConcurrency {
		c.limit = int(n)
	}
	count, fail := x.count(t, s.toleratedCount, input)
	if fail != nil {
		return fail
	}
	share, fail := x.count(t, s.toleratedShare, input)
	if fail != nil {
		return fail
	}
	c.tolerated = int(min(count, float64(c.total)))
	byShare := int(share * float64(c.total) / 100)
	switch { // of two, neither may be exceeded
	case s.toleratedCount.given && s.toleratedShare.given:
		c.tolerated = min(c.tolerated, byShare)
	case s.toleratedShare.given:
		c.tolerated = byShare
	}
	return nil
}

// count evaluates a countField; a path may lead to a number or to its text.
func (x *Execution) count(t *thread, f countField, input any) (float64, *failure) {
	if f.path == nil {
		return f.value, nil
	}
	v, err := x.evaluator(t, input).path(f.path)
	if err != nil {
		return 0, t.pathFailure(err)
	}
	n, want := newNumber(scalarText(v)), "a non-negative integer"
	i, ok := n.int64()
	if f.field == "ToleratedFailurePercentagePath" {
		want = "a number from 0 to 100"
		ok = ok && i <= 100
		if d := n.float64(); typeName(v) == "number" && d >= 0 && d <= 100 {
			return d, nil
		}
	}
	if ok && i >= 0 {
		return float64(i), nil
	}
	return 0, t.failure(errRuntime, "The %s field must be %s, but %s == %s", f.field, want, f.path.text, scalarText(v))
}

// mapItem is $$.Map.
func mapItem(i int, item any) *object {
	return newObject(member{"Item", newObject(member{"Index", intNumber(int64(i))}, member{"Value", item})})
}

// selectedItem applies ItemSelector, in which $ is the state's effective input
// and $$.Map.Item the item.
func (x *Execution) selectedItem(t *thread, s *mapState, i int, item, input any) (any, *failure) {
	if s.itemSelector == nil {
		return item, nil
	}
	e := x.evaluator(t, input)
	e.context = func() *object { return x.contextObject(t).with("Map", mapItem(i, item)) }
	v, err := s.itemSelector.eval(e)
	if err != nil {
		return nil, t.evaluationFailure(err)
	}
	if encodedSize(v, maxDataSize) > maxDataSize {
		return nil, t.dataLimitExceeded()
	}
	return v, nil
}

// failedResult stands for a tolerated failure among the results. The output has
// only the results of the iterations that succeeded.
type failedResult struct{}

func withoutFailures(results []any) []any {
	kept := []any{}
	for _, r := range results {
		if r != (failedResult{}) {
			kept = append(kept, r)
		}
	}
	return kept
}
