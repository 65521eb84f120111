package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

func newSubmitCommand(c *cli) *cobra.Command {
	var (
		wait       bool
		file       string
		delay      time.Duration
		labels     []string
		submission client.Submission
	)
	cmd := &cobra.Command{
		Use:   "submit [ANSWER|-]",
		Short: "Submit a task, or one for each line of a file",
		Long: `Submit a task, and print its id.

The answer is the argument, or with - or none, standard input to its end,
without the line break that closes it. It is UTF-8 of at most 256 KiB.

The request has an idempotency key, a random one or --idempotency-key: it can be
sent again and is one task, for 24 hours. It is sent again if it has no answer, and
when the server has too much to do and puts it off, for 2 minutes at most.

With --wait, wait for the task to be final and print how it ended. The exit
code is then 0 if it was processed and 3 if it ended in the DLQ.

With --lines, submit a task for each line of a file that is not empty, or of
standard input with -. Each line has an idempotency key, made of the file's content
and the line's number: if it is interrupted, run it again, and no line becomes two
tasks within 24 hours. For standard input give an --idempotency-key for that. With
--json, print what became of each line; the exit code is 1 if one was refused.`,
		Example: `  tasks submit "What is six times seven?"
  tasks submit --wait --json - < answer.txt
  id=$(tasks submit "42") && tasks get "$id"
  tasks submit --idempotency-key "order 4711" "42"   # once, however often it is run
  tasks submit --delay 5m --label team=billing "42"
  tasks submit --lines answers.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := common(&submission, delay, labels); err != nil {
				return err
			}
			if file != "" {
				if wait || len(args) > 0 {
					return usagef("--lines excludes --wait and an answer")
				}
				return c.submitLines(cmd.Context(), file, submission)
			}
			var err error
			if submission.Answer, err = c.answer(args); err != nil {
				return err
			}
			return c.submit(cmd, submission, wait)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&wait, "wait", false, "wait until the task is final")
	flags.StringVar(&submission.IdempotencyKey, "idempotency-key", "", "name the request, 1 to 255 printable characters of ASCII (default: a random one)")
	flags.DurationVar(&delay, "delay", 0, "how long the first attempt waits, up to 15m, in whole seconds")
	flags.StringArrayVar(&labels, "label", nil, "label the task, as `NAME=VALUE`; up to 10 times")
	flags.StringVar(&file, "lines", "", "submit a task for each line of a `FILE`, or of standard input with -")
	return cmd
}

// common sets what the flags say of a task.
func common(s *client.Submission, delay time.Duration, labels []string) error {
	if delay < 0 || delay > task.MaxDelay || delay%time.Second != 0 {
		return usagef("--delay %v: want whole seconds, up to %v", delay, task.MaxDelay)
	}
	s.Delay = int(delay / time.Second)
	for _, l := range labels {
		name, value, err := label(l)
		if err != nil {
			return err
		}
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		s.Labels[name] = value
	}
	return nil
}

// answer returns the answer that the arguments give.
func (c *cli) answer(args []string) (string, error) {
	var answer []byte
	if len(args) == 1 && args[0] != "-" {
		answer = []byte(args[0])
	} else {
		if stdin, ok := c.in.(*os.File); ok && len(args) == 0 && term.IsTerminal(int(stdin.Fd())) {
			return "", usagef("no answer given: name it, or - for standard input")
		}
		const newline = 2 // "\r\n"
		var err error
		if answer, err = io.ReadAll(io.LimitReader(c.in, task.MaxAnswerBytes+newline+1)); err != nil {
			return "", fmt.Errorf("read the answer: %w", err)
		}
		answer = bytes.TrimSuffix(bytes.TrimSuffix(answer, []byte("\n")), []byte("\r"))
	}
	if len(answer) > task.MaxAnswerBytes {
		return "", usagef("the answer is longer than %d bytes", task.MaxAnswerBytes)
	}
	if !utf8.Valid(answer) {
		return "", usagef("the answer is not UTF-8")
	}
	return string(answer), nil
}

func (c *cli) submit(cmd *cobra.Command, s client.Submission, wait bool) error {
	ctx := cmd.Context()
	cl, err := c.client(ctx, 1)
	if err != nil {
		return err
	}
	if s.IdempotencyKey == "" {
		s.IdempotencyKey = uuid.NewString()
	}
	accepted, err := untilAnswered(ctx, func() (api.Accepted, error) { return cl.Submit(ctx, s) }, c.tellPutOff)
	if client.Ambiguous(err) {
		return fmt.Errorf("%w; the task may have been accepted: to send the same request again, add --idempotency-key %q", err, s.IdempotencyKey)
	}
	if err != nil {
		return err
	}
	if c.json && !wait {
		return c.out.json(accepted)
	}
	if !c.json {
		c.out.printf("%s\n", printable(string(accepted.TaskID)))
	}
	if !wait {
		return nil
	}
	t, err := follow(ctx, cl, accepted.TaskID, 50*time.Millisecond, time.Second, nil)
	if err != nil {
		return fmt.Errorf("task %s was accepted, and how it ends is not known: %w", accepted.TaskID, err)
	}
	return c.ended(t)
}

// ended prints a final task. The error is errDLQ if that is where it ended.
func (c *cli) ended(t api.Detail) error {
	if c.json {
		if err := c.out.json(t); err != nil {
			return err
		}
	} else {
		line := fmt.Sprintf(" after %s, %s", took(t.UpdatedAt.Sub(t.CreatedAt.Time)), plural(t.Retries, "retry", "retries"))
		if why := reason(t.ErrorType, t.ErrorMessage); why != "" {
			line += ": " + why
		}
		c.out.printf("%s%s\n", c.out.paint(t.Status, string(t.Status)), printable(line))
	}
	if t.Status == task.DLQ {
		return errDLQ
	}
	return nil
}
