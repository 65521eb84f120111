package main

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tasks/internal/client"
)

const defaultAPI = "http://127.0.0.1:3000/local"

// cli is what the client commands share.
type cli struct {
	in          io.Reader
	out, errOut *output
	getenv      func(string) string

	// Flags.
	api, token    string
	sign, profile string
	json          bool

	running bool // the command line made sense, and the command has begun
}

func newRootCommand(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "tasks",
		Short: "Run tasks with retries and a dead letter queue",
		Long: `Run tasks with retries and a dead letter queue.

'tasks serve' is the whole system on one machine. 'validate' and 'run' work on
state machine definitions, without a server. The other commands are clients of
the host, or of the same system on AWS; --api says where it is.

Exit codes: 0 done, 1 failed, 2 called in a way that makes no sense, 3 the task
that was waited for ended in the DLQ.`,
		Example: `  tasks serve
  tasks submit --wait "What is six times seven?"
  tasks list --status DLQ
  tasks redrive 01939a3e-7c00-7000-8000-000000000001`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkValues(cmd); err != nil {
				return err
			}
			c.running = true
			return nil
		},
	}
	for _, command := range []*cobra.Command{
		newSubmitCommand(c),
		newGetCommand(c),
		newListCommand(c),
		newStatsCommand(c),
		newCostCommand(c),
		newWatchCommand(c),
		newRedriveCommand(c),
		newLoadCommand(c),
		newConsoleCommand(c),
	} {
		c.addFlags(command)
		root.AddCommand(command)
	}
	root.AddCommand(newServeCommand(c), newValidateCommand(c), newRunCommand(c))
	return root
}

// checkValues refuses a flag that is given with an empty value, as it is when a
// script's variable is not set: to the commands "" is a flag that is not given.
func checkValues(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if slices.Contains(values, "") {
			err = usagef("--%s has an empty value: give it one, or leave the flag out", f.Name)
		}
	})
	return err
}

// addFlags adds the flags of every client command.
func (c *cli) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.api, "api", "", "base `URL` of the API, or TASKS_API (default "+defaultAPI+")")
	flags.StringVar(&c.token, "token", "", "bearer token of the server, or TASKS_TOKEN, which other users of the machine can't see")
	flags.StringVar(&c.sign, "sign", signAuto, "sign with AWS credentials: auto (API Gateway's host names), always or never")
	flags.StringVar(&c.profile, "aws-profile", "", "profile of the AWS credentials (default AWS_PROFILE, or what AWS tools use)")
	flags.BoolVar(&c.json, "json", false, "print JSON, for programs")
}

// client returns the client of the server that the flags or the environment
// name, for so many requests at once.
func (c *cli) client(ctx context.Context, connections int) (*client.Client, error) {
	cfg := client.Config{
		URL:         cmp.Or(c.api, c.getenv("TASKS_API"), defaultAPI),
		Token:       cmp.Or(c.token, c.getenv("TASKS_TOKEN")),
		Connections: connections,
	}
	var err error
	if cfg.Signer, err = c.signer(ctx, cfg.URL, cfg.Token); err != nil {
		return nil, err
	}
	cl, err := client.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	return cl, nil
}
