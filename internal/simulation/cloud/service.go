package cloud

import (
	"context"
	"time"

	"tasks/internal/simulation"
	"tasks/internal/task"
)

// call is a function's request to a service, as the SDK makes it: effect is what
// it does there, once, or not at all, and it may do so after the function has
// stopped to wait, or has died. The error is effect's, or of kind Unavailable.
func call[T any](ctx context.Context, c *Cloud, key string, effect func() (T, error)) (T, error) {
	w, inv := c.world, invocationOf(ctx)
	// The handler may have taken the end of its sandbox out of ctx.
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(inv.alive, cancel)()

	type result struct {
		value T
		err   error
	}
	answer := make(chan result, 1)
	key += " by " + inv.name
	arrived := w.Park(waiting, key, func() time.Duration {
		there, back := w.Latency(), w.Latency()
		refused := w.Fault("a request fails before it has an effect", 0.5)
		lost := w.Fault("the answer to a request is lost", 0.5)
		exits := w.Fault("a function exits at a request", 0.2)
		w.Record("%s%s%s%s", key, simulation.When(refused, ": refused"), simulation.When(lost, ": answer lost"), simulation.When(exits, ": exits"))
		if exits && w.Chance(0.5) {
			w.After(0, inv.exit) // before it was sent
			return time.Hour
		}
		if refused {
			answer <- result{err: task.Errorf(task.Unavailable, "the service is not available")}
			return there + back
		}
		w.After(there, func() {
			value, err := effect()
			w.Record("%s has its effect: %s", key, task.KindOf(err))
			if exits {
				inv.exit()
			}
			if lost {
				answer <- result{err: task.Errorf(task.Unavailable, "connection reset")}
				return
			}
			answer <- result{value, err}
		})
		return there + back
	})
	if inv.alive.Err() != nil {
		gone()
	}
	if !arrived {
		var none T
		return none, task.Errorf(task.Unavailable, "request cancelled: %w", context.Cause(ctx))
	}
	r := <-answer
	return r.value, r.err
}

// do is call for an effect without a value.
func do(ctx context.Context, c *Cloud, key string, effect func() error) error {
	_, err := call(ctx, c, key, func() (struct{}, error) { return struct{}{}, effect() })
	return err
}
