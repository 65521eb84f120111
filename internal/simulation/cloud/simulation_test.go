package cloud

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	tasks "tasks"
	"tasks/internal/simulation"
	"tasks/internal/task"
)

// TestSimulation runs the functions on the model of AWS in virtual time and with
// faults: see package simulation.
func TestSimulation(t *testing.T) {
	t.Parallel()
	t.Run("STANDARD", func(t *testing.T) { simulation.Seeds(t, 200, simulate(false)) })
	t.Run("EXPRESS", func(t *testing.T) { simulation.Seeds(t, 200, simulate(true)) })
}

// TestASeedReplays runs seeds twice and compares all that happened.
func TestASeedReplays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			var histories [2]string
			for i := range histories {
				synctest.Test(t, func(t *testing.T) { histories[i] = simulate(seed%2 == 0)(t, 1000+seed).History })
			}
			simulation.Compare(t, histories[0], histories[1])
		})
	}
}

// simulate runs a system with the faults of a seed until all its tasks are
// final.
func simulate(express bool) func(*testing.T, uint64) simulation.Result {
	return func(t *testing.T, seed uint64) simulation.Result {
		w := simulation.NewWorld(seed)
		checker := simulation.NewChecker(w, tasks.Retries())
		checker.ClockSlack = task.ClockSlack
		c, err := New(w, checker, express)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Off()
		clients := &simulation.Clients{World: w, Checker: checker, Request: c.Request}

		faulty := w.Between(time.Minute, 2*time.Hour)
		clients.Post(1+w.Intn(15), faulty)
		clients.Redrive(w.Intn(5), faulty)
		c.Disturb(faulty)
		w.Run(faulty, func() bool { return false })

		w.Calm()
		w.Record("the faults end")
		settled := w.Run(4*24*time.Hour, checker.Settled)
		w.Run(time.Hour, func() bool { return false }) // for what should not happen any more
		r := simulation.Result{Faults: w.Happened(), Lasted: w.Since()}
		if !settled {
			r.Problems = append(r.Problems, "not settled 4 days after the last fault")
		}
		stored, err := c.Stored()
		if err != nil {
			r.Problems = append(r.Problems, err.Error())
		}
		r.Tasks = len(stored.Tasks)
		r.Problems = append(r.Problems, checker.Final(stored)...)
		r.History = w.History()
		return r
	}
}
