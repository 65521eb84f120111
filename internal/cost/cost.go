// Package cost counts what tasks would be billed for on AWS, and prices it.
//
// It counts what the system does for a task from its submission, a signed POST /tasks,
// to its end. Not in it are what clients read, storage (and the backups of the table),
// what is billed while nothing happens (the schedule, the pollers' empty receives,
// alarms, metrics and the dashboard by the month), the removal of a task after its
// retention, cold starts and traces.
package cost

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"time"

	"tasks/internal/task"
)

// Life is what happened to a task.
type Life struct {
	AnswerBytes int
	// Attempts are how long the worker took, each time.
	Attempts []time.Duration
	// Waited is how long it waited between them.
	Waited time.Duration
	// Dead tells that the last one failed too, and that it is in the DLQ.
	Dead bool
}

// Setup is what of the deployment matters.
type Setup struct {
	Express  bool
	MemoryMB int // of each function but count
	// Batch is how many messages the poller and the monitor get at once, up to 10:
	// what waits, or for the monitor what comes in a second. If it is less than 10, so
	// many tasks' changes are what the count function gets at once, else countBatch.
	Batch int
}

// Usage is how much of each item is used, by its name in the price table.
type Usage map[string]float64

// Items are the items in the order of the flow.
var Items = []string{
	"API request", "Lambda request", "Lambda GB-second", "SQS request", "state transition", "EXPRESS request", "EXPRESS GB-second",
	"DynamoDB write unit", "DynamoDB read unit", "metric request", "log GB",
}

const (
	// request is what a request to a service takes a function: an assumption.
	request = 6 * time.Millisecond
	// countBatch is how many changes of the table the count function gets at once under
	// load, of which a task makes three, and two more for each retry; countWindow is how
	// long they are waited for, and countMB the function's memory: as in template.yaml.
	countBatch, countWindow, countMB = 1000, 5 * time.Second, 512
	// countWrite is what its write takes in write units: a transaction of one item of
	// less than 1 KiB ("two underlying reads or writes of every item in the
	// transaction", DynamoDB's guide).
	countWrite = 2
	// accessLine is what the API logs for a signed POST /tasks that is accepted, in
	// bytes. It takes the caller's ARN to have 72 characters: a role's, assumed.
	accessLine = 250
	// failedEvent is what the state machine logs at level ERROR for a failed attempt,
	// deadEvents what for an execution that fails, and deadLetter what the monitor logs
	// for a dead letter, in bytes. Neither logs a success.
	failedEvent, deadEvents, deadLetter = 470, 1050, 600
	// expressStep is what billing rounds an EXPRESS execution's duration up to, and
	// expressMB the least memory that it is billed with.
	expressStep, expressMB = 100 * time.Millisecond, 64
)

// Of returns what a task's life uses.
func Of(l Life, s Setup) Usage {
	u := Usage{}
	attempts, batch := float64(len(l.Attempts)), float64(s.Batch)
	failed := attempts
	if !l.Dead {
		failed = max(0, attempts-1)
	}
	run := func(n float64, lasting time.Duration, memoryMB int) {
		u["Lambda request"] += n
		u["Lambda GB-second"] += n * lasting.Seconds() * float64(memoryMB) / 1024
	}
	invoke := func(n float64, lasting time.Duration) { run(n, lasting, s.MemoryMB) }
	u["API request"] = 1
	invoke(1, 2*request)           // submit: a record, a message
	invoke(1/batch, 2*request)     // poller: it starts ten at once
	u["SQS request"] = 1 + 2/batch // sent; received and deleted with its batch
	running := l.Waited
	for _, worked := range l.Attempts {
		lasting := worked + 2*request // claim, finish
		invoke(1, lasting)
		running += lasting + request
	}
	changes := 1 + 2*attempts
	if l.Dead {
		invoke(1/batch, time.Duration(2*s.Batch+1)*request) // monitor: a read and a write for each, a metric
		u["SQS request"] += 1 + 2/batch
		u["metric request"] = 1 / batch
		running += request
		changes++
	}
	counts := changes / countBatch
	if s.Batch < 10 {
		// One for each window that the task takes, unless nothing changes in it: changes
		// come at its start and, until the next claim at the latest, after each attempt.
		counts = min(attempts+1, float64(1+running/countWindow)) / batch
	}
	run(counts, 4*request, countMB) // count: a write, once it has read the changes
	if s.Express {
		u["EXPRESS request"] = 1
		steps := (running + expressStep - 1) / expressStep
		u["EXPRESS GB-second"] = (steps * expressStep).Seconds() * expressMB / 1024
	} else {
		u["state transition"] = Transitions(len(l.Attempts), l.Dead)
	}
	u["DynamoDB write unit"], u["DynamoDB read unit"] = Units(l.AnswerBytes, len(l.Attempts), l.Dead)
	u["DynamoDB write unit"] += countWrite * counts
	u["log GB"] = (accessLine + failed*failedEvent) / 1e9
	if l.Dead {
		u["log GB"] += (deadEvents + deadLetter) / 1e9
	}
	return u
}

