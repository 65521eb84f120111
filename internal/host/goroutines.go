package host

import (
	"context"
	"sync/atomic"
)

// maxIdle is how many goroutines wait for something to do at most.
const maxIdle = 64

// goroutines runs functions in goroutines that are used again: a new one has its
// stack to grow first, again and again, as it goes deeper.
type goroutines struct {
	ctx     context.Context // they end with it, when they have nothing to do
	idle    chan func()
	waiting atomic.Int32
}

func newGoroutines(ctx context.Context) *goroutines {
	return &goroutines{ctx: ctx, idle: make(chan func())}
}

// run runs f in a goroutine.
func (g *goroutines) run(f func()) {
	select {
	case g.idle <- f: // to one that waits
	default:
		go g.loop(f)
	}
}

func (g *goroutines) loop(f func()) {
	for {
		f()
		if g.waiting.Add(1) > maxIdle {
			g.waiting.Add(-1)
			return
		}
		select {
		case f = <-g.idle:
			g.waiting.Add(-1)
		case <-g.ctx.Done():
			return
		}
	}
}
