package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tasks/internal/asl"
)

// simulation runs one execution in this process. It is a host of package asl:
// it gives the execution its events, and does what the execution asks for.
type simulation struct {
	execution *asl.Execution
	answers   *answers
	observe   func([]asl.HistoryEvent)
	// clock is the real time, or nil: then time is virtual, and stands still
	// until nothing is left to do at its moment.
	clock func() time.Time

	now      time.Time
	agenda   []appointment // by time, and by age at the same time
	programs map[int64]context.CancelFunc
	answered chan programAnswer
}

// appointment is an event and its time.
type appointment struct {
	at    time.Time
	event asl.Event
}

// programAnswer is the event that a program's end is.
type programAnswer struct {
	event asl.Event
	after time.Duration // how long the program took, in virtual time
	err   error
}

func newSimulation(machine *asl.Machine, answers *answers, observe func([]asl.HistoryEvent)) *simulation {
	return &simulation{
		execution: machine.NewExecution(),
		answers:   answers,
		observe:   observe,
		programs:  map[int64]context.CancelFunc{},
		answered:  make(chan programAnswer),
	}
}

// run runs the execution to its end. An error means that it has none: ctx is
// done, or a task has no answer.
func (s *simulation) run(ctx context.Context, start time.Time, input *asl.StartInput) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.now = start
	event := asl.Event{Kind: asl.Start, Start: input}
	for {
		event.Time = s.now
		commands, history, err := s.execution.Step(event)
		if err != nil {
			return err
		}
		s.observe(history)
		for _, command := range commands {
			if err := s.do(ctx, command); err != nil {
				return err
			}
		}
		if s.execution.Status() != asl.Running {
			return nil
		}
		if event, err = s.next(ctx); err != nil {
			return err
		}
	}
}

func (s *simulation) do(ctx context.Context, command asl.Command) error {
	switch command := command.(type) {
	case asl.SetTimer:
		s.plan(command.At, asl.Event{Kind: asl.TimerFired, Ref: command.Ref})
	case asl.CancelTask:
		if cancel := s.programs[command.Ref]; cancel != nil {
			cancel()
		}
		s.agenda = slices.DeleteFunc(s.agenda, func(a appointment) bool { return a.event.Ref == command.Ref })
	case asl.InvokeTask:
		if program, ok := s.answers.programs[command.State]; ok {
			s.start(ctx, program, command)
			return nil
		}
		answer, err := s.answers.next(command)
		if err != nil {
			return err
		}
		event, after, err := answer.event(command)
		if err != nil {
			return err
		}
		s.plan(s.now.Add(after), event)
	}
	return nil
}

// plan has an event happen at its time, after those that are due then already.
func (s *simulation) plan(at time.Time, event asl.Event) {
	i, _ := slices.BinarySearchFunc(s.agenda, at, func(a appointment, at time.Time) int {
		return cmp.Or(a.at.Compare(at), -1)
	})
	s.agenda = slices.Insert(s.agenda, i, appointment{at, event})
}

// start starts a program.
func (s *simulation) start(ctx context.Context, program string, command asl.InvokeTask) {
	programCtx, cancel := context.WithCancel(ctx)
	s.programs[command.Ref] = cancel
	go func() {
		event, after, err := runProgram(programCtx, program, command)
		select {
		case s.answered <- programAnswer{event, after, err}:
		case <-ctx.Done():
		}
	}()
}

// ended forgets a program that has ended.
func (s *simulation) ended(a programAnswer) {
	s.programs[a.event.Ref]()
	delete(s.programs, a.event.Ref)
}

// next waits for the next event, and lets the time pass until it.
func (s *simulation) next(ctx context.Context) (asl.Event, error) {
	if s.clock != nil {
		return s.nextInRealTime(ctx)
	}
	if err := s.awaitPrograms(ctx); err != nil {
		return asl.Event{}, err
	}
	if len(s.agenda) == 0 {
		return asl.Event{}, errors.New("the execution runs, and waits for nothing")
	}
	if err := ctx.Err(); err != nil {
		return asl.Event{}, errInterrupted
	}
	return s.take(), nil
}

var errInterrupted = errors.New("interrupted")

// take takes the first appointment.
func (s *simulation) take() asl.Event {
	first := s.agenda[0]
	s.agenda = s.agenda[1:]
	if first.at.After(s.now) {
		s.now = first.at
	}
	return first.event
}

// awaitPrograms waits for all programs that run. Which of them is faster must
// not show, so their answers come in the order in which they were started.
func (s *simulation) awaitPrograms(ctx context.Context) error {
	var all []programAnswer
	for len(s.programs) > 0 {
		select {
		case a := <-s.answered:
			s.ended(a)
			all = append(all, a)
		case <-ctx.Done():
			return errInterrupted
		}
	}
	slices.SortFunc(all, func(a, b programAnswer) int { return cmp.Compare(a.event.Ref, b.event.Ref) })
	for _, a := range all {
		if a.err != nil {
			return a.err
		}
		s.plan(s.now.Add(a.after), a.event)
	}
	return nil
}

func (s *simulation) nextInRealTime(ctx context.Context) (asl.Event, error) {
	var due <-chan time.Time
	if len(s.agenda) > 0 {
		timer := time.NewTimer(s.agenda[0].at.Sub(s.clock()))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return s.take(), nil
	case a := <-s.answered:
		s.ended(a)
		if now := s.clock(); now.After(s.now) {
			s.now = now
		}
		return a.event, a.err
	case <-ctx.Done():
		return asl.Event{}, errInterrupted
	}
}

// limitOf returns how long a task may take and what happens when it takes
// longer; 0 is for ever.
func limitOf(command asl.InvokeTask) (time.Duration, asl.EventKind) {
	if command.Heartbeat > 0 && (command.Timeout == 0 || command.Heartbeat < command.Timeout) {
		return command.Heartbeat, asl.TaskHeartbeatTimedOut
	}
	return command.Timeout, asl.TaskTimedOut
}

// noAnswer is the error for a task that nothing answers.
func noAnswer(command asl.InvokeTask) error {
	return usagef(`the state %q asks for %s, and nothing answers: give it an answer in --script, {%q: {"output": ...}}, or a program, --handler '%s=COMMAND'`,
		command.State, command.Resource, command.State, command.State)
}

func tooManyCalls(state string, calls int) error {
	return usagef("the state %q is called again, and its %s in --script are used up; an answer that is not in a list is given to every call", state, plural(calls, "answer", "answers"))
}

func neverTimesOut(state string) error {
	return usagef(`the state %q is to time out, says --script, but has neither TimeoutSeconds nor HeartbeatSeconds; {"error": "States.Timeout"} is a timeout that the task reports`, state)
}
