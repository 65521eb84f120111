package task

import (
	"errors"
	"time"
)

// Time is a moment with the resolution of a record: UTC, whole milliseconds.
// Its JSON is RFC 3339 with three decimals. The zero Time means "none".
type Time struct{ time.Time }

// Clock tells the time that records have: time.Now's, if it is nil.
type Clock func() time.Time

// Now returns the time.
func (c Clock) Now() Time {
	if c == nil {
		return At(time.Now())
	}
	return At(c())
}

// At returns t as a Time, cut to whole milliseconds.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Millisecond)}
}

// AtMilli returns the Time that is ms milliseconds after the Unix epoch, and
// the zero Time for 0.
func AtMilli(ms int64) Time {
	if ms == 0 {
		return Time{}
	}
	return Time{time.UnixMilli(ms).UTC()}
}

// Milli is the inverse of AtMilli.
func (t Time) Milli() int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Plus returns t + d.
func (t Time) Plus(d time.Duration) Time { return At(t.Add(d)) }

// String returns t as its JSON shows it, and "" for the zero Time.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	// Format has a quick way for RFC 3339, but none for its three decimals.
	b := t.UTC().AppendFormat(make([]byte, 0, len(time.RFC3339)), time.RFC3339)
	ms := t.Nanosecond() / int(time.Millisecond)
	return string(append(b[:len(b)-len("Z")], '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z'))
}

// MarshalJSON returns String, quoted.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == `""` || string(b) == "null" {
		*t = Time{}
		return nil
	}
	var u time.Time
	if err := u.UnmarshalJSON(b); err != nil {
		return err
	}
	// A time zone may carry a time out of the years that RFC 3339 can write.
	if u = u.UTC(); u.Year() < 0 || u.Year() > 9999 {
		return errors.New("the year is not from 0 to 9999")
	}
	*t = At(u)
	return nil
}
