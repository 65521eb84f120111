package simulation

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Faults decides what goes wrong.
type Faults struct {
	random   *rand.Rand
	calm     bool
	rates    map[string]float64
	happened map[string]int
}

func newFaults(random *rand.Rand) *Faults {
	return &Faults{random: random, rates: map[string]float64{}, happened: map[string]int{}}
}

// rates that a kind of fault can have in a run. In half of all runs a kind does
// not happen at all.
var possibleRates = []float64{0, 0, 0, 0, 0.005, 0.02, 0.08, 0.3}

// Fault tells whether a fault of this kind happens here and now. scale makes
// kinds that are asked about often rarer, or others more frequent.
func (f *Faults) Fault(kind string, scale float64) bool {
	rate, known := f.rates[kind]
	if !known {
		rate = possibleRates[f.random.IntN(len(possibleRates))]
		f.rates[kind] = rate
	}
	// Drawn in a calm too, so that a calm changes nothing but the outcome.
	if f.random.Float64() >= rate*scale || f.calm {
		return false
	}
	f.happened[kind]++
	return true
}

// Calm ends the faults.
func (f *Faults) Calm() { f.calm = true }

// IsCalm tells whether the faults have ended.
func (f *Faults) IsCalm() bool { return f.calm }

// Happened returns how often each kind of fault has happened. Kinds that have
// only been asked about are in it with 0.
func (f *Faults) Happened() map[string]int {
	all := maps.Clone(f.happened)
	for _, kind := range slices.Collect(maps.Keys(f.rates)) {
		all[kind] += 0
	}
	return all
}

// Latency returns how long an operation takes: mostly some milliseconds, at
// times seconds, and rarely longer than any function lives.
func (w *World) Latency() time.Duration {
	switch {
	case w.Fault("an operation hangs for minutes", 0.02):
		return w.Between(30*time.Second, 4*time.Minute)
	case w.Fault("an operation takes seconds", 0.3):
		return w.Between(time.Second, 20*time.Second)
	}
	return w.Between(100*time.Microsecond, 20*time.Millisecond)
}
