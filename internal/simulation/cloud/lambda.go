package cloud

import (
	"context"
	"runtime"
	"strconv"
	"time"

	"tasks/internal/awslambda"
	"tasks/internal/simulation"
)

// invocation is one run of a function.
type invocation struct {
	name  string          // "process#12"
	alive context.Context // ends when its sandbox does
	die   context.CancelFunc
	exit  func() // has it exit
	ended bool   // it has answered, or will not
}

type invocationKey struct{}

// invocationOf returns the invocation that a handler's context is of.
func invocationOf(ctx context.Context) *invocation {
	return ctx.Value(invocationKey{}).(*invocation)
}

// failure is how Step Functions, a mapping or a gateway sees an invocation that
// failed.
type failure struct{ Error, Cause string }

// invoke runs a function. answer is called once, by World.Run, with what the
// caller of Lambda sees: at the function's timeout at the latest, and not always
// what really happened.
func invoke[Out any](c *Cloud, name string, handle func(context.Context) (Out, error), answer func(Out, *failure)) {
	w := c.world
	var none Out
	switch {
	case w.Fault("Lambda throttles", 1):
		w.After(c.hop(), func() { answer(none, &failure{"Lambda.TooManyRequestsException", "Rate Exceeded."}) })
		return
	case w.Fault("Lambda fails before a function runs", 1):
		w.After(c.hop(), func() { answer(none, &failure{"Lambda.ServiceException", ""}) })
		return
	}
	c.invocations++
	inv := &invocation{name: name + "#" + strconv.Itoa(c.invocations)}
	inv.alive, inv.die = context.WithCancel(c.on)
	answered := false
	once := func(out Out, f *failure) {
		if !answered {
			answered = true
			answer(out, f)
		}
	}
	fail := func(f *failure) { once(none, f) }
	inv.exit = func() { c.exit(inv, fail) }
	start := c.hop()
	if w.Fault("a function starts cold", 1) {
		start += w.Between(0, 2*time.Second)
	}
	timeout := c.functions[name].Timeout
	w.After(start, func() {
		ctx, cancel := context.WithTimeout(context.WithValue(inv.alive, invocationKey{}, inv), timeout)
		go func() {
			defer cancel()
			out, err := handle(ctx)
			returned(c, inv, out, err, once)
		}()
		w.After(timeout, func() { c.timeOut(inv, fail) })
		if w.Fault("a function exits at any moment", 0.5) {
			w.After(w.Between(0, 5*time.Second), inv.exit)
		}
	})
	w.Record("%s starts", inv.name)
}

// returned has a handler's result reach the caller.
func returned[Out any](c *Cloud, inv *invocation, out Out, err error, answer func(Out, *failure)) {
	w := c.world
	w.Park(inv.alive, "returned "+inv.name, func() time.Duration {
		inv.ended = true
		var f *failure
		if err != nil {
			e := awslambda.Failure(err)
			f = &failure{e.Type, `{"errorMessage":` + strconv.Quote(e.Message) + `,"errorType":` + strconv.Quote(e.Type) + `}`}
		}
		if w.Fault("a function's answer is lost", 0.5) {
			var none Out
			out, f = none, &failure{"Lambda.SdkClientException", "Unable to execute HTTP request: Read timed out"}
		}
		if f != nil {
			w.Record("%s returned %s", inv.name, f.Error)
		} else {
			w.Record("%s returned", inv.name)
		}
		w.After(c.hop(), func() { answer(out, f) })
		return 0
	})
}

// timeOut ends an invocation whose time is up. What it has under way may have
// its effect later; at times it goes on as a whole.
func (c *Cloud) timeOut(inv *invocation, answer func(*failure)) {
	if inv.ended {
		return
	}
	inv.ended = true
	zombie := c.world.Fault("a function that has timed out goes on", 3)
	c.world.Record("%s times out%s", inv.name, simulation.When(zombie, ", and goes on"))
	answer(&failure{"Sandbox.Timedout", `{"errorMessage":"RequestId: Error: Task timed out"}`})
	if !zombie {
		inv.die()
	}
}

// exit ends an invocation as os.Exit or a lack of memory does.
func (c *Cloud) exit(inv *invocation, answer func(*failure)) {
	if inv.ended {
		return
	}
	inv.ended = true
	c.world.Record("%s exits", inv.name)
	inv.die()
	answer(&failure{"Lambda.Unknown", `{"errorMessage":"RequestId: Error: Runtime exited without providing a reason","errorType":"Runtime.ExitError"}`})
}

// hop is how long something takes from a service to another.
func (c *Cloud) hop() time.Duration { return c.world.Between(time.Millisecond, 50*time.Millisecond) }

// gone ends the goroutine of a sandbox that is no more.
func gone() { runtime.Goexit() }
