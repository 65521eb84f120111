package asl

import (
	"strings"
	"time"
)

// taskState has the host do something: run a function or call a service.
type taskState struct {
	base
	resource string // a service integration's has the partition aws
	// line and column are where Resource is in the definition.
	line, column int
	// For a service integration such as arn:aws:states:::sqs:sendMessage, the
	// two parts by which the history knows it; empty for a function's ARN.
	resourceType, action string
	timeout, heartbeat   secondsField
}

// secondsField is TimeoutSeconds or HeartbeatSeconds, or its Path variant.
type secondsField struct {
	field   string // the Path variant
	seconds int64  // 0 is none
	path    *path
}

func (s secondsField) fixed() time.Duration { return time.Duration(s.seconds) * time.Second }

func (p *parser) task(f *fields, b base) state {
	s := &taskState{base: b}
	f.transition(&s.base)
	f.inputOutput(&s.base)
	f.result(&s.base)
	f.retryCatch(&s.base)
	s.timeout = f.seconds("TimeoutSeconds")
	s.heartbeat = f.seconds("HeartbeatSeconds")
	if t, h := s.timeout.seconds, s.heartbeat.seconds; t > 0 && h >= t {
		p.report(f.place("HeartbeatSeconds"), "must be less than TimeoutSeconds (%d), not %d", t, h)
	}
	if resource, ok := f.requiredStr("Resource"); ok {
		s.resource = resource
		if problem := s.parseResource(); problem != "" {
			p.report(f.place("Resource"), "%s", problem)
		} else if known, ok := integrations[s.resource]; ok {
			known.check(f)
		}
	}
	if f.has("Credentials") {
		f.value("Credentials")
		p.report(f.place("Credentials"), "Credentials (cross-account access) are not supported")
	}
	p.tasks = append(p.tasks, s)
	return s
}

// parseResource splits the Resource and refuses by name what the engine can't
// do.
func (s *taskState) parseResource() string {
	parts := strings.Split(s.resource, ":")
	switch {
	case len(parts) < 6 || parts[0] != "arn":
		return "must be the ARN of a function or of a service integration, not " + s.resource
	case parts[2] == "states" && len(parts) > 5 && parts[5] == "activity":
		return "activities are not supported: " + s.resource
	case parts[2] == "lambda":
		if len(parts) < 7 || parts[5] != "function" || parts[6] == "" {
			return "must be a function's ARN (arn:aws:lambda:region:account:function:name), not " + s.resource
		}
		return ""
	case parts[2] != "states" || parts[3] != "" || parts[4] != "" || len(parts) < 7:
		return "must be the ARN of a function or of a service integration, not " + s.resource
	}
	s.action = parts[len(parts)-1]
	s.resourceType = strings.Join(parts[5:len(parts)-1], ":")
	for _, pattern := range []string{".sync:2", ".sync", ".waitForTaskToken"} {
		if strings.HasSuffix(s.resource, pattern) {
			return "the integration pattern " + pattern + " is not supported: " + s.resource
		}
	}
	if s.action == "" || s.resourceType == "" || strings.Contains(s.action, ".") {
		return "must be the ARN of a service integration, not " + s.resource
	}
	// The integrations are the same in each partition, also in one that is filled in later.
	parts[1] = "aws"
	s.resource = strings.Join(parts, ":")
	return ""
}

func (f *fields) seconds(key string) secondsField {
	s := secondsField{field: key + "Path"}
	n, _ := f.integer(key, 1, maxSeconds)
	s.seconds = int64(n)
	s.path = f.path(s.field)
	f.exclusive(key, s.field)
	return s
}

func (x *Execution) executeTask(t *thread, s *taskState) {
	parameters, fail := x.effectiveInput(t, &s.io)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	run, fail := x.taskRun(t, s)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	eventType, d := "TaskScheduled", taskScheduled
	if s.resourceType == "" {
		eventType, d = "LambdaFunctionScheduled", lambdaScheduled
	}
	h := x.record(t, eventType, d)
	h.task, h.run, h.data = s, run, parameters
	t.scheduled = &scheduledTask{run, parameters}
	t.phase = phaseDispatch
	x.queue = append(x.queue, t)
}

