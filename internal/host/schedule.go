package host

import (
	"context"
	"log/slog"
	"time"

	"tasks/functions/reconcile"
)

// scheduleHandler is a function behind a schedule. Nothing in the event matters
// to ours.
type scheduleHandler func(context.Context, reconcile.Input) (reconcile.Output, error)

// schedule invokes a function at a fixed rate. What comes due while an invocation lasts
// is made up for by one, at once.
type schedule struct {
	every       time.Duration
	function    function
	handle      scheduleHandler
	log         *slog.Logger
	invocations context.Context // the context of invocations
	goroutines  *goroutines
}

func (s schedule) run(intake context.Context) {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.invoke()
		case <-intake.Done():
			return
		}
	}
}

func (s schedule) invoke() {
	if _, failure := invoke(s.invocations, s.goroutines, s.log, s.function, s.handle, reconcile.Input{}); failure != nil {
		s.log.Error("scheduled function failed", "function", s.function.name, "errorType", failure.Type, "errorMessage", failure.Message)
	}
}
