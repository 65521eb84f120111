package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tasks/internal/asl"
)

// runOptions are the flags of tasks run.
type runOptions struct {
	input         string
	script        string
	handlers      []string
	substitutions []string
	start         string
	seed          uint64
	realTime      bool
}

func newRunCommand(c *cli) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a state machine definition, and print its history",
		Long: `Run one execution of a state machine definition, without a server and without
AWS, and print its history as Step Functions would tell it. - is standard input.

Time is virtual: a wait or a retry's delay passes at once, and the same command
prints the same again. --real-time waits really.

What Task states are answered with comes from a script or from programs.

--script FILE is a JSON object of answers by the name of the state:

  {
    "Charge": [
      {"error": "Declined", "cause": "card expired"},
      {"timeout": true},
      {"output": {"id": 7}, "seconds": 1.5}
    ],
    "Notify": {"output": null}
  }

A list is used up, one answer a call; a call too many is an error. An answer that
is not in a list is given to every call. An output is all that the integration
answers with: for lambda:invoke {"Payload": ...}. "seconds" is how long the
task takes: past its TimeoutSeconds or HeartbeatSeconds it times out.

--handler STATE=COMMAND runs COMMAND in a shell for each call of the state. It
gets the function's payload on standard input (of lambda:invoke the Payload; of
another service the parameters) and answers with JSON on standard output. If it
exits with another code than 0 the task fails, with what it wrote to standard
error as the cause, and with the error States.TaskFailed, unless it answered
{"errorType": ..., "errorMessage": ...}, as a function on Lambda does. It has
TimeoutSeconds of real time; in virtual time it takes none.

Exit codes: 0 the execution SUCCEEDED, 1 it didn't, 2 called in a way that makes
no sense, such as without an answer for a state.`,
		Example: `  tasks run flow.asl.json --input '{"n": 1}' --script answers.json
  tasks run flow.asl.json --input @input.json --handler Charge=./charge
  tasks run flow.asl.json --handler 'Double=jq ".n * 2"' --json | jq .output`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runDefinition(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.input, "input", "{}", "the execution's input: `JSON`, or @FILE")
	f.StringVar(&o.script, "script", "", "`FILE` with the answers of Task states")
	f.StringArrayVar(&o.handlers, "handler", nil, "`STATE=COMMAND`: a program that does the work of a Task state")
	f.StringArrayVar(&o.substitutions, "substitute", nil, "`NAME=VALUE` to put in the place of ${NAME}")
	f.BoolVar(&o.realTime, "real-time", false, "let waits and retries take their time")
	f.StringVar(&o.start, "start", "2026-01-01T00:00:00Z", "`TIME` at which virtual time starts")
	f.Uint64Var(&o.seed, "seed", 1, "seed of what is random: jitter, States.UUID, States.MathRandom")
	f.BoolVar(&c.json, "json", false, "print JSON, for programs")
	return cmd
}

func (c *cli) runDefinition(ctx context.Context, file string, o runOptions) error {
	start, err := time.Parse(time.RFC3339, o.start)
	if err != nil {
		return usagef("--start %s: want a time such as 2026-01-01T00:00:00Z", o.start)
	}
	input, err := c.runInput(o.input)
	if err != nil {
		return err
	}
	machine, err := c.runMachine(file, o.substitutions)
	if err != nil {
		return err
	}
	answers, err := c.readAnswers(machine, o.script, o.handlers)
	if err != nil {
		return err
	}
	name := cmp.Or(strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".json"), ".asl"), "machine")
	if file == "-" {
		name = "stdin"
	}
	printer := c.newRunPrinter()
	s := newSimulation(machine, answers, printer.events)
	if o.realTime {
		s.clock = time.Now
		start = time.Now()
	}
	err = s.run(ctx, start, &asl.StartInput{
		ExecutionID:      "arn:aws:states:local:000000000000:execution:" + name + ":run",
		Name:             "run",
		StateMachineID:   "arn:aws:states:local:000000000000:stateMachine:" + name,
		StateMachineName: name,
		Input:            input,
		Seed:             o.seed,
	})
	if err != nil {
		return err
	}
	if err := printer.end(s.execution); err != nil {
		return err
	}
	if status := s.execution.Status(); status != asl.Succeeded {
		return fmt.Errorf("the execution ended %s", status)
	}
	return nil
}

// runInput returns the JSON that --input gives.
func (c *cli) runInput(input string) (json.RawMessage, error) {
	text := []byte(input)
	if file, ok := strings.CutPrefix(input, "@"); ok {
		var err error
		if text, err = c.readFile(file); err != nil {
			return nil, fmt.Errorf("--input %s: %w", input, err)
		}
	}
	if !json.Valid(text) {
		return nil, usagef("--input %s: that is not JSON; @FILE reads a file", input)
	}
	return text, nil
}

// runMachine reads the definition. Its problems are printed.
func (c *cli) runMachine(file string, substitutions []string) (*asl.Machine, error) {
	values, err := parseSubstitutions(substitutions)
	if err != nil {
		return nil, err
	}
	d := c.readDefinition(file, values)
	if d.failed != nil {
		return nil, fmt.Errorf("%s: %w", d.name, d.failed)
	}
	if err := checkUsed(values, d); err != nil {
		return nil, err
	}
	machine, err := asl.Parse(d.text)
	if err == nil {
		return machine, nil
	}
	problems := d.problems(err)
	for _, p := range problems {
		c.errOut.printf("%s\n", printable(p.String()))
	}
	return nil, fmt.Errorf("%s has %s%s", d.name, plural(len(problems), "problem", "problems"), d.hint())
}
