package taskdb

import "time"

// maxHidden is how long a message is hidden at most: no visibility timeout and no
// delay is longer. A time beyond it was written before the machine's clock was set
// back, and says nothing.
const maxHidden = 15 * time.Minute

// clock tells the queues the time, in ms since the Unix epoch: the machine's when
// the file was opened, and what has passed since. Setting the machine's clock
// neither hides a message nor shows it too early.
type clock struct{ opened time.Time }

func (c clock) now() int64 { return c.at(time.Now()) }

// at returns a time that was reckoned from time.Now.
func (c clock) at(t time.Time) int64 { return c.opened.Add(t.Sub(c.opened)).UnixMilli() }

// until returns how long it is until a time of the clock.
func (c clock) until(at int64) time.Duration {
	return time.Duration(at-c.now()) * time.Millisecond
}
