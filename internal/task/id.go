package task

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID names a task: a UUID of version 7 (RFC 9562) in its canonical form, 36
// lower-case characters. Ids sort as their tasks were created, to the
// millisecond.
type ID string

// NewID returns a new ID. It fails only when the system's random source does.
func NewID() (ID, error) {
	u, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a task id: %w", err)
	}
	return ID(u.String()), nil
}

// Time returns when the id was made, to the millisecond, and none for what is no id.
func (id ID) Time() Time {
	u, err := uuid.Parse(string(id))
	if err != nil {
		return Time{}
	}
	seconds, nanoseconds := u.Time().UnixTime()
	return At(time.Unix(seconds, nanoseconds))
}

// ParseID returns s as an ID. Anything but the canonical form is refused, so
// that one task has one name.
func ParseID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 || u.String() != s {
		return "", Errorf(Invalid, "%q is not a task id: want a UUID of version 7 in lower case, such as 01939a3e-7c00-7000-8000-000000000001", Cut(s, 64))
	}
	return ID(s), nil
}
