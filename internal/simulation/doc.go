// Package simulation runs a whole system in virtual time, with faults, and holds
// what became of each task against the promise: a task answered with 202 ends
// PROCESSED or DLQ, and its record says why. A seed decides everything that
// happens, so that a run can be repeated exactly.
//
// Two systems are simulated: the one-machine host as it is (TestSimulation in
// package host), and the functions on AWS's services as their documentation
// describes them (package cloud).
//
// # How it is one run
//
// A simulation lives in a bubble of testing/synctest. The code under test runs
// in goroutines of its own, as it always does, but wherever it calls what is
// outside of it (the store, a queue, an execution's start, the worker) it parks
// in World.Park. World.Run, one goroutine, waits until all others are parked or
// wait for time, gives each newly parked call a moment, drawn from the seed, at
// which it goes on, and lets time run to the next such moment. One call goes on
// at a time, and Run waits again until everything has come to rest. So the order
// of goroutines within a step can't matter, and the order of steps is the
// seed's.
//
// # What goes wrong
//
// World.Fault asks at each place where something could go wrong whether it does.
// A seed has its own choice of kinds of faults and of how often each happens,
// since faults at an even rate everywhere hide those that take a calm to show.
// After a while the faults end (World.Calm) and the system has days to mend
// itself.
//
// A new kind of fault is a call of Fault, a new invariant a line in Checker. Keys
// of calls that are parked at once must differ, or it must not matter which goes
// first. A new draw changes what every seed does: numbers that were noted before
// mean nothing then.
//
// # What is checked
//
// Checker sees each record after each write, each run of the worker and each
// record of the monitor's log, and at the end everything that is stored.
package simulation
