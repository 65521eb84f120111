package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tasks/functions/process"
	"tasks/internal/asl"
	"tasks/internal/task"
)

const (
	// namesKept is how long the name of a closed STANDARD execution stays taken
	// (Step Functions, StartExecution).
	namesKept = 90 * 24 * time.Hour
	// expressLimit is how long an EXPRESS execution runs at most (Step Functions
	// quotas).
	expressLimit = 5 * time.Minute
)

// execution is an execution of the state machine.
type execution struct {
	cloud     *Cloud
	message   task.Message
	name      string // for the history
	state     *asl.Execution
	status    task.ExecutionStatus
	startedAt time.Time
	closedAt  time.Time
}

// executions are task.Executions.
type executions struct {
	cloud  *Cloud
	byName map[string]*execution // the last of that name
}

// Start implements task.Executions.
func (e *executions) Start(ctx context.Context, m task.Message) error {
	c := e.cloud
	name := fmt.Sprintf("%s run %d", c.checker.Name(m.TaskID), m.Run)
	return do(ctx, c, "start "+name, func() error {
		if c.world.Fault("StartExecution throttles", 2) {
			return task.Errorf(task.Unavailable, "ThrottlingException: Rate exceeded")
		}
		known := e.byName[m.ExecutionName()]
		switch {
		case c.express:
			e.start(m, name)
			if c.world.Fault("an EXPRESS execution is started twice", 2) {
				c.world.After(c.world.Between(0, 30*time.Second), func() { e.start(m, name) })
			}
		case known == nil || known.status != task.ExecutionRunning && time.Since(known.closedAt) > namesKept:
			e.start(m, name)
		case known.status != task.ExecutionRunning:
			return task.Errorf(task.Closed, "ExecutionAlreadyExists")
		}
		return nil
	})
}

func (e *executions) start(m task.Message, name string) {
	c := e.cloud
	c.executed++
	x := &execution{cloud: c, message: m, name: fmt.Sprintf("execution %d of %s", c.executed, name), state: c.machine.NewExecution(), status: task.ExecutionRunning, startedAt: time.Now()}
	e.byName[m.ExecutionName()] = x
	c.world.Record("%s starts", x.name)
	id := "arn:aws:states:us-east-1:123456789012:execution:machine:" + m.ExecutionName()
	if c.express {
		id = fmt.Sprintf("arn:aws:states:us-east-1:123456789012:express:machine:%s:%d", m.ExecutionName(), c.executed)
		c.world.After(expressLimit, func() { x.close(task.ExecutionTimedOut) })
	}
	if c.world.Fault("an execution is aborted", 1) {
		within := []time.Duration{20 * time.Millisecond, time.Minute}[c.world.Intn(2)] // before its task is claimed, or at any time
		c.world.After(c.world.Between(0, within), func() { x.close(task.ExecutionAborted) })
	}
	x.step(asl.Event{Kind: asl.Start, Start: &asl.StartInput{
		ExecutionID: id, Name: m.ExecutionName(), Input: json.RawMessage(m.Body()), Seed: c.world.Hash(x.name),
	}})
}

// close ends an execution from outside, without a word to anybody.
func (x *execution) close(status task.ExecutionStatus) {
	if x.status == task.ExecutionRunning {
		x.status, x.closedAt = status, time.Now()
		x.cloud.world.Record("%s is %s", x.name, status)
	}
}

// step gives an event to the engine and carries out its commands.
func (x *execution) step(event asl.Event) {
	if x.status != task.ExecutionRunning {
		return
	}
	event.Time = time.Now().UTC()
	commands, _, err := x.state.Step(event)
	if err != nil {
		panic(err) // a bug of this package
	}
	w := x.cloud.world
	for _, command := range commands {
		switch command := command.(type) {
		case asl.InvokeTask:
			x.run(command)
		case asl.SetTimer:
			w.After(time.Until(command.At)+x.cloud.hop(), func() { x.step(asl.Event{Kind: asl.TimerFired, Ref: command.Ref}) })
		case asl.Finish:
			x.close(task.ExecutionStatus(command.Status))
		}
	}
}

// run carries out a Task state's integration.
func (x *execution) run(command asl.InvokeTask) {
	c := x.cloud
	answer := func(output any, f *failure) {
		event := asl.Event{Kind: asl.TaskSucceeded, Ref: command.Ref}
		if f != nil {
			event.Kind, event.Error, event.Cause = asl.TaskFailed, f.Error, f.Cause
		} else {
			event.Answer = marshal(output)
		}
		x.step(event)
	}
	c.world.After(command.Timeout, func() { x.step(asl.Event{Kind: asl.TaskTimedOut, Ref: command.Ref}) })
	switch command.Resource {
	case asl.LambdaInvoke:
		var in process.Input
		unmarshal(command.Payload, &in)
		times := 1
		if c.world.Fault("a function is invoked twice", 0.5) {
			times = 2
		}
		for range times {
			invoke(c, "process", func(ctx context.Context) (process.Output, error) { return c.process.Handle(ctx, in) },
				func(out process.Output, f *failure) { answer(out, f) })
		}
	case asl.SQSSendMessage:
		var parameters struct{ MessageBody json.RawMessage }
		unmarshal(command.Parameters, &parameters)
		refused, lost := c.world.Fault("a dead letter is refused", 1), c.world.Fault("the answer to a dead letter is lost", 1)
		c.world.After(c.hop(), func() {
			if !refused {
				c.deadLetters.add(string(parameters.MessageBody), time.Now(), 0)
			}
			if refused || lost {
				answer(nil, &failure{"SQS.SdkClientException", ""})
				return
			}
			answer(map[string]string{"MessageId": "1"}, nil)
		})
	default:
		panic("the state machine uses " + command.Resource)
	}
}

// Status implements task.Executions. What it says may be some seconds old.
func (e *executions) Status(ctx context.Context, m task.Message) (task.ExecutionOutcome, error) {
	if e.cloud.express {
		return task.ExecutionOutcome{}, task.Errorf(task.Unsupported, "EXPRESS executions can't be described")
	}
	return call(ctx, e.cloud, fmt.Sprintf("describe %s run %d", e.cloud.checker.Name(m.TaskID), m.Run), func() (task.ExecutionOutcome, error) {
		x := e.byName[m.ExecutionName()]
		seen := time.Now()
		if e.cloud.world.Fault("DescribeExecution lags", 2) {
			seen = seen.Add(-e.cloud.world.Between(0, 10*time.Second))
		}
		switch {
		case x == nil || seen.Before(x.startedAt):
			return task.ExecutionOutcome{}, task.Errorf(task.NotFound, "ExecutionDoesNotExist")
		case x.status != task.ExecutionRunning && seen.Before(x.closedAt):
			return task.ExecutionOutcome{Status: task.ExecutionRunning}, nil
		}
		return task.ExecutionOutcome{Status: x.status, Error: x.state.Error(), Cause: x.state.Cause()}, nil
	})
}

// History implements task.Executions. Nothing that is simulated asks for it.
func (e *executions) History(context.Context, task.Message) ([]json.RawMessage, error) {
	return nil, task.Errorf(task.Unsupported, "not simulated")
}
