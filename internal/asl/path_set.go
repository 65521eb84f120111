package asl

// set returns v with the place that the reference path names set to x. Objects
// are made on the way where there are none; false means that something else is
// in the way.
func (p *path) set(v, x any) (any, bool) { return setAt(v, p.steps, x) }

func setAt(v any, steps []step, x any) (any, bool) {
	if len(steps) == 0 {
		return x, true
	}
	s := steps[0]
	if s.kind == stepIndex {
		a, ok := v.([]any)
		if !ok || s.index >= len(a) {
			return nil, false
		}
		e, ok := setAt(a[s.index], steps[1:], x)
		if !ok {
			return nil, false
		}
		a = append([]any(nil), a...)
		a[s.index] = e
		return a, true
	}
	o, ok := v.(*object)
	if !ok {
		return nil, false
	}
	inner, ok := o.get(s.name)
	if !ok {
		inner = emptyObject
	}
	if inner, ok = setAt(inner, steps[1:], x); !ok {
		return nil, false
	}
	return o.with(s.name, inner), true
}
