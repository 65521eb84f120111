package simulation

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"tasks/internal/task"
)

// Saw notes a record as it was read from a real system. What it was between two
// readings, nobody knows, so one reading may be many writes after the last. Of
// one task they have to be in their order. Attempts, if it has any, are all that
// the record has.
func (c *Checker) Saw(now task.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.task(now.ID)
	before := s.record
	s.record = now
	switch {
	case before.ID == "":
	case now.Run < before.Run:
		c.problem(now.ID, "run %d follows run %d", now.Run, before.Run)
	case now.Run == before.Run && now.Status != before.Status && (now.Status == task.Pending || !before.Status.Open()):
		c.problem(now.ID, "%s follows %s", now.Status, before.Status)
	}
	if now.Status == task.DLQ && (before.Status != task.DLQ || before.Run != now.Run) {
		c.marks++
	}
	for n := range now.Attempts {
		begun := now
		begun.Attempts = now.Attempts[:n]
		after := now
		after.Attempts = now.Attempts[:n+1]
		c.attempts(begun, after)
	}
}

// Logged notes a line of a real system's log, a record in JSON.
func (c *Checker) Logged(line []byte) error {
	var record map[string]any
	if err := json.Unmarshal(line, &record); err != nil {
		return fmt.Errorf("the log has a line that is no record: %w: %.200s", err, line)
	}
	attrs := map[string]string{}
	for name, value := range record {
		attrs[name] = fmt.Sprint(value)
	}
	c.logged(attrs[slog.MessageKey], attrs)
	return nil
}
