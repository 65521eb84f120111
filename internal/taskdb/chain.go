package taskdb

import (
	"context"
	"errors"
	"sync/atomic"

	"tasks/internal/task"
)

// Chain is a sequence of operations that share commits although each begins when
// the one before it has returned: the early ones, StartExecution and Finish, return
// when they are applied to the open transaction; it or the next one has them on disk.
// What follows in the chain is on disk with them or after them: if they could not be
// committed, it is not applied, and its error is ErrLost. The host's Executions use it.
type Chain struct {
	last atomic.Pointer[operation] // the last early one: others are on disk when they return
}

// ErrLost is the error of an operation whose chain has lost an earlier one, which
// had returned without an error.
var ErrLost = errors.New("what it follows was not written")

type chainKey struct{}

// Context returns a context whose operations are the chain's.
func (c *Chain) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, chainKey{}, c)
}

// Fork returns a chain that follows what this one has done, for operations that those
// of this one do not wait for.
func (c *Chain) Fork() *Chain {
	fork := &Chain{}
	fork.last.Store(c.last.Load())
	return fork
}

// Wait waits until what the chain has done is on disk, or returns why it is not.
func (c *Chain) Wait() error {
	last := c.last.Load()
	if last == nil {
		return nil
	}
	<-last.done
	return last.err
}

// lost returns the error of an operation whose chain has lost the one before it.
func (op *operation) lost() error {
	if op.after == nil {
		return nil
	}
	select {
	case <-op.after.done:
		if op.after.err != nil {
			return task.Errorf(task.Unavailable, "%w (%v)", ErrLost, op.after.err)
		}
	default: // in the same transaction: see tx.seen
	}
	return nil
}
