package taskdb

import "time"

// maxHidden is how long a message is hidden at most: no visibility timeout and no
// delay is longer. A time beyond it was written before the machine's clock was set
// back, and says nothing.
const maxHidden = 15 * time.Minute

// clock tells the time: the machine's when the file was opened, and what has passed
// since. Setting the machine's clock makes no wait shorter or longer. The queues
// have its time in ms since the Unix epoch.
type clock struct{ opened time.Time }

// Now returns the time by the file's own clock, which nobody sets while it is open.
func (db *DB) Now() time.Time { return db.clock.convert(time.Now()) }

// convert returns a time that was reckoned from time.Now as a time of the clock.
func (c clock) convert(t time.Time) time.Time { return c.opened.Add(t.Sub(c.opened)) }

func (c clock) at(t time.Time) int64 { return c.convert(t).UnixMilli() }

func (c clock) now() int64 { return c.at(time.Now()) }

// until returns how long it is until a time of the clock.
func (c clock) until(at int64) time.Duration {
	return time.Duration(at-c.now()) * time.Millisecond
}
