package task

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Message is what the task queue carries: ids, never a payload.
type Message struct {
	TaskID ID  `json:"taskId"`
	Run    int `json:"run"`
}

// Body returns the message as it stands on the queue.
func (m Message) Body() string {
	return `{"taskId":"` + string(m.TaskID) + `","run":` + strconv.Itoa(m.Run) + `}`
}

// ExecutionName returns the name of the run's execution. It fits the 80
// characters of Step Functions.
func (m Message) ExecutionName() string { return string(m.TaskID) + "-" + strconv.Itoa(m.Run) }

// ParseMessage reads a Body. The error is of kind Invalid.
func ParseMessage(body string) (Message, error) {
	if m, ok := cutMessage(body); ok {
		return m, nil
	}
	var m Message
	if err := decodeStrict(body, &m); err != nil {
		return Message{}, Errorf(Invalid, "not a queue message: %v", err)
	}
	return m, m.Check()
}

// cutMessage reads what Body has written, as nearly all bodies are, without the
// decoder's price.
func cutMessage(body string) (m Message, ok bool) {
	id, run, _ := strings.Cut(strings.TrimPrefix(body, `{"taskId":"`), `","run":`)
	m.TaskID = ID(id)
	m.Run, _ = strconv.Atoi(strings.TrimSuffix(run, "}"))
	return m, m.Body() == body && m.Check() == nil
}

// Check tells what is wrong with a message. The error is of kind Invalid.
func (m Message) Check() error {
	if _, err := ParseID(string(m.TaskID)); err != nil {
		return err
	}
	if m.Run < 1 {
		return Errorf(Invalid, "run %d: want 1 or more", m.Run)
	}
	return nil
}

// DeadLetter is what the dead letter queue carries for a task. Sent by the
// state machine or by reconcile it has the error, the cause and the execution;
// moved there by the queue's redrive policy it is a bare Message.
type DeadLetter struct {
	Message
	Error       string `json:"error,omitempty"`
	Cause       string `json:"cause,omitempty"`
	ExecutionID string `json:"executionId,omitempty"`
}

// Body returns the dead letter as it stands on the dead letter queue.
func (d DeadLetter) Body() string {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and an int always marshal
	}
	return string(b)
}

// Raw tells whether d is a bare queue message: the redrive policy moved it,
// because no execution could be started.
func (d DeadLetter) Raw() bool { return d.Error == "" && d.ExecutionID == "" }

// ParseDeadLetter reads a Body. The error is of kind Invalid.
func ParseDeadLetter(body string) (DeadLetter, error) {
	var d DeadLetter
	if err := decodeStrict(body, &d); err != nil {
		return DeadLetter{}, Errorf(Invalid, "not a dead letter: %v", err)
	}
	return d, d.Check()
}

// Why returns the type and the message of the error that killed the task. The
// cause of a failed lambda:invoke is a JSON object with errorMessage in it; any
// other cause is taken as it is.
func (d DeadLetter) Why() (errorType, errorMessage string) {
	if d.Raw() {
		return string(NotStarted), "the task's execution could not be started; its message was moved to the dead letter queue"
	}
	var cause struct {
		ErrorMessage string `json:"errorMessage"`
	}
	message := d.Cause
	if err := json.Unmarshal([]byte(d.Cause), &cause); err == nil && cause.ErrorMessage != "" {
		message = cause.ErrorMessage
	}
	errorType = cmp.Or(d.Error, string(Abandoned))
	if message == "" {
		message = "the execution ended with " + errorType + " and gave no cause"
	}
	return Cut(errorType, MaxErrorTypeBytes), Cut(message, MaxErrorBytes)
}

// decodeStrict reads one JSON object into v: no unknown field, nothing after
// it. The error is short, whatever the body has in it.
func decodeStrict(body string, v any) error {
	dec := json.NewDecoder(bytes.NewReader([]byte(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return errors.New(Cut(strings.ToValidUTF8(err.Error(), "\uFFFD"), 256))
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("data after the JSON object")
	}
	return nil
}
