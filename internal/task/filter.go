package task

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// Filter selects tasks: those of which all is true that it says. The zero Filter
// selects all.
type Filter struct {
	Status    Status
	ErrorType string
	// Label, if not empty, selects the tasks that have it with the value LabelValue.
	Label, LabelValue string
	CreatedFrom       Time // created then or later
	CreatedBefore     Time
	UpdatedBefore     Time // last changed before
}

// Matches tells whether f selects t.
func (f Filter) Matches(t *Task) bool {
	value, labelled := t.Labels[f.Label]
	switch {
	case f.Status != "" && t.Status != f.Status,
		f.ErrorType != "" && t.ErrorType != f.ErrorType,
		f.Label != "" && (!labelled || value != f.LabelValue),
		t.CreatedAt.Before(f.CreatedFrom.Time),
		!f.CreatedBefore.IsZero() && !t.CreatedAt.Before(f.CreatedBefore.Time),
		!f.UpdatedBefore.IsZero() && !t.UpdatedAt.Before(f.UpdatedBefore.Time):
		return false
	}
	return true
}

// idSlack is how far the time in an id may be from its task's creation.
const idSlack = time.Minute

// IDs returns bounds of the ids of the tasks that f selects: from, inclusive, and
// before. A bound that f does not give is empty.
func (f Filter) IDs() (from, before ID) {
	if !f.CreatedFrom.IsZero() {
		from = FirstID(f.CreatedFrom.Plus(-idSlack))
	}
	if !f.CreatedBefore.IsZero() {
		before = FirstID(f.CreatedBefore.Plus(idSlack))
	}
	return from, before
}

// FirstID returns the least id of a moment. It begins with the milliseconds since
// 1970, of 48 bits (RFC 9562, UUID version 7).
func FirstID(t Time) ID {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], uint64(min(max(0, t.UnixMilli()), 1<<48-1))<<16)
	u[6], u[8] = 0x70, 0x80
	return ID(u.String())
}

// Query asks for a part of a listing.
type Query struct {
	Filter
	Limit int // 1 to MaxPageTasks
	// Before is where to go on: only tasks older than it are returned. Empty
	// for the first page.
	Before ID
}

// Bounds returns the bounds of the ids that q asks for: from, inclusive, and before.
// A bound that there is not is empty.
func (q Query) Bounds() (from, before ID) {
	from, before = q.IDs()
	if q.Before != "" && (before == "" || q.Before < before) {
		before = q.Before
	}
	return from, before
}

// Counts are how many tasks there are of each status.
type Counts struct {
	Tasks map[Status]int // of every status
	AsOf  Time           // none before the first task
	// OldestOpen is when the oldest task that is not final was created, by its id;
	// none if all are final.
	OldestOpen Time
}
