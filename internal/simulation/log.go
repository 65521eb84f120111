package simulation

import (
	"context"
	"log/slog"
	"strconv"

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
	attrs := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		return true
	})
	h.checker.logged(r.Message, attrs)
	return nil
}

func (c *Checker) logged(message string, attrs map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case message == "execution does not take an event": // only our own bug can be the reason
		c.problems = append(c.problems, message+": "+attrs["error"])
	case attrs["eventType"] != "DLQ_MESSAGE":
	case attrs["outcome"] == string(task.Malformed):
		for body := range c.garbage {
			if attrs["bodyStart"] == quoted(body) {
				c.garbage[body] = true
			}
		}
	case attrs["outcome"] == string(task.Marked), attrs["outcome"] == string(task.Duplicate):
		run, _ := strconv.Atoi(attrs["run"]) // one that is not a number is a run that is missing
		c.task(task.ID(attrs["taskId"])).letters[run] = true
	}
}
