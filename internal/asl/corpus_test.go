package asl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// What has been reached. On the corpus of 531 JSONPath cases, 230 of them with a
// history, the test fails below the counts; on any other below the shares.
const (
	knownCases, knownHistories = 531, 230
	reachedOutcomes            = 531
	reachedHistories           = 228
	outcomeShare, historyShare = 0.99, 0.97
)

// recording is one execution recorded on Step Functions.
type recording struct {
	Name          string          `json:"name"`
	Group         string          `json:"group"`
	QueryLanguage string          `json:"query_language"`
	Definition    json.RawMessage `json:"definition"`
	Input         json.RawMessage `json:"input"`
	Expected      map[string]any  `json:"expected"`
	Masked        []string        `json:"masked"`
	Events        []recordedEvent `json:"events"`
	Reordered     bool            `json:"events_reordered"`
	Tasks         []recordedTask  `json:"tasks"`
	Opaque        map[string]any  `json:"opaque"`
	Recorded      string          `json:"recorded"`
}

type recordedEvent map[string]any

type recordedTask struct {
	State  string          `json:"state"`
	Event  string          `json:"event"`
	Result *recordedResult `json:"result"`
}

type recordedResult struct {
	Output json.RawMessage `json:"output"`
	Error  string          `json:"error"`
	Cause  string          `json:"cause"`
}

func TestCorpus(t *testing.T) {
	files := os.Getenv("ASL_CORPUS")
	if files == "" {
		t.Skip("ASL_CORPUS names no file of recorded executions: nothing is compared with Step Functions")
	}
	type score struct{ cases, agree, outcomes, histories, historyCases int }
	groups := map[string]*score{}
	var all score
	skipped := map[string]int{}
	for _, file := range filepath.SplitList(files) {
		for _, r := range readRecordings(t, file) {
			if r.QueryLanguage != "JSONPath" {
				skipped[r.QueryLanguage]++
				continue
			}
			g := groups[r.Group]
			if g == nil {
				g = &score{}
				groups[r.Group] = g
			}
			outcome, history := r.replay()
			for _, s := range []*score{g, &all} {
				s.cases++
				if outcome == "" {
					s.outcomes++
				}
				if outcome == "" && history == "" {
					s.agree++
				}
				if len(r.Events) > 0 {
					s.historyCases++
					if outcome == "" && history == "" {
						s.histories++
					}
				}
			}
			if outcome != "" {
				t.Logf("DISAGREES in outcome: %s: %s", r.Name, outcome)
			} else if history != "" {
				t.Logf("DISAGREES in history: %s: %s", r.Name, history)
			}
		}
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		g := groups[name]
		fmt.Printf("%-22s outcome %d/%d, history %d/%d\n", name, g.outcomes, g.cases, g.histories, g.historyCases)
	}
	for _, language := range []string{"JSONata", "mixed"} {
		fmt.Printf("%d %s cases are left out: JSONata is refused at load\n", skipped[language], language)
	}
	fmt.Printf("outcomes: %d/%d, histories: %d/%d\n", all.outcomes, all.cases, all.histories, all.historyCases)
	fmt.Printf("corpus: %d/%d cases agree\n", all.agree, all.cases)
	wantOutcomes, wantHistories := int(outcomeShare*float64(all.cases)), int(historyShare*float64(all.historyCases))
	if all.cases == knownCases && all.historyCases == knownHistories {
		wantOutcomes, wantHistories = reachedOutcomes, reachedHistories
	}
	if all.outcomes < wantOutcomes {
		t.Errorf("%d outcomes of %d agree, want %d", all.outcomes, all.cases, wantOutcomes)
	}
	if all.histories < wantHistories {
		t.Errorf("%d histories of %d agree, want %d", all.histories, all.historyCases, wantHistories)
	}
}

