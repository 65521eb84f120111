package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	tasks "tasks"
	"tasks/functions/monitor"
	"tasks/functions/poller"
	"tasks/functions/process"
	"tasks/functions/reconcile"
	"tasks/functions/redrive"
	"tasks/functions/submit"
	"tasks/internal/api"
	"tasks/internal/asl"
	"tasks/internal/samtemplate"
	"tasks/internal/simulation"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// retention is how long a final task is kept; no run lasts as long.
const retention = 30 * 24 * time.Hour

// Cloud is the deployed system.
type Cloud struct {
	world     *simulation.World
	checker   *simulation.Checker
	functions map[string]samtemplate.Function // by name
	machine   *asl.Machine
	express   bool

	table       *table
	tasks       *queue
	deadLetters *queue
	metrics     *metrics
	process     *process.Handler
	submit      *submit.Handler
	redrive     *redrive.Handler
	reconcile   *reconcile.Handler

	invocations, executed int // so far

	on context.Context // of all invocations
	// Off ends all that still runs.
	Off context.CancelFunc
}

// New deploys the system of template.yaml in a world, with a state machine of
// type EXPRESS or STANDARD.
func New(w *simulation.World, checker *simulation.Checker, express bool) (*Cloud, error) {
	template, err := tasks.Files.ReadFile("template.yaml")
	if err != nil {
		return nil, err
	}
	system, err := samtemplate.Parse(template, nil)
	if err != nil {
		return nil, err
	}
	c := &Cloud{world: w, checker: checker, functions: map[string]samtemplate.Function{}, express: express}
	c.on, c.Off = context.WithCancel(context.Background())
	for _, f := range system.Functions {
		c.functions[f.Name] = f
	}
	definition, err := tasks.Files.ReadFile(system.StateMachine.DefinitionURI)
	if err != nil {
		return nil, err
	}
	if c.machine, err = asl.Parse(definition); err != nil {
		return nil, err
	}

	c.table = &table{c, tasktest.NewStore()}
	c.metrics = &metrics{c, map[task.Metric]int{}}
	for _, m := range system.Mappings {
		q := &queue{cloud: c, settings: system.Queues[m.Queue], batch: m.BatchSize, function: system.Functions[m.Function].Name}
		if q.settings.DeadLetterQueue != "" {
			q.name, c.tasks = "message ", q
		} else {
			q.name, c.deadLetters = "letter ", q
		}
	}
	if c.tasks == nil || c.deadLetters == nil || len(system.Schedules) != 1 {
		return nil, errors.New("the template has not the queues and the schedule that are simulated")
	}
	c.tasks.dead = c.deadLetters
	c.handlers()
	c.schedule(system.Schedules[0].Every)
	return c, nil
}

// handlers makes the functions.
func (c *Cloud) handlers() {
	log, dead := c.checker.Logger(), deadLetterQueue{c.deadLetters}
	runs := &executions{c, map[string]*execution{}}
	c.submit = &submit.Handler{Store: c.table, Queue: taskQueue{c.tasks}, Log: log}
	c.redrive = &redrive.Handler{Store: c.table, Queue: taskQueue{c.tasks}, Log: log}
	c.tasks.handle = (&poller.Handler{Executions: runs, DeadLetterQueue: dead, Metrics: c.metrics, Log: log}).Handle
	c.deadLetters.handle = (&monitor.Handler{Store: c.table, Metrics: c.metrics, Retention: retention, Log: log}).Handle
	c.reconcile = &reconcile.Handler{Store: c.table, Queue: taskQueue{c.tasks}, DeadLetterQueue: dead, Executions: runs, Metrics: c.metrics, Log: log}
	c.process = &process.Handler{Store: c.table, Retention: retention, Log: log, Worker: simulation.Worker{
		World: c.world, Checker: c.checker, FailureRate: simulation.FailureRate(c.world),
		Life: func(ctx context.Context) context.Context { return invocationOf(ctx).alive },
	}}
}

// schedule invokes reconcile at its rate: at times twice at once, at times not.
func (c *Cloud) schedule(every time.Duration) {
	c.world.After(every, func() { c.schedule(every) })
	times := 1
	if c.world.Fault("a schedule runs twice at once", 1) {
		times = 2
	}
	if c.world.Fault("a schedule does not run", 1) {
		times = 0
	}
	for range times {
		invoke(c, "reconcile", func(ctx context.Context) (reconcile.Output, error) { return c.reconcile.Handle(ctx, reconcile.Input{}) },
			func(reconcile.Output, *failure) {})
	}
}

// Request sends a request to the API, as a simulation.Request does.
func (c *Cloud) Request(method, path, key, body string) (status int, response string, answered bool) {
	type result struct {
		resp api.Response
		f    *failure
	}
	done := make(chan result, 1)
	req, function := api.Request{Version: "2.0", RawPath: "/dev" + path, Body: body, Headers: map[string]string{"content-type": "application/json"}}, "submit"
	if key != "" {
		req.Headers["idempotency-key"] = key
	}
	req.RequestContext.Stage, req.RequestContext.HTTP.Method = "dev", method
	req.RouteKey = method + " " + path
	handle := c.submit.Handle
	if id, isRedrive := strings.CutSuffix(path, "/redrive"); isRedrive {
		function, handle = "redrive", c.redrive.Handle
		if id != "/tasks" {
			req.RouteKey, req.PathParameters = api.RedriveRoute, map[string]string{"taskId": strings.TrimPrefix(id, "/tasks/")}
		}
	}
	c.world.Park(context.Background(), function, func() time.Duration {
		invoke(c, function, func(ctx context.Context) (api.Response, error) { return handle(ctx, req) },
			func(resp api.Response, f *failure) { done <- result{resp, f} })
		return 0
	})
	r := <-done
	if r.f != nil {
		return http.StatusServiceUnavailable, "", true // the gateway's
	}
	return r.resp.StatusCode, r.resp.Body, true
}

// Disturb puts messages that make no sense on both queues.
func (c *Cloud) Disturb(within time.Duration) {
	w := c.world
	for range w.Intn(3) {
		w.After(w.Between(0, within), func() {
			body := fmt.Sprintf("no message %d", w.Intn(1e6))
			q := []*queue{c.tasks, c.deadLetters}[w.Intn(2)]
			q.sent++
			m := &message{id: fmt.Sprintf("%sof somebody else's %d", q.name, q.sent), body: body, sentAt: time.Now(), visibleAt: time.Now()}
			q.messages = append(q.messages, m)
			q.pollAt(m)
			w.After(0, func() { c.checker.Garbage(body, func() error { return nil }) })
		})
	}
}

// Stored returns what is there.
func (c *Cloud) Stored() (simulation.Stored, error) {
	stored := simulation.Stored{
		Tasks: map[task.ID]task.Task{}, DeadLettered: c.metrics.total[task.DeadLettered],
		Waiting: len(c.tasks.messages) + len(c.deadLetters.messages),
	}
	for q := (task.Query{Limit: task.MaxPageTasks}); ; {
		page, err := c.table.store.List(context.Background(), q)
		if err != nil {
			return stored, err
		}
		for _, t := range page.Tasks {
			if stored.Tasks[t.ID], err = c.table.store.Get(context.Background(), t.ID); err != nil {
				return stored, err
			}
		}
		if q.Before = page.Next; q.Before == "" {
			return stored, nil
		}
	}
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always marshal
	}
	return b
}

func unmarshal(data []byte, v any) {
	if err := json.Unmarshal(data, v); err != nil {
		panic(err) // a bug of this package, or of the state machine
	}
}
