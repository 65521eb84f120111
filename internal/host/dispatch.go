package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"tasks/internal/asl"
	"tasks/internal/taskdb"
)

// doEarly begins the calls that find a slot, before what led to them is on disk:
// chain is that, and what they write follows it. If it comes to nothing, so do they.
// The other commands, which would be left behind then, are returned for do.
func (e *Executions) doEarly(x *execution, commands []asl.Command, chain *taskdb.Chain) (rest []asl.Command) {
	for _, c := range commands {
		if c, ok := c.(asl.InvokeTask); ok && e.slots.takeFree() {
			e.startCall(e.slots, x, c, chain)
			continue
		}
		rest = append(rest, c)
	}
	return rest
}

// do carries out commands. Waits are counted from the time since, which is that of
// the event that led to them, or now: setting the machine's clock makes them
// neither shorter nor longer.
func (e *Executions) do(x *execution, commands []asl.Command, since time.Time) {
	e.doIn(e.slots, x, commands, since)
}

// doIn is do with calls that take slots of these.
func (e *Executions) doIn(s *slots, x *execution, commands []asl.Command, since time.Time) {
	for _, c := range commands {
		switch c := c.(type) {
		case asl.InvokeTask:
			if s.take(waitingCall{x.kept.Message, c.Ref}) {
				e.startCall(s, x, c, &taskdb.Chain{})
			}
		case asl.SetTimer:
			e.timers.set(c.At.Sub(since), timer{m: x.kept.Message, ref: c.Ref})
		case asl.CancelTask:
			if cancel := x.cancels[c.Ref]; cancel != nil {
				cancel()
			}
		case asl.Finish: // it is in the status that was kept
		}
	}
}

// startCall makes the call of a Task state, which has a slot, and gives its answer to the
// execution, which stays in memory until then.
func (e *Executions) startCall(s *slots, x *execution, c asl.InvokeTask, follows *taskdb.Chain) {
	if !e.begin() {
		return // kept as pending
	}
	chain := follows.Fork() // the handler's Claim and Finish are the chain's, and what handle keeps
	ctx, cancel := context.WithCancel(chain.Context(e.ctx))
	if x.cancels == nil {
		x.cancels = map[int64]context.CancelFunc{}
	}
	x.cancels[c.Ref] = cancel
	m := x.kept.Message
	e.acquire(m)
	e.goroutines.run(func() {
		defer e.running.Done()
		defer cancel()
		defer e.release(m, x)
		leave := func() { e.leave(s) }
		if s == e.suspects {
			leave = sync.OnceFunc(leave)
			defer time.AfterFunc(e.suspectFor, leave).Stop()
		}
		event := e.run(ctx, c)
		if e.ctx.Err() == nil { // else it was cut off by the host's end, and counts as not answered
			e.handle(m, event, chain)
		}
		leave() // not before its answer is kept: while nothing can be, nobody follows
	})
}

// leave gives a slot to the call that has waited for one longest.
func (e *Executions) leave(s *slots) {
	next, ok := s.leave()
	if !ok || !e.begin() {
		return
	}
	go func() {
		defer e.running.Done()
		started := false
		e.with(next.m, func(x *execution) {
			if c, ok := x.state.Awaited(next.ref).(asl.InvokeTask); ok {
				e.startCall(s, x, c, &taskdb.Chain{})
				started = true
			}
		})
		if !started { // cancelled, or the task was redriven meanwhile
			e.leave(s)
		}
	}()
}

// run makes a call and returns the event of its answer. Its timeout is counted from
// here.
func (e *Executions) run(ctx context.Context, c asl.InvokeTask) asl.Event {
	if limit := shorter(c.Timeout, c.Heartbeat); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	out, failure := e.runTask(ctx, c)
	event := asl.Event{Kind: asl.TaskSucceeded, Ref: c.Ref}
	switch {
	case failure == nil && integrated(c.Resource):
		event.Answer = out
	case failure == nil:
		event.Output = out
	case failure != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		event.Kind = asl.TaskTimedOut
		if c.Heartbeat > 0 && c.Heartbeat == shorter(c.Timeout, c.Heartbeat) {
			event.Kind = asl.TaskHeartbeatTimedOut
		}
	case failure != nil:
		event.Kind, event.Error, event.Cause = asl.TaskFailed, failure.Type, failure.cause()
	}
	return event
}

// shorter returns the shorter of two timeouts, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// fire is what timers calls. The event waits for the file, so it has a
// goroutine of its own; when maxFired of them wait, the timers do too.
func (e *Executions) fire(t timer) {
	select {
	case e.fired <- struct{}{}:
	case <-e.ctx.Done():
		return
	}
	if !e.begin() {
		<-e.fired
		return
	}
	go func() {
		defer e.running.Done()
		e.handle(t.m, asl.Event{Kind: asl.TimerFired, Ref: t.ref}, &taskdb.Chain{})
		<-e.fired
	}()
}
