package asl

// itemBatcher hands the items of a Map to its iterations in groups: each gets
// {"BatchInput": ..., "Items": [...]}.
type itemBatcher struct {
	maxItems countField
	maxBytes countField
	input    *template
}

func (p *parser) itemBatcher(at string, o *object) *itemBatcher {
	f := p.fields(at, "an ItemBatcher", o)
	b := &itemBatcher{
		maxItems: f.count("MaxItemsPerBatch", maxSeconds),
		maxBytes: f.count("MaxInputBytesPerBatch", maxDataSize),
		input:    f.template("BatchInput"),
	}
	if !f.has("MaxItemsPerBatch") && !f.has("MaxItemsPerBatchPath") && !f.has("MaxInputBytesPerBatch") && !f.has("MaxInputBytesPerBatchPath") {
		p.report(at, "must have MaxItemsPerBatch or MaxInputBytesPerBatch")
	}
	f.done()
	return b
}

// batches groups items, each already put through ItemSelector.
func (x *Execution) batches(t *thread, s *mapState, input any, items []any) ([]any, *failure) {
	b := s.batcher
	maxItems, fail := x.count(t, b.maxItems, input)
	if fail != nil {
		return nil, fail
	}
	maxBytes, fail := x.count(t, b.maxBytes, input)
	if fail != nil {
		return nil, fail
	}
	var shared []member
	if b.input != nil {
		v, err := b.input.eval(x.evaluator(t, input))
		if err != nil {
			return nil, t.evaluationFailure(err)
		}
		shared = append(shared, member{"BatchInput", v})
	}
	envelope := encodedSize(newObject(append(shared, member{"Items", []any{}})...), maxDataSize)
	batches, batch, size := []any{}, []any{}, envelope
	flush := func() {
		batches = append(batches, newObject(append(shared[:len(shared):len(shared)], member{"Items", batch})...))
		batch, size = []any{}, envelope
	}
	for i := range items {
		item, fail := x.selectedItem(t, s, i, items[i], input)
		if fail != nil {
			return nil, fail
		}
		n := encodedSize(item, maxDataSize) + 1
		full := maxItems > 0 && float64(len(batch)) >= maxItems || maxBytes > 0 && float64(size+n-1) > maxBytes
		if len(batch) > 0 && full {
			flush()
		}
		batch, size = append(batch, item), size+n
	}
	if len(batch) > 0 {
		flush()
	}
	return batches, nil
}
