package taskdb

import (
	"sync/atomic"
	"time"
)

// maxHidden is how long a message is hidden at most: no visibility timeout and no
// delay is longer. A time beyond it was written before the machine's clock was set
// back, and says nothing.
const maxHidden = 15 * time.Minute

// clock tells the time: the machine's when the file was opened, and what has passed
// since. Setting the machine's clock makes no wait shorter or longer. The queues
// have its time in ms since the Unix epoch.
type clock struct {
	opened time.Time
	ahead  atomic.Int64 // ns, by which the machine's clock has been ahead of this one at most
}

// Now returns the time for records: the machine's, but when that is set back, what it
// was and what has passed since. (A computer that sleeps sets it forward, in effect.)
func (db *DB) Now() time.Time {
	now := time.Now()
	own := db.clock.convert(now)
	for {
		known := db.clock.ahead.Load()
		ahead := int64(now.Round(0).Sub(own.Round(0))) // by what the clocks show
		if ahead < known+int64(time.Millisecond) {
			return own.Add(time.Duration(known))
		}
		if db.clock.ahead.CompareAndSwap(known, ahead) {
			return now
		}
	}
}

// convert returns a time that was reckoned from time.Now as a time of the clock.
func (c *clock) convert(t time.Time) time.Time { return c.opened.Add(t.Sub(c.opened)) }

func (c *clock) at(t time.Time) int64 { return c.convert(t).UnixMilli() }

func (c *clock) now() int64 { return c.at(time.Now()) }

// until returns how long it is until a time of the clock.
func (c *clock) until(at int64) time.Duration {
	return time.Duration(at-c.now()) * time.Millisecond
}
