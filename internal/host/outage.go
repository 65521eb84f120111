package host

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tasks/internal/task"
	"tasks/internal/taskdb"
)

// outageOver is how long after the last operation that failed an outage of the
// file ends with one that does not. It is longer than what waits for the file
// waits between two tries.
const outageOver = 10 * time.Second

// outage keeps the log readable while the file can't be used (the disk is full,
// read-only or broken): one record says when that begins and one when it ends.
// What each task, message and request has to say of it meanwhile is left out.
type outage struct {
	log *slog.Logger

	mu      sync.Mutex
	began   time.Time // zero: there is none
	failed  time.Time // the last operation
	leftOut int       // records
}

// intercept is between the host and the file.
func (o *outage) intercept(_ taskdb.Operation, do func() error) error {
	err := do()
	if unusable(err) {
		o.fail(err)
	} else {
		o.succeed()
	}
	return err
}

// unusable tells whether an operation failed because the file can't be used, and
// not because of what it was asked for, or because nobody waits for it any more.
func unusable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	refused, ok := errors.AsType[*task.Error](err)
	return !ok || refused.Kind == task.Unavailable
}

func (o *outage) fail(err error) {
	o.mu.Lock()
	o.failed = time.Now()
	begins := o.began.IsZero()
	if begins {
		o.began = o.failed
	}
	o.mu.Unlock()
	if begins {
		o.log.Error("the database can't be used: nothing is accepted, and what is there waits until it can", "error", err)
	}
}

func (o *outage) succeed() {
	o.mu.Lock()
	lasted, leftOut := o.failed.Sub(o.began), o.leftOut
	over := !o.began.IsZero() && time.Since(o.failed) >= outageOver
	if over {
		o.began, o.leftOut = time.Time{}, 0
	}
	o.mu.Unlock()
	if over {
		o.log.Info("the database can be used again", "lasted", lasted.Round(time.Second).String(), "leftOut", leftOut)
	}
}

// failedSince tells whether an operation has failed at a time or after it.
func (o *outage) failedSince(t time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.failed.Before(t)
}

// leaveOut tells whether a record about an error is to be left out.
func (o *outage) leaveOut(err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() || !task.IsKind(err, task.Unavailable) {
		return false
	}
	o.leftOut++
	return true
}

// logger returns a logger that leaves out what the outage says already.
func (o *outage) logger() *slog.Logger { return slog.New(outageHandler{o.log.Handler(), o}) }

type outageHandler struct {
	slog.Handler
	outage *outage
}

func (h outageHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return outageHandler{h.Handler.WithAttrs(attrs), h.outage}
}

func (h outageHandler) WithGroup(name string) slog.Handler {
	return outageHandler{h.Handler.WithGroup(name), h.outage}
}

func (h outageHandler) Handle(ctx context.Context, r slog.Record) error {
	leaveOut := false
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		leaveOut = ok && h.outage.leaveOut(err)
		return !leaveOut
	})
	if leaveOut {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
