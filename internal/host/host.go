// Package host runs the whole system on one machine: the same handlers as on
// AWS, fed with the same events, and the same state machine. What it needs to
// know of the system it reads from the SAM template.
//
//	on AWS                      here
//	API Gateway                 front (http.go)
//	its throttle                backlog (backlog.go)
//	Lambda                      invoke (invoke.go), its concurrency slots (slots.go)
//	SQS, event source mappings  taskdb's queues, mapping (mapping.go)
//	Step Functions              Executions (executions.go), on package asl: replay.go
//	                            makes them of their journals, dispatch.go carries
//	                            out what they command
//	its service integrations    runTask (integrations.go)
//	EventBridge Scheduler       schedule (schedule.go)
//	DynamoDB, CloudWatch        taskdb
//	its TTL                     removeExpired (retention.go)
//
// wire.go puts the handlers together. timers.go has the waits of executions, outage.go
// keeps the log readable while the file can't be used, goroutines.go and gc.go are for
// speed.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	tasks "tasks"
	"tasks/functions/process"
	"tasks/internal/api"
	"tasks/internal/asl"
	"tasks/internal/samtemplate"
	"tasks/internal/taskdb"
)

// stopWithin is how long what is in flight may take to finish when the host
// stops.
const stopWithin = 10 * time.Second

// Config says how a host is set up.
type Config struct {
	Database string // the path of its file
	// Parameters are values for the template's parameters.
	Parameters map[string]string
	// Token is asked of every request, unless it is empty.
	Token string
	// MaxBacklog is how many tasks may be unfinished at once; past it, requests
	// for more are answered with 429. 0 is no limit.
	MaxBacklog int
	// Log takes the logs of the functions and of the host.
	Log *slog.Logger
	// Worker is run instead of the one that the process function makes, if it
	// is not nil. For tests and benchmarks.
	Worker process.Worker
	// Intercept is put between the host and its file, if it is not nil. For
	// tests.
	Intercept taskdb.Interceptor
}

// How much is done at once.
const (
	// concurrency is how many Task states run at once, nearly all of them attempts: the
	// concurrent executions that Lambda grants an account by default.
	concurrency = 1000
	// pollers is how many batches of the task queue are handled at once. On AWS
	// the event source mapping's MaximumConcurrency says it, to stay below the
	// quota of StartExecution; here starts cost next to nothing.
	pollers = 8
	// monitors is the same for the dead letter queue.
	monitors = 2
	// maxFired is how many timers that are due are handled at once: enough to
	// share commits, and few when a host finds a hundred thousand of them due.
	maxFired = 256
)

// Host is the system on one machine.
type Host struct {
	db              *taskdb.DB
	log             *slog.Logger
	outage          *outage
	executions      *Executions
	front           *front
	taskFunctions   map[string]taskFunction // by logical id: what a Task state can invoke
	poller          mapping
	monitor         mapping
	schedules       []schedule
	deadLetterQueue string        // its logical id
	retention       time.Duration // of finished tasks

	invocations context.Context // of all invocations
	goroutines  *goroutines     // that they run in
	cancel      context.CancelFunc
}

// unread are the parameters that only what one machine does not read depends on, such as
// a function's environment.
var unread = []string{"WorkflowType"}

