package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tasks/internal/task"
)

// report is what a load has measured. Its JSON is what load --json prints.
type report struct {
	API     string `json:"api"`
	Tasks   int    `json:"tasks"`
	Clients int    `json:"clients"`

	Accepted    int            `json:"accepted"`
	Refused     map[string]int `json:"refused"`     // by the answer's status
	PutOff      int            `json:"putOff"`      // how often one was put off and sent again
	Unreachable int            `json:"unreachable"` // not sent: there was no server
	Unanswered  int            `json:"unanswered"`  // sent, perhaps accepted

	Final             map[task.Status]int `json:"final"`
	AcceptedPerSecond float64             `json:"acceptedPerSecond"`
	FinishedPerSecond float64             `json:"finishedPerSecond"`
	SubmitMillis      percentiles         `json:"submitMillis"`
	FinalMillis       percentiles         `json:"submitToFinalMillis"`

	// What breaks the promise that an accepted task is final in the end.
	Lost        []task.ID  `json:"lost"`
	Unexplained []task.ID  `json:"unexplained"` // in the DLQ without a reason
	Open        []openTask `json:"open"`
	Duplicates  int        `json:"duplicates"`
}

// openTask is a task not known to be final. Its status is empty if it was not
// looked at.
type openTask struct {
	ID     task.ID     `json:"taskId"`
	Status task.Status `json:"status"`
}

// percentiles are of a latency, in milliseconds.
type percentiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func percentilesOf(h *hdrhistogram.Histogram) percentiles {
	millis := func(micros int64) float64 { return float64(micros) / 1000 }
	return percentiles{
		P50: millis(h.ValueAtPercentile(50)),
		P90: millis(h.ValueAtPercentile(90)),
		P99: millis(h.ValueAtPercentile(99)),
		Max: millis(h.Max()),
	}
}

func newReport(url string, o loadOptions, s *submission, w *waiter) *report {
	r := &report{
		API: url, Tasks: o.tasks, Clients: o.clients,
		Accepted: len(s.accepted), Refused: s.refused, PutOff: s.putOff, Unreachable: s.unreachable, Unanswered: s.unanswered,
		Final:        w.final,
		SubmitMillis: percentilesOf(s.latency), FinalMillis: percentilesOf(w.latency),
		Lost:        append([]task.ID{}, w.lost...),
		Unexplained: append([]task.ID{}, w.unexplained...),
		Open:        []openTask{},
		Duplicates:  w.duplicates,
	}
	r.AcceptedPerSecond = perSecond(r.Accepted, s.elapsed)
	r.FinishedPerSecond = perSecond(int(w.latency.TotalCount()), w.last.Sub(w.first.Time))
	slices.Sort(r.Lost)
	slices.Sort(r.Unexplained)
	for _, id := range slices.Sorted(maps.Keys(w.open)) {
		r.Open = append(r.Open, openTask{ID: id, Status: w.open[id]})
	}
	return r
}

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// print prints the report for people.
func (r *report) print(out *output) {
	out.printf("%d tasks from %s to %s\n\n", r.Tasks, plural(r.Clients, "client", "clients"), r.API)

	count := func(what string, n int) { out.printf("%-24s %9d\n", printable(what), n) }
	count("accepted", r.Accepted)
	for _, status := range slices.Sorted(maps.Keys(r.Refused)) {
		count("refused: "+status, r.Refused[status])
	}
	if r.PutOff > 0 {
		count("put off and sent again", r.PutOff)
	}
	if r.Unreachable > 0 {
		count("not sent: no server", r.Unreachable)
	}
	if r.Unanswered > 0 {
		count("no answer", r.Unanswered)
		out.printf("  (these may have been accepted; they were not sent again)\n")
	}
	out.printf("\n")
	for _, status := range task.Statuses {
		if n := r.Final[status]; n > 0 || !status.Open() {
			out.printf("%s %9d\n", out.paint(status, fmt.Sprintf("%-24s", status)), n)
		}
	}
	out.printf("\n%-24s %9.0f\n%-24s %9.0f\n", "accepted per second", r.AcceptedPerSecond, "finished per second", r.FinishedPerSecond)

	out.printf("\n%-24s %9s %9s %9s %9s\n", "latency", "p50", "p90", "p99", "max")
	latency := func(what string, p percentiles) {
		out.printf("%-24s %9s %9s %9s %9s\n", what, millis(p.P50), millis(p.P90), millis(p.P99), millis(p.Max))
	}
	latency("submit", r.SubmitMillis)
	latency("submit to final", r.FinalMillis)

	out.printf("\n")
	r.printBroken(out)
}

// printBroken prints the tasks that break the promise, or that there are none.
func (r *report) printBroken(out *output) {
	if r.Accepted > 0 && len(r.Lost)+len(r.Unexplained)+len(r.Open)+r.Duplicates == 0 {
		out.printf("Every accepted task was found, and is final.\n")
	}
	for _, id := range firstFew(out, "Accepted, and not there", r.Lost) {
		out.printf("  %s\n", printable(string(id)))
	}
	for _, id := range firstFew(out, "In the DLQ without a reason", r.Unexplained) {
		out.printf("  %s\n", printable(string(id)))
	}
	for _, t := range firstFew(out, "Not known to be final", r.Open) {
		status := "not looked at"
		if t.Status != "" {
			status = out.paint(t.Status, string(t.Status))
		}
		out.printf("  %s  %s\n", printable(string(t.ID)), status)
	}
	if r.Duplicates > 0 {
		out.printf("Accepted under the id of another task: %d\n", r.Duplicates)
	}
}

// firstFew prints the title of a list and returns as much of it as people read.
func firstFew[T any](out *output, title string, list []T) []T {
	const few = 20
	switch {
	case len(list) > few:
		out.printf("%s: %d, of which the first %d (--json prints all):\n", title, len(list), few)
		return list[:few]
	case len(list) > 0:
		out.printf("%s: %d\n", title, len(list))
	}
	return list
}

// millis returns milliseconds as people read them.
func millis(ms float64) string {
	switch {
	case ms >= 10_000:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
	case ms >= 1000:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	}
	return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
}
