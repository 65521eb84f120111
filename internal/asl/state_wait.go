package asl

import (
	"regexp"
	"time"
)

// waitState waits for a number of seconds or until a time.
type waitState struct {
	base
	seconds       int // if neither of the others is set
	secondsPath   *path
	timestamp     time.Time
	timestampPath *path
}

func (p *parser) wait(f *fields, b base) state {
	s := &waitState{base: b}
	f.transition(&s.base)
	f.inputOutput(&s.base)
	s.seconds, _ = f.integer("Seconds", 0, maxSeconds)
	s.secondsPath = f.path("SecondsPath")
	s.timestampPath = f.path("TimestampPath")
	if text, ok := f.str("Timestamp"); ok {
		at, ok := parseTimestamp(text)
		if !ok {
			p.report(f.place("Timestamp"), "must be a time as RFC 3339 writes it, such as 2016-03-14T01:59:00Z, not %q", text)
		}
		s.timestamp = at
	}
	n := 0
	for _, key := range []string{"Seconds", "SecondsPath", "Timestamp", "TimestampPath"} {
		if f.has(key) {
			n++
		}
	}
	if n != 1 {
		p.report(f.at, "must have exactly one of Seconds, SecondsPath, Timestamp and TimestampPath")
	}
	return s
}

// timestamp is RFC 3339's date-time with a capital T and Z (States Language,
// "Timestamps"). Package time takes more for it: hours of one digit, a comma
// before the fraction, offsets of 99 hours.
var timestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

func parseTimestamp(text string) (time.Time, bool) {
	if !timestamp.MatchString(text) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

func (x *Execution) executeWait(t *thread, s *waitState) {
	v, fail := x.selectedInput(t, &s.io)
	if fail == nil {
		t.waiting = v
		var until time.Time
		if until, fail = s.until(x, t, v); fail == nil {
			if !until.After(x.now) {
				x.complete(t, v)
				return
			}
			x.setTimer(t, until)
			return
		}
	}
	x.handle(t, fail)
}

// until finds the end of the wait. The causes are worded as recorded on Step
// Functions.
func (s *waitState) until(x *Execution, t *thread, input any) (time.Time, *failure) {
	switch {
	case s.secondsPath != nil:
		v, err := x.evaluator(t, input).path(s.secondsPath)
		if err != nil {
			return time.Time{}, t.failure(errRuntime, "The SecondsPath parameter does not reference an input value: %s", s.secondsPath.text)
		}
		seconds, fail := t.secondsValue("SecondsPath", s.secondsPath, v)
		return x.now.Add(time.Duration(seconds) * time.Second), fail
	case s.timestampPath != nil:
		v, err := x.evaluator(t, input).path(s.timestampPath)
		if err != nil {
			return time.Time{}, t.failure(errRuntime, "The TimestampPath parameter does not reference an input value: %s", s.timestampPath.text)
		}
		text, _ := v.(string)
		at, ok := parseTimestamp(text)
		if !ok {
			return at, t.failure(errRuntime, "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s",
				s.timestampPath.text, scalarText(v))
		}
		return at, nil
	case !s.timestamp.IsZero():
		return s.timestamp, nil
	}
	return x.now.Add(time.Duration(s.seconds) * time.Second), nil
}

// secondsValue reads a number of seconds that a path field selected: a number
// or its text, as Step Functions takes it.
func (t *thread) secondsValue(field string, p *path, v any) (int64, *failure) {
	n, ok := number(scalarText(v)).int64()
	switch {
	case !ok:
		return 0, t.failure(errRuntime, "The %s parameter cannot be parsed as a long value: %s == %s", field, p.text, scalarText(v))
	case n < 0:
		return 0, t.failure(errRuntime, "The %s parameter references a negative value: %s == %d", field, p.text, n)
	case n > maxSeconds:
		return 0, t.failure(errRuntime, "The %s parameter references a value greater than %d: %s == %d", field, maxSeconds, p.text, n)
	}
	return n, nil
}

// scalarText writes a string without quotes and anything else as JSON.
func scalarText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(encode(v))
}
