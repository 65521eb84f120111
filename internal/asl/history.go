package asl

import (
	"encoding/json"
	"strconv"
	"time"
)

// HistoryEvent is one entry of an execution's history. It marshals to the JSON
// of the HistoryEvent that GetExecutionHistory returns; the text of inputs and
// outputs, compact JSON, is made only then.
type HistoryEvent struct {
	ID         int64
	PreviousID int64
	Time       time.Time
	Type       string // "TaskScheduled"

	detail detail
	name   string  // of the state, or of the Map state of an iteration
	index  int     // of an iteration; of a Map state, how many
	data   any     // input, output or parameters
	vars   *object // variables assigned
	task   *taskState
	run    *taskRun
	role   string
	error  string
	cause  string
}

// taskRun is what a task was scheduled with.
type taskRun struct {
	timeout, heartbeat int64 // seconds, 0 is none
	region             string
}

// detail is the kind of details that an event type has.
type detail int

const (
	noDetail detail = iota
	executionStarted
	executionSucceeded
	failureDetail // cause and error
	stateEntered
	stateExited
	mapStarted
	mapIteration
	taskScheduled
	taskStarted
	taskSucceeded
	taskFailed
	lambdaScheduled
	lambdaSucceeded
)

// MarshalJSON writes the event as GetExecutionHistory does.
func (e HistoryEvent) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 256)
	b = append(b, `{"timestamp":`...)
	b = appendString(b, formatTime(e.Time))
	b = append(b, `,"type":`...)
	b = appendString(b, e.Type)
	b = append(b, `,"id":`...)
	b = strconv.AppendInt(b, e.ID, 10)
	b = append(b, `,"previousEventId":`...)
	b = strconv.AppendInt(b, e.PreviousID, 10)
	if key := e.detailKey(); key != "" {
		b = append(b, ',', '"')
		b = append(b, key...)
		b = append(b, `EventDetails":`...)
		b = appendValue(b, e.details())
	}
	return append(b, '}'), nil
}

func (e *HistoryEvent) detailKey() string {
	switch e.detail {
	case noDetail:
		return ""
	case stateEntered:
		return "stateEntered"
	case stateExited:
		return "stateExited"
	}
	return string(e.Type[0]|0x20) + e.Type[1:]
}

func (e *HistoryEvent) details() *object {
	var m []member
	add := func(key string, v any) { m = append(m, member{key, v}) }
	text := func(key string) {
		add(key, string(encode(e.data)))
		add(key+"Details", newObject(member{"truncated", false}))
	}
	switch e.detail {
	case executionStarted:
		text("input")
		add("roleArn", e.role)
	case executionSucceeded, lambdaSucceeded:
		text("output")
	case failureDetail:
		m = e.appendFailure(m)
	case stateEntered:
		add("name", e.name)
		text("input")
	case stateExited:
		add("name", e.name)
		text("output")
		if e.vars != nil {
			assigned := make([]member, len(e.vars.members))
			for i, v := range e.vars.members {
				assigned[i] = member{v.key, string(encode(v.value))}
			}
			add("assignedVariables", newObject(assigned...))
			add("assignedVariablesDetails", newObject(member{"truncated", false}))
		}
	case mapStarted:
		add("length", intNumber(int64(e.index)))
	case mapIteration:
		add("name", e.name)
		add("index", intNumber(int64(e.index)))
	case taskScheduled:
		add("resourceType", e.task.resourceType)
		add("resource", e.task.action)
		add("region", e.run.region)
		add("parameters", string(encode(e.data)))
		m = e.run.appendTimeouts(m)
	case taskStarted:
		m = e.appendResource(m)
	case taskSucceeded:
		m = e.appendResource(m)
		text("output")
	case taskFailed:
		m = e.appendFailure(e.appendResource(m))
	case lambdaScheduled:
		add("resource", e.task.resource)
		text("input")
		m = e.run.appendTimeouts(m)
	}
	return newObject(m...)
}

func (e *HistoryEvent) appendResource(m []member) []member {
	return append(m, member{"resourceType", e.task.resourceType}, member{"resource", e.task.action})
}

func (e *HistoryEvent) appendFailure(m []member) []member {
	if e.error != "" {
		m = append(m, member{"error", e.error})
	}
	if e.cause != "" {
		m = append(m, member{"cause", e.cause})
	}
	return m
}

func (r *taskRun) appendTimeouts(m []member) []member {
	if r.timeout > 0 {
		m = append(m, member{"timeoutInSeconds", intNumber(r.timeout)})
	}
	if r.heartbeat > 0 {
		m = append(m, member{"heartbeatInSeconds", intNumber(r.heartbeat)})
	}
	return m
}

// formatTime writes t in UTC with milliseconds, as the context object and
// histories have it.
func formatTime(t time.Time) string {
	// Format has a quick way for RFC 3339, but none for its three decimals.
	b := t.UTC().AppendFormat(make([]byte, 0, len(time.RFC3339)), time.RFC3339)
	ms := t.Nanosecond() / int(time.Millisecond)
	return string(append(b[:len(b)-len("Z")], '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z'))
}

var _ json.Marshaler = HistoryEvent{}
