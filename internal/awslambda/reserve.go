package awslambda

import (
	"context"
	"time"
)

// maxReserve is what Reserve keeps back at most.
const maxReserve = 2 * time.Second

// Reserve returns a context that ends before ctx's deadline and leaves the
// handler time to say what happened: 2 s, or a tenth of what is left if that is
// less. Lambda kills a function at its deadline, and what it had to say is lost.
// A ctx without a deadline stays without.
func Reserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(maxReserve, time.Until(deadline)/10)))
}