func (x *Execution) taskRun(t *thread, s *taskState) (*taskRun, *failure) {
	run := &taskRun{region: x.region}
	input, fail := x.selectedInput(t, &s.io)
	if fail != nil {
		return nil, fail
	}
	if run.timeout, fail = x.taskSeconds(t, s.timeout, input); fail != nil {
		return nil, fail
	}
	run.heartbeat, fail = x.taskSeconds(t, s.heartbeat, input)
	return run, fail
}

// scheduledTask is kept between a task's schedule and its start.
type scheduledTask struct {
	run        *taskRun
	parameters any
}

// taskSeconds evaluates a secondsField; input is what InputPath selected.
func (x *Execution) taskSeconds(t *thread, f secondsField, input any) (int64, *failure) {
	if f.path == nil {
		return f.seconds, nil
	}
	v, err := x.evaluator(t, input).path(f.path)
	if missing, ok := err.(*pathError); ok {
		missing.field = f.field
		return 0, t.failure(errRuntime, "%s", missing)
	}
	n, fail := t.secondsValue(f.field, f.path, v)
	if fail == nil && n == 0 {
		fail = t.failure(errRuntime, "The %s parameter must be greater than 0: %s == 0", f.field, f.path.text)
	}
	return n, fail
}

// dispatch starts a scheduled task.
func (x *Execution) dispatch(t *thread) {
	s, scheduled := t.state.(*taskState), t.scheduled
	x.recordTask(t, s, "Started", taskStarted, noDetail)
	t.phase, t.scheduled = phaseWaiting, nil
	x.lastRef++
	c := InvokeTask{
		Ref: x.lastRef, State: s.name, Resource: s.resource,
		Timeout:   time.Duration(scheduled.run.timeout) * time.Second,
		Heartbeat: time.Duration(scheduled.run.heartbeat) * time.Second,
	}
	switch {
	case s.resourceType == "":
		c.FunctionName, c.Payload = s.resource, encode(scheduled.parameters)
	case s.resource == LambdaInvoke:
		c.FunctionName, c.Payload = invocation(scheduled.parameters)
	default:
		c.Parameters = encode(scheduled.parameters)
	}
	x.waits.add(wait{c.Ref, t, c})
	x.commands = append(x.commands, c)
}

// recordTask records Task<suffix> or LambdaFunction<suffix>.
func (x *Execution) recordTask(t *thread, s *taskState, suffix string, service, function detail) *HistoryEvent {
	if s.resourceType == "" {
		return x.record(t, "LambdaFunction"+suffix, function)
	}
	h := x.record(t, "Task"+suffix, service)
	h.task = s
	return h
}

// taskAnswered goes on with what the host found. Only the first answer counts.
func (x *Execution) taskAnswered(t *thread, e Event, result any) {
	s := t.state.(*taskState)
	x.queue = append(x.queue, t)
	f := &failure{name: validText(e.Error), cause: validText(e.Cause), fromTask: true}
	switch e.Kind {
	case TaskSucceeded:
		if encodedSize(result, maxDataSize) <= maxDataSize {
			x.recordTask(t, s, "Succeeded", taskSucceeded, lambdaSucceeded).data = result
			x.complete(t, result)
			return
		}
		who := s.resourceType
		if who == "" {
			who = s.resource
		}
		f.name, f.cause = errDataLimitExceeded, dataLimitCause(who)
	case TaskTimedOut:
		f.name = errTimeout
	case TaskHeartbeatTimedOut:
		f.name = errHeartbeatTimeout
	}
	suffix := "Failed"
	if e.Kind == TaskTimedOut || e.Kind == TaskHeartbeatTimedOut {
		suffix = "TimedOut"
	}
	h := x.recordTask(t, s, suffix, taskFailed, failureDetail)
	h.error, h.cause = f.name, f.cause
	x.handle(t, f)
}
