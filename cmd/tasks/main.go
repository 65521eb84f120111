// Command tasks is the tasks system on one machine (tasks serve), and the
// client of it and of the same system on AWS (all other commands).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"tasks/internal/client"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitDLQ    = 3 // the task that was waited for ended in the DLQ
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// run is the program. It returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	c := &cli{
		in:     stdin,
		out:    newOutput(stdout, getenv),
		errOut: newOutput(stderr, getenv),
		getenv: getenv,
	}
	root := newRootCommand(c)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = c.out.failed()
	}
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errDLQ) {
		return exitDLQ // the command has said so
	}
	fmt.Fprintf(stderr, "tasks: %s\n", printable(explain(err)))
	// What fails before a command runs is how it was called.
	if _, ok := errors.AsType[usageError](err); ok || !c.running {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}

// errDLQ is the task that was waited for, in the DLQ.
var errDLQ = errors.New("the task ended in the DLQ")

// usageError is a command called in a way that makes no sense.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// explain returns err in the words of a user, with what to do about it.
func explain(err error) string {
	if _, ok := errors.AsType[*client.UnreachableError](err); ok {
		return err.Error() + "; start one with `tasks serve`, or name another with --api"
	}
	if refused, ok := errors.AsType[*client.RefusedError](err); ok {
		switch refused.Status {
		case http.StatusUnauthorized:
			return err.Error() + "; give the server's token with --token or TASKS_TOKEN"
		case http.StatusForbidden:
			return err.Error() + "; the API wants requests signed with AWS credentials that may execute-api:Invoke: see --sign and --aws-profile"
		}
	}
	return err.Error()
}
