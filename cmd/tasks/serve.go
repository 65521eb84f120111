package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

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
  TASKS_TOKEN="$(cat token)" tasks serve --listen 0.0.0.0:3000`,
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
	if err := errors.Join(checkToken(o.token), checkListen(o.listen, o.token)); err != nil {
		return err
	}
	if err := checkDatabase(o.database); err != nil {
		return err
	}
	if o.maxBacklog < 0 {
		return usagef("--max-backlog %d: want 0 or more", o.maxBacklog)
	}
	host.TuneGC()
	// What reads the log may end before the host does: its records are lost then,
	// and nothing else.
	signal.Ignore(syscall.SIGPIPE)
	// Before the file is opened: a start that fails must not use up what tells a crash.
	listener, err := net.Listen(networkOf(o.listen), o.listen)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --listen", err)
	}
	h, err := host.New(host.Config{
		Database:   o.database,
		Parameters: parameters,
		Token:      o.token,
		MaxBacklog: o.maxBacklog,
		Log:        newLogger(stderr),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Fprintf(stdout, "API       http://%[1]s/local/tasks\nConsole   http://%[1]s/\nDatabase  %[2]s\nStop it with Ctrl-C.\n", reachable(listener.Addr()), o.database)
	return h.Serve(ctx, listener)
}

// networkOf returns the network of an address: 0.0.0.0 alone would be IPv6 too.
func networkOf(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// reachable returns an address at which a listener can be reached from here.
func reachable(listens net.Addr) string {
	at, err := netip.ParseAddrPort(listens.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return listens.String()
	}
	return fmt.Sprintf("localhost:%d", at.Port())
}

// checkDatabase refuses what SQLite takes for more than a file's path, and a folder.
func checkDatabase(path string) error {
	if path == ":memory:" || strings.HasPrefix(path, "file:") {
		return usagef("--db %s: want the path of a file, such as %s", path, defaultDatabase)
	}
	if info, err := os.Stat(path); strings.HasSuffix(path, "/") || err == nil && info.IsDir() {
		return usagef("--db %s: that is a folder; want the path of a file, such as %s", path, filepath.Join(path, "tasks.db"))
	}
	return nil
}

// newLogger returns a logger of JSON, one record a line, in which nothing from a
// task is a line of its own or more than text to a terminal.
func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(escaping{w}, nil)) }

// escaping is a writer of JSON, a whole document at each Write: slog's handler
// leaves some characters as they are that escapeJSON does not.
type escaping struct{ w io.Writer }

func (e escaping) Write(doc []byte) (int, error) {
	if _, err := io.WriteString(e.w, escapeJSON(string(doc))); err != nil {
		return 0, err
	}
	return len(doc), nil
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

// minToken is how many characters a token has at least: 96 bits, if each is one
// of base64's, drawn at random.
const minToken = 16

// checkToken refuses a token that could be guessed, or that no Authorization
// header can carry. The error does not show it.
func checkToken(token string) error {
	if token == "" {
		return nil
	}
	if len(token) < minToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return usagef("TASKS_TOKEN is weak, or no header can carry it: want at least %d characters of ASCII without spaces, such as `openssl rand -hex 16` prints", minToken)
	}
	return nil
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
