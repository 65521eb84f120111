package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"

	"tasks/functions/monitor"
	"tasks/functions/poller"
	"tasks/functions/process"
	"tasks/functions/reconcile"
	"tasks/functions/redrive"
	"tasks/functions/status"
	"tasks/functions/submit"
	"tasks/internal/api"
	"tasks/internal/console"
	"tasks/internal/samtemplate"
)

// taskFunction is a function that a Task state can invoke.
type taskFunction func(ctx context.Context, payload json.RawMessage) (json.RawMessage, *functionError)

// handlers are the handlers by the names of their functions, by what feeds
// them.
type handlers struct {
	http     map[string]httpHandler
	sqs      map[string]sqsHandler
	schedule map[string]scheduleHandler
	task     map[string]func(context.Context, process.Input) (process.Output, error)
}

// newHandlers makes the handlers, each with the environment that the template
// gives its function.
func (h *Host) newHandlers(system *samtemplate.System, cfg Config) (handlers, error) {
	environment := map[string]map[string]string{}
	for _, f := range system.Functions {
		environment[f.Name] = f.Environment
	}
	getenv := func(function string) func(string) string {
		return func(name string) string { return environment[function][name] }
	}
	logger := func(function string) *slog.Logger { return h.log.With("function", function) }

	processConfig, errProcess := process.LoadConfig(getenv("process"))
	if errProcess != nil {
		errProcess = fmt.Errorf("function process: %w", errProcess)
	}
	monitorConfig, errMonitor := monitor.LoadConfig(getenv("monitor"))
	if errMonitor != nil {
		errMonitor = fmt.Errorf("function monitor: %w", errMonitor)
	}
	if err := errors.Join(errProcess, errMonitor); err != nil {
		return handlers{}, err
	}
	h.retention = min(processConfig.Retention, monitorConfig.Retention)
	worker := cfg.Worker
	if worker == nil {
		var err error
		if worker, err = process.NewWorker(processConfig); err != nil {
			return handlers{}, fmt.Errorf("make the worker: %w", err)
		}
	}

	dead, metrics := h.db.DeadLetterQueue(), h.db.Metrics()
	return handlers{
		http: map[string]httpHandler{
			"submit":  (&submit.Handler{Store: h.db, Queue: h.db.Queue(), Log: logger("submit"), Clock: h.db.Now}).Handle,
			"status":  (&status.Handler{Store: h.db, Executions: h.executions, Log: logger("status")}).Handle,
			"redrive": (&redrive.Handler{Store: h.db, Queue: h.db.Queue(), Log: logger("redrive"), Clock: h.db.Now}).Handle,
		},
		sqs: map[string]sqsHandler{
			"poller":  (&poller.Handler{Executions: h.executions, DeadLetterQueue: dead, Metrics: metrics, Log: logger("poller")}).Handle,
			"monitor": (&monitor.Handler{Store: h.db, Metrics: metrics, Retention: monitorConfig.Retention, Log: logger("monitor"), Clock: h.db.Now}).Handle,
		},
		schedule: map[string]scheduleHandler{
			"reconcile": (&reconcile.Handler{Store: h.db, Queue: h.db.Queue(), DeadLetterQueue: dead, Executions: h.executions, Metrics: metrics, Log: logger("reconcile"), Clock: h.db.Now}).Handle,
		},
		task: map[string]func(context.Context, process.Input) (process.Output, error){
			"process": (&process.Handler{Store: h.db, Worker: worker, Retention: processConfig.Retention, Log: logger("process"), Clock: h.db.Now}).Handle,
		},
	}, nil
}

// wire connects the handlers as the template says.
func (h *Host) wire(system *samtemplate.System, cfg Config) error {
	hs, err := h.newHandlers(system, cfg)
	if err != nil {
		return err
	}
	var errs []error
	missing := func(id, source string) {
		errs = append(errs, fmt.Errorf("template: function %s (functions/%s) is fed by %s, and one machine has no handler for that", id, system.Functions[id].Name, source))
	}
	functionOf := func(id string) function {
		f := system.Functions[id]
		return function{name: f.Name, timeout: f.Timeout}
	}

	h.taskFunctions = map[string]taskFunction{}
	for id, f := range system.Functions {
		if handle := hs.task[f.Name]; handle != nil {
			h.taskFunctions[id] = h.taskFunction(functionOf(id), handle)
		}
	}
	h.front = &front{
		token: cfg.Token, origins: http.NewCrossOriginProtection(), backlog: backlog{max: cfg.MaxBacklog, tasks: h.db.Backlog},
		bodies: semaphore.NewWeighted(maxLargeBodies), made: semaphore.NewWeighted(maxMade), answers: semaphore.NewWeighted(maxLargeAnswers), log: h.log, invocations: h.invocations, goroutines: h.goroutines,
		console: console.New(h.stats, lookEvery),
	}
	for _, r := range system.Routes {
		handle := hs.http[system.Functions[r.Function].Name]
		if handle == nil {
			missing(r.Function, "route "+r.Key)
		}
		rt := route{key: r.Key, function: functionOf(r.Function), handle: handle}
		if r.Key == api.DefaultRoute {
			h.front.otherwise = rt
			continue
		}
		method, path, _ := strings.Cut(r.Key, " ")
		rt.method, rt.segments = method, strings.Split(strings.TrimPrefix(path, "/"), "/")
		h.front.routes = append(h.front.routes, rt)
	}
	// A path without parameters goes first, as on AWS: "{" sorts last.
	slices.SortFunc(h.front.routes, func(a, b route) int { return strings.Compare(a.key, b.key) })
	for _, m := range system.Mappings {
		handle := hs.sqs[system.Functions[m.Function].Name]
		if handle == nil {
			missing(m.Function, "queue "+m.Queue)
		}
		fed := mapping{source: m, queue: system.Queues[m.Queue], function: functionOf(m.Function), handle: handle, log: h.log, outage: h.outage, invocations: h.invocations, goroutines: h.goroutines}
		if fed.queue.DeadLetterQueue != "" { // the task queue has a redrive policy
			h.poller, h.deadLetterQueue = fed, fed.queue.DeadLetterQueue
		} else {
			h.monitor = fed
		}
	}
	for _, s := range system.Schedules {
		handle := hs.schedule[system.Functions[s.Function].Name]
		if handle == nil {
			missing(s.Function, "a schedule")
		}
		h.schedules = append(h.schedules, schedule{every: s.Every, function: functionOf(s.Function), handle: handle, log: h.log, invocations: h.invocations, goroutines: h.goroutines})
	}
	if h.poller.handle == nil || h.monitor.handle == nil || h.monitor.source.Queue != h.deadLetterQueue || h.front.otherwise.handle == nil {
		errs = append(errs, errors.New("template: want a task queue with a redrive policy, a dead letter queue, a function fed by each, and a $default route"))
	}
	return errors.Join(errs...)
}

// taskFunction returns a function that takes and gives JSON, as Lambda's do.
func (h *Host) taskFunction(f function, handle func(context.Context, process.Input) (process.Output, error)) taskFunction {
	return func(ctx context.Context, payload json.RawMessage) (json.RawMessage, *functionError) {
		var in process.Input
		if err := json.Unmarshal(payload, &in); err != nil {
			return nil, &functionError{Type: "UnmarshalTypeError", Message: err.Error()}
		}
		out, failure := invoke(ctx, h.goroutines, h.log, f, handle, in)
		if failure != nil {
			return nil, failure
		}
		return mustMarshal(out), nil
	}
}
