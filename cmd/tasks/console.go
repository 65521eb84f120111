package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"tasks/internal/console"
)

func newConsoleCommand(c *cli) *cobra.Command {
	var listen string
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Serve the web console of a deployed stage on this machine",
		Long: `Serve the web console of a deployed stage, or of a host elsewhere, on this
machine, until Ctrl-C. Its requests are signed with your AWS credentials, or carry
the host's token, so whoever can reach it has your rights: it listens on loopback
alone. The one-machine host serves its own console, at /.`,
		Example: `  tasks console --api https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/dev`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, _, err := net.SplitHostPort(listen)
			if ip := net.ParseIP(name); err != nil || name != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return usagef("--listen %s: want an address of loopback, such as 127.0.0.1:3001", listen)
			}
			if every < time.Second {
				return usagef("--every %v: want 1s or more", every)
			}
			return c.console(cmd.Context(), listen, every)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:3001", "`address` to listen on")
	cmd.Flags().DurationVar(&every, "every", 5*time.Second, "how often it asks the stage for its counts")
	return cmd
}

func (c *cli) console(ctx context.Context, listen string, every time.Duration) error {
	cl, err := c.client(ctx, 20)
	if err != nil {
		return err
	}
	if _, err := cl.Stats(ctx); err != nil { // or it would be seen in the browser first
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --listen", err)
	}
	pages := console.New(cl.Stats, every)
	server := console.NewProxy(pages, cl.Do).Server()
	running, stop := context.WithCancel(ctx)
	defer stop()
	go pages.Run(running)
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(listener) }()
	c.out.printf("Console  http://%s/\nof       %s\nStop it with Ctrl-C.\n", listener.Addr(), printable(cl.URL()))
	select {
	case err := <-serving:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(end) != nil {
		return server.Close()
	}
	return nil
}