func readRecordings(t *testing.T, file string) []recording {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []recording
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		d := json.NewDecoder(strings.NewReader(lines.Text()))
		d.UseNumber()
		var r recording
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// replay runs the recording in virtual time and says how the outcome and the
// history differ from it; "" is no difference.
func (r *recording) replay() (outcome, history string) {
	m, err := Parse(r.Definition)
	if err != nil {
		return "refused: " + err.Error(), ""
	}
	x, events, err := r.run(m)
	if err != nil {
		return err.Error(), ""
	}
	c := &comparer{opaque: r.Opaque, masked: r.Masked}
	got := map[string]any{"status": string(x.Status())}
	if x.Status() == Succeeded {
		got["output"] = rawJSON(x.Output())
	}
	if x.Error() != "" {
		got["error"] = x.Error()
	}
	if x.Cause() != "" {
		got["cause"] = x.Cause()
	}
	c.value("", r.Expected, got)
	if c.difference != "" || len(r.Events) == 0 {
		return c.difference, ""
	}
	return "", c.history(r.Events, events, r.Reordered)
}

// run plays the host: it answers tasks with what was recorded for their state,
// in order, and lets time jump to the next timer.
func (r *recording) run(m *Machine) (*Execution, []HistoryEvent, error) {
	now, err := time.Parse("02-01-2006, 15:04:05", r.Recorded)
	if err != nil {
		now = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	answers := map[string][]recordedTask{}
	for _, task := range r.Tasks {
		answers[task.State] = append(answers[task.State], task)
	}
	start := &StartInput{
		ExecutionID:    "arn:aws:states:us-east-1:111111111111:execution:machine:execution",
		StateMachineID: "arn:aws:states:us-east-1:111111111111:stateMachine:machine",
		Name:           "execution", StateMachineName: "machine", RoleArn: r.roleArn(), Input: r.Input, Seed: 1,
	}
	x := m.NewExecution()
	var history []HistoryEvent
	queue := []Event{{Kind: Start, Start: start}}
	var timers []SetTimer
	for range 100_000 {
		if len(queue) == 0 {
			if len(timers) == 0 || x.Status() != Running {
				return x, history, nil
			}
			sort.SliceStable(timers, func(i, j int) bool { return timers[i].At.Before(timers[j].At) })
			next := Event{Kind: TimerFired, Ref: timers[0].Ref}
			if r.Expected["status"] == "ABORTED" {
				next = Event{Kind: Abort} // the recorder called StopExecution while the machine waited
			} else {
				now = timers[0].At
			}
			timers = timers[1:]
			queue = append(queue, next)
		}
		e := queue[0]
		queue = queue[1:]
		e.Time = now
		commands, events, err := x.Step(e)
		if err != nil {
			return nil, nil, err
		}
		history = append(history, events...)
		for _, c := range commands {
			switch c := c.(type) {
			case SetTimer:
				timers = append(timers, c)
			case InvokeTask:
				recorded := answers[c.State]
				if len(recorded) == 0 {
					return nil, nil, fmt.Errorf("no answer was recorded for this call of %s", c.State)
				}
				answers[c.State] = recorded[1:]
				if answer, ok := recorded[0].answer(c.Ref); ok {
					queue = append(queue, answer)
				}
			}
		}
	}
	return nil, nil, fmt.Errorf("the execution does not end")
}

func (r *recording) roleArn() string {
	if len(r.Events) > 0 {
		details, _ := r.Events[0]["executionStartedEventDetails"].(map[string]any)
		if arn, ok := details["roleArn"].(string); ok {
			return arn
		}
	}
	return "snf_role_arn"
}

func (t recordedTask) answer(ref int64) (Event, bool) {
	e := Event{Ref: ref}
	if t.Result == nil {
		return e, false
	}
	e.Error, e.Cause = t.Result.Error, t.Result.Cause
	switch {
	case strings.HasSuffix(t.Event, "TimedOut"):
		e.Kind = TaskTimedOut
	case t.Result.Error != "" || t.Result.Output == nil:
		e.Kind = TaskFailed
	default:
		e.Kind, e.Output = TaskSucceeded, t.Result.Output
		// What doesn't begin with '{' was kept as text.
		var text string
		if json.Unmarshal(e.Output, &text) == nil && json.Valid([]byte(text)) {
			e.Output = json.RawMessage(text)
		}
	}
	return e, true
}