// New opens the database and puts the system together. All that is wrong with
// the configuration is in the error.
func New(cfg Config) (_ *Host, err error) {
	template, err := tasks.Files.ReadFile("template.yaml")
	if err != nil {
		return nil, err
	}
	system, err := samtemplate.Parse(template, cfg.Parameters)
	if err != nil {
		return nil, err
	}
	outage := &outage{log: cfg.Log}
	h := &Host{log: outage.logger(), outage: outage}
	for name := range cfg.Parameters {
		if slices.Contains(system.Unused, name) || slices.Contains(unread, name) {
			h.log.Warn("parameter has no effect on one machine", "parameter", name)
		}
	}
	h.invocations, h.cancel = context.WithCancel(context.Background())
	h.goroutines = newGoroutines(h.invocations)
	intercept := outage.intercept
	if cfg.Intercept != nil {
		intercept = func(op taskdb.Operation, do func() error) error {
			return outage.intercept(op, func() error { return cfg.Intercept(op, do) })
		}
	}
	if h.db, err = taskdb.OpenIntercepted(cfg.Database, intercept); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.db.Close())
		}
	}()
	definition, err := definitionOf(system.StateMachine)
	if err != nil {
		return nil, err
	}
	machine, err := asl.Parse(definition)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", system.StateMachine.DefinitionURI, err)
	}
	id, err := h.db.Definition(h.invocations, string(definition))
	if err != nil {
		return nil, err
	}
	h.executions = newExecutions(h.invocations, h.goroutines, h.db, machine, id, system.StateMachine.ID, h.log)
	h.executions.runTask = h.runTask
	if err := h.wire(system, cfg); err != nil {
		return nil, err
	}
	if err := machine.CheckResources(h.knows); err != nil {
		return nil, fmt.Errorf("%s: %w", system.StateMachine.DefinitionURI, err)
	}
	return h, nil
}

// definitionOf returns the definition of a state machine with its substitutions
// made, as CloudFormation makes them.
func definitionOf(m samtemplate.StateMachine) ([]byte, error) {
	definition, err := tasks.Files.ReadFile(m.DefinitionURI)
	if err != nil {
		return nil, fmt.Errorf("definition of %s: %w", m.ID, err)
	}
	var pairs []string
	for name, value := range m.Substitutions {
		pairs = append(pairs, "${"+name+"}", value)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(definition))), nil
}

// Close closes a host that does not serve.
func (h *Host) Close() error {
	h.cancel()
	return h.db.Close()
}

// lookEvery is how often the console looks at the counts.
const lookEvery = time.Second

// stats returns what GET /tasks/stats does.
func (h *Host) stats(ctx context.Context) (api.Stats, error) {
	counts, err := h.db.Counts(ctx)
	return api.StatsOf(counts), err
}

// Serve serves requests and takes up what an earlier host left, until ctx is
// done. Then it takes no more in, lets what is in flight finish, for 10 s at
// the most, and closes the database. It closes the listener too.
func (h *Host) Serve(ctx context.Context, listener net.Listener) error {
	server := h.front.server()
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(netutil.LimitListener(listener, maxConnections)) }()
	// A hundred thousand executions take seconds: requests need not wait for them.
	resumed, err := h.executions.resume(h.invocations)
	if err != nil {
		err = errors.Join(err, server.Close())
		h.executions.stop() // some may have been resumed
		h.cancel()
		h.executions.running.Wait()
		return errors.Join(err, h.db.Close())
	}
	if resumed > 0 {
		h.log.Info("executions resumed", "count", resumed)
	}
	intake, stopIntake := context.WithCancel(ctx)
	defer stopIntake()
	var sources sync.WaitGroup
	for range pollers {
		sources.Go(func() { h.poller.feedTasks(intake, h.db.Queue(), h.executions.slots.wait) })
	}
	for range monitors {
		sources.Go(func() { h.monitor.feedDeadLetters(intake, h.db.DeadLetterQueue()) })
	}
	for _, s := range h.schedules {
		sources.Go(func() { s.run(intake) })
	}
	sources.Go(func() { h.removeExpired(intake) })
	sources.Go(func() { h.front.console.Run(intake) })
	sources.Go(func() { h.executions.timers.run(intake, h.executions.fire) })

	select {
	case err = <-serving:
		err = fmt.Errorf("serve HTTP: %w", err)
	case <-intake.Done():
	}

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	h.executions.stop()
	stopIntake()
	if server.Shutdown(end) != nil {
		server.Close()
	}
	finished := make(chan struct{})
	go func() {
		sources.Wait()
		h.executions.running.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-end.Done():
		h.log.Warn("attempts still running are cut off, and run again after the next start")
	}
	h.cancel()
	<-finished
	return errors.Join(err, h.db.Close())
}
