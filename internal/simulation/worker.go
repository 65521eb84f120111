package simulation

import (
	"context"
	"errors"
	"time"

	"tasks/internal/task"
)

// Worker is a process.Worker whose luck is the seed's.
type Worker struct {
	World       *World
	Checker     *Checker
	FailureRate float64
	// Life returns the context that ends when the process dies that an
	// invocation, whose context it is given, runs in.
	Life func(context.Context) context.Context
}

// FailureRate draws how often a worker fails.
func FailureRate(w *World) float64 {
	rates := []float64{0, 0.1, 0.3, 0.6, 1}
	return rates[w.Intn(len(rates))]
}

// Work takes some time, and succeeds or fails in one of the ways that there are.
func (k Worker) Work(ctx context.Context, t task.Task) error {
	name, w := k.Checker.Name(t.ID), k.World
	k.Checker.Working(t)
	life := k.Life(ctx)
	var (
		takes    time.Duration
		stubborn bool // ignores its context
		outcome  func() error
	)
	if !w.Park(life, "work "+name, func() time.Duration {
		var what string
		takes, what = w.Between(0, 3*time.Second), "succeeds"
		outcome = func() error { return nil }
		switch {
		case w.Fault("the worker panics", 0.5):
			what, outcome = "panics", func() error { panic("the worker's luck") }
		case w.Chance(0.05):
			what, outcome = "fails for good", func() error { return task.Permanent(errors.New("no use")) }
		case w.Chance(k.FailureRate):
			what, outcome = "fails", func() error { return errors.New("bad luck") }
		}
		if w.Fault("the worker is slow", 1) {
			takes = w.Between(20*time.Second, 90*time.Second)
		}
		if w.Fault("the worker ignores its time's end", 1) {
			takes, stubborn = w.Between(55*time.Second, 5*time.Minute), true
		}
		w.Record("worker of %s run %d takes %v and %s", name, t.Run, takes, what)
		return 0
	}) {
		return life.Err()
	}
	wait := ctx
	if stubborn {
		wait = life
	}
	if !w.Park(wait, "worked "+name, func() time.Duration { return takes }) {
		return wait.Err()
	}
	err := outcome()
	k.Checker.Worked(t.ID, t.Run, err)
	return err
}
