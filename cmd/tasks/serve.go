package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"tasks/internal/host"
)

// defaultDatabase is the file of a host that is not told another.
const defaultDatabase = ".tasks/tasks.db"

type serveOptions struct {
	listen     string
	database   string
	token      string
	maxBacklog int
	parameters []string
}

func newServeCommand(c *cli) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the whole system on this machine",
		Long: `Run the whole system on this machine: API, queue, workflow engine and workers,
durable in one SQLite file. It runs until it gets a signal (Ctrl-C), finishes
what is in flight, and goes on where it was when it is started again, also after
kill -9. Logs go to standard error as JSON, one record a line.

When --max-backlog tasks are unfinished, it answers requests for more with 429
until some are finished; 0 is no limit.`,
		Example: `  tasks serve
  tasks serve --db /var/lib/tasks/tasks.db --param FailureRate=0
  TASKS_TOKEN=secret tasks serve --listen 0.0.0.0:3000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.token = c.getenv("TASKS_TOKEN")
			return serve(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:3000", "`address` to listen on; one that others can reach needs a token")
	f.StringVar(&o.database, "db", defaultDatabase, "`path` of the database; it is made if it is not there")
	f.IntVar(&o.maxBacklog, "max-backlog", host.DefaultMaxBacklog, "how many `tasks` may wait or run at once")
	f.StringArrayVar(&o.parameters, "param", nil, "`NAME=VALUE` for a parameter of template.yaml, such as FailureRate=0")
	return cmd
}

func serve(ctx context.Context, o serveOptions, stdout, stderr io.Writer) error {
	parameters, err := parseParameters(o.parameters)
	if err != nil {
		return err
	}
	if err := checkListen(o.listen, o.token); err != nil {
		return err
	}
	if o.maxBacklog < 0 {
		return usagef("--max-backlog %d: want 0 or more", o.maxBacklog)
	}
	// Little of what a task allocates outlives it, so a larger heap between
	// collections costs some tens of megabytes and saves a tenth of the time.
	debug.SetGCPercent(400)
	h, err := host.New(host.Config{
		Database:   o.database,
		Parameters: parameters,
		Token:      o.token,
		MaxBacklog: o.maxBacklog,
		Log:        slog.New(slog.NewJSONHandler(stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: choose another address with --listen", err), h.Close())
	}
	fmt.Fprintf(stdout, "API       http://%s/local/tasks\nDatabase  %s\nStop it with Ctrl-C.\n", listener.Addr(), o.database)
	return h.Serve(ctx, listener)
}

func parseParameters(pairs []string) (map[string]string, error) {
	parameters := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--param %s: want NAME=VALUE", pair)
		}
		parameters[name] = value
	}
	return parameters, nil
}

// checkListen refuses an address that others can reach without a token.
func checkListen(address, token string) error {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return usagef("--listen %s: want HOST:PORT, such as 127.0.0.1:3000", address)
	}
	ip := net.ParseIP(name)
	if token == "" && name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--listen %s: others could reach it, so it needs a token: set TASKS_TOKEN", address)
	}
	return nil
}
