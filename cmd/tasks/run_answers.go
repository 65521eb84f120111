package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"tasks/internal/asl"
	"tasks/internal/task"
)

// answers are what the Task states of a machine are answered with.
type answers struct {
	scripts  map[string]script // by state
	programs map[string]string // by state: a command
	calls    map[string]int    // of each script, so far
}

// script has the answers of a state.
type script struct {
	list  []scriptedAnswer
	every bool // the only answer is given to every call
}

// scriptedAnswer is one answer of a script: an output, an error or a timeout.
type scriptedAnswer struct {
	Output  json.RawMessage `json:"output"`
	Error   string          `json:"error"`
	Cause   string          `json:"cause"`
	Timeout bool            `json:"timeout"`
	Seconds float64         `json:"seconds"` // how long the task takes
}

// readAnswers reads the script and the programs. Each must be of a Task state
// of the machine.
func (c *cli) readAnswers(machine *asl.Machine, file string, handlers []string) (*answers, error) {
	a := &answers{scripts: map[string]script{}, programs: map[string]string{}, calls: map[string]int{}}
	if file != "" {
		text, err := c.readFile(file)
		if err != nil {
			return nil, fmt.Errorf("--script %s: %w", file, err)
		}
		if err := decodeStrictly(text, &a.scripts); err != nil {
			return nil, usagef("--script %s: %w", file, err)
		}
	}
	for _, handler := range handlers {
		state, command, ok := strings.Cut(handler, "=")
		if !ok || state == "" || command == "" {
			return nil, usagef("--handler %s: want STATE=COMMAND", handler)
		}
		if _, ok := a.programs[state]; ok {
			return nil, usagef("--handler: the state %q has two programs", state)
		}
		if _, ok := a.scripts[state]; ok {
			return nil, usagef("the state %q is in --script and has a --handler: it can have one of them", state)
		}
		a.programs[state] = command
	}
	return a, a.check(machine)
}

// check refuses answers that no state will ask for.
func (a *answers) check(machine *asl.Machine) error {
	var states []string
	for _, t := range machine.Tasks() {
		states = append(states, t.State)
	}
	named := slices.Sorted(maps.Keys(a.scripts))
	for _, state := range slices.AppendSeq(named, maps.Keys(a.programs)) {
		if !slices.Contains(states, state) {
			return usagef("there is no Task state %q to answer; there are: %s", state, strings.Join(states, ", "))
		}
	}
	return nil
}

// UnmarshalJSON reads one answer, or a list of them.
func (s *script) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		if err := decodeStrictly(text, &s.list); err != nil {
			return err
		}
	} else {
		s.every = true
		s.list = make([]scriptedAnswer, 1)
		if err := decodeStrictly(text, &s.list[0]); err != nil {
			return err
		}
	}
	for _, a := range s.list {
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}

// maxSeconds is how long a task may take at most: the largest TimeoutSeconds.
const maxSeconds = 99_999_999

func (a scriptedAnswer) check() error {
	kinds := 0
	for _, given := range []bool{a.Output != nil, a.Error != "", a.Timeout} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return errors.New(`an answer has one of "output", "error" and "timeout": true`)
	case a.Cause != "" && a.Error == "":
		return errors.New(`"cause" goes with "error"`)
	case a.Seconds < 0 || a.Seconds > maxSeconds:
		return fmt.Errorf(`"seconds" must be from 0 to %d, which %v is not`, maxSeconds, a.Seconds)
	}
	return nil
}

func decodeStrictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one JSON value")
	}
	return nil
}

// next returns the script's answer for a call.
func (a *answers) next(command asl.InvokeTask) (scriptedAnswer, error) {
	s, ok := a.scripts[command.State]
	call := a.calls[command.State]
	a.calls[command.State]++
	switch {
	case !ok:
		return scriptedAnswer{}, noAnswer(command)
	case s.every:
		return s.list[0], nil
	case call >= len(s.list):
		return scriptedAnswer{}, tooManyCalls(command.State, len(s.list))
	}
	return s.list[call], nil
}

// event returns the event of the answer and how long it takes to come.
func (a scriptedAnswer) event(command asl.InvokeTask) (asl.Event, time.Duration, error) {
	event := asl.Event{Ref: command.Ref}
	limit, timeout := limitOf(command)
	after := time.Duration(a.Seconds * float64(time.Second))
	switch {
	case a.Timeout && limit == 0:
		return event, 0, neverTimesOut(command.State)
	case a.Timeout, limit > 0 && after >= limit:
		event.Kind = timeout
		return event, limit, nil
	case a.Error != "":
		event.Kind, event.Error, event.Cause = asl.TaskFailed, a.Error, a.Cause
	default:
		event.Kind, event.Output = asl.TaskSucceeded, a.Output
	}
	return event, after, nil
}

// maxCause is how long a cause may be ("CauseString" of SendTaskFailure).
const maxCause = 32768

// runProgram has a command do a task, and returns the event of its end. An error
// means that the program doesn't keep to the rules.
func runProgram(ctx context.Context, command string, c asl.InvokeTask) (event asl.Event, after time.Duration, err error) {
	event = asl.Event{Ref: c.Ref}
	limit, timeout := limitOf(c)
	run := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		run, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	var out, errOut bytes.Buffer
	program := exec.CommandContext(run, "sh", "-c", command)
	program.Stdin, program.Stdout, program.Stderr = bytes.NewReader(payloadOf(c)), &out, &errOut
	program.WaitDelay = time.Second // for what the shell has left behind
	failed := program.Run()
	exit, exited := errors.AsType[*exec.ExitError](failed)
	switch {
	case run.Err() != nil && failed != nil:
		event.Kind = timeout
		return event, limit, nil
	case failed == nil:
		event.Kind = asl.TaskSucceeded
		event.Output, err = resultOf(c, out.Bytes())
	case exited:
		event.Kind = asl.TaskFailed
		event.Error, event.Cause = failureOf(exit, out.Bytes(), errOut.String())
	default:
		err = fmt.Errorf("the program of the state %q: %w", c.State, failed)
	}
	return event, 0, err
}

const taskFailed = "States.TaskFailed"

// payloadOf returns what the program of a task is to work on.
func payloadOf(c asl.InvokeTask) []byte {
	if c.Payload != nil {
		return c.Payload
	}
	return c.Parameters
}

// resultOf returns the result of the integration for what a program answered.
func resultOf(c asl.InvokeTask, out []byte) (json.RawMessage, error) {
	out = bytes.TrimSpace(out)
	if len(out) == 0 {
		out = []byte("null")
	}
	if !json.Valid(out) {
		return nil, fmt.Errorf("the program of the state %q answered with what is not JSON: %s", c.State, task.Cut(string(out), 200))
	}
	if c.Resource != asl.LambdaInvoke {
		return out, nil
	}
	return json.Marshal(struct {
		ExecutedVersion string
		Payload         json.RawMessage
		StatusCode      int
	}{"$LATEST", out, 200})
}

// failureOf returns the error name and the cause of a program that failed.
func failureOf(exit *exec.ExitError, out []byte, errOut string) (name, cause string) {
	var answer struct{ ErrorType string }
	if json.Unmarshal(out, &answer) == nil && answer.ErrorType != "" {
		return answer.ErrorType, string(bytes.TrimSpace(out))
	}
	if errOut = strings.TrimSpace(errOut); errOut == "" {
		errOut = exit.String()
	}
	return taskFailed, task.Cut(errOut, maxCause)
}
