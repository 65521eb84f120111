package simulation

import (
	"context"
	"log/slog"

	"tasks/internal/task"
)

// Garbage notes that a malformed message is put on a queue, by send. If send
// fails it is not missed.
func (c *Checker) Garbage(body string, send func() error) {
	c.mu.Lock()
	c.garbage[body] = false
	c.mu.Unlock()
	if send() != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.garbage, body)
	}
}

// Logger returns the logger of the simulated functions. It reads what the
// monitor logs.
func (c *Checker) Logger() *slog.Logger { return slog.New(logHandler{c}) }

type logHandler struct{ checker *Checker }

func (h logHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h logHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h logHandler) WithGroup(string) slog.Handler            { return h }

func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	attrs := map[string]slog.Value{}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value
		return true
	})
	c := h.checker
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.Message == "execution does not take an event": // only our own bug can be the reason
		c.problems = append(c.problems, r.Message+": "+attrs["error"].String())
	case attrs["eventType"].String() != "DLQ_MESSAGE":
	case attrs["outcome"].String() == string(task.Malformed):
		for body := range c.garbage {
			if attrs["bodyStart"].String() == quoted(body) {
				c.garbage[body] = true
			}
		}
	case attrs["outcome"].String() == string(task.Marked), attrs["outcome"].String() == string(task.Duplicate):
		c.task(task.ID(attrs["taskId"].String())).letters[int(attrs["run"].Int64())] = true
	}
	return nil
}