// Transitions returns the state transitions of a STANDARD execution: one for each
// state that is entered and one for each retry ("Step Functions counts a state
// transition each time a step of your workflow is executed", AWS Step Functions
// pricing). Neither its start nor its end is said to be one.
func Transitions(attempts int, dead bool) float64 {
	if dead {
		return float64(attempts) + 2 // DeadLetter, Failed
	}
	return float64(attempts)
}

// Sizes of items of the table, in bytes, with ids and names of the usual length.
// Package dynamotable's tests hold Units against what DynamoDB Local says.
const (
	inlineAnswer  = 512 // dynamotable's maxInlineAnswer
	headOfLarge   = 192 // and its headOfLarge
	answerItem    = 131 // what the rest of a large answer has besides itself
	createdRecord = 160
	claimed       = 230 // what the first claim adds
	failedAttempt = 118
	nextAttempt   = 11 // what a claim adds after a failure
)

// Units returns the write and read units of a task's record: a write takes one for
// each begun KiB of the item, and one for each entry of the index that it adds or
// removes; a consistent read one for each begun 4 KiB, another one half of that. It
// takes the tasks before it to be like it.
func Units(answerBytes, attempts int, dead bool) (write, read float64) {
	begun := func(size, of int) float64 { return float64((size + of - 1) / of) }
	size, readRest := createdRecord+answerBytes, 0.0
	if answerBytes > inlineAnswer {
		size = createdRecord + headOfLarge + 40
		rest := answerBytes - headOfLarge
		write += begun(rest+answerItem, 1024)
		readRest = begun(rest+answerItem, 4096) / 2 // whether it is there is all that can be in doubt
	}
	write += begun(size, 1024) + 1
	for n := range attempts {
		if n == 0 {
			size += claimed
		} else {
			size += nextAttempt
			read += begun(size, 4096)
		}
		read += readRest
		write += begun(size, 1024)
		if last := n == attempts-1; !last || dead {
			size += failedAttempt
			write += begun(size, 1024)
		} else {
			write += begun(size+16, 1024) + 2
		}
	}
	if dead {
		read += begun(size, 4096)
		write += begun(size, 1024) + 2 // it becomes no larger
	}
	return write, read
}

// Add adds n times what v is.
func (u Usage) Add(v Usage, n float64) {
	for item, used := range v {
		u[item] += n * used
	}
}

// Prices is a price table.
type Prices struct {
	Region string             `json:"region"`
	AsOf   string             `json:"asOf"`
	Note   string             `json:"note"`
	Prices map[string]float64 `json:"prices"` // US dollars for one
}

//go:embed prices.json
var prices []byte

// List returns the price table.
func List() Prices {
	var p Prices
	if err := json.Unmarshal(prices, &p); err != nil {
		panic(fmt.Sprintf("prices.json: %v", err)) // it is part of the binary, and tested
	}
	return p
}

// Of returns the price of what is used, in US dollars.
func (p Prices) Of(u Usage) float64 {
	sum := 0.0
	for item, used := range u {
		sum += used * p.Prices[item]
	}
	return sum
}

// Failing returns the lives of tasks of which each attempt fails with a
// probability, with how many of them there are of one, when they are retried by a
// policy and then go to the DLQ.
func Failing(rate float64, retry task.RetryPolicy, answerBytes int, worked time.Duration) (lives []Life, shares []float64) {
	left := 1.0
	l := Life{AnswerBytes: answerBytes}
	for n := range retry.MaxAttempts + 1 {
		if n > 0 {
			l.Waited += retry.Wait(n)
		}
		l.Attempts = append(l.Attempts, worked)
		lives, shares = append(lives, l), append(shares, left*(1-rate))
		left *= rate
	}
	l.Dead = true
	return append(lives, l), append(shares, left)
}
