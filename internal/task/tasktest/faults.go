package tasktest

import "sync"

// Faults lets a test make the operations of an in-memory implementation fail.
// Operations are named as the methods of the contract: "Claim", "Send".
type Faults struct {
	mu     sync.Mutex
	before map[string][]error
	after  map[string][]error
}

// FailBefore makes a coming call of op return err and do nothing. Each call of
// FailBefore is good for one call of op, in order.
func (f *Faults) FailBefore(op string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.before == nil {
		f.before = map[string][]error{}
	}
	f.before[op] = append(f.before[op], err)
}

// FailAfter makes a coming call of op do its work and return err all the same,
// as when the answer gets lost. Each call of FailAfter is good for one call of
// op, in order.
func (f *Faults) FailAfter(op string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.after == nil {
		f.after = map[string][]error{}
	}
	f.after[op] = append(f.after[op], err)
}

// do runs an operation between the faults that wait for it.
func (f *Faults) do(op string, run func() error) error {
	if err := f.next(&f.before, op); err != nil {
		return err
	}
	if err := run(); err != nil {
		return err
	}
	return f.next(&f.after, op)
}

func (f *Faults) next(faults *map[string][]error, op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := (*faults)[op]
	if len(waiting) == 0 {
		return nil
	}
	(*faults)[op] = waiting[1:]
	return waiting[0]
}
