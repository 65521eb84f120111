package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tasks/internal/asl"
	"tasks/internal/task"
)

// runPrinter prints the history of an execution as it happens, or with --json
// all of it in the end.
type runPrinter struct {
	out    *output
	json   bool
	table  *table
	start  time.Time
	last   time.Time
	states runStates
	all    []asl.HistoryEvent
}

func (c *cli) newRunPrinter() *runPrinter {
	return &runPrinter{out: c.out, json: c.json, states: newRunStates()}
}

func (p *runPrinter) events(events []asl.HistoryEvent) {
	for _, e := range events {
		if p.start.IsZero() {
			p.start = e.Time
		}
		p.last = e.Time
		if p.json {
			p.all = append(p.all, e)
			continue
		}
		if p.table == nil {
			p.table = newTable(p.out, column{"TIME", 9}, column{"ID", 5}, column{"EVENT", 24}, column{"STATE", 20}, column{"DETAILS", 60})
		}
		d := detailsOf(e)
		state := p.states.of(e, d.Name)
		p.table.row(p.offset(e.Time), strconv.FormatInt(e.ID, 10), e.Type, state, d.String())
	}
}

func (p *runPrinter) offset(t time.Time) string {
	return t.Sub(p.start).Round(time.Millisecond).String()
}

// end prints how the execution ended.
func (p *runPrinter) end(x *asl.Execution) error {
	if p.json {
		return p.out.json(struct {
			Status asl.Status         `json:"status"`
			Output json.RawMessage    `json:"output,omitempty"`
			Error  string             `json:"error,omitempty"`
			Cause  string             `json:"cause,omitempty"`
			Events []asl.HistoryEvent `json:"events"`
		}{x.Status(), x.Output(), x.Error(), x.Cause(), p.all})
	}
	line := fmt.Sprintf(" after %s", p.offset(p.last))
	color := task.DLQ
	if x.Status() == asl.Succeeded {
		color = task.Processed
		line += "\n" + printable(string(x.Output()))
	} else if why := reason(x.Error(), x.Cause()); why != "" {
		line += ": " + printable(why)
	}
	p.out.printf("\n%s%s\n", p.out.paint(color, string(x.Status())), line)
	return nil
}

// runDetails is what the details of an event may have.
type runDetails struct {
	Name                      string
	ResourceType, Resource    string
	Input, Output, Parameters string
	Error, Cause              string
	Index, Length             *int
}

func detailsOf(e asl.HistoryEvent) (d runDetails) {
	text, err := json.Marshal(e)
	if err != nil {
		return d
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return d
	}
	for name, value := range members {
		if strings.HasSuffix(name, "EventDetails") {
			_ = json.Unmarshal(value, &d)
		}
	}
	return d
}

// String returns what an event tells besides its state.
func (d runDetails) String() string {
	switch {
	case d.Error != "" || d.Cause != "":
		return reason(d.Error, d.Cause)
	case d.Parameters != "":
		return d.ResourceType + ":" + d.Resource + " " + d.Parameters
	case d.Index != nil:
		return fmt.Sprintf("item %d", *d.Index)
	case d.Length != nil:
		return plural(*d.Length, "item", "items")
	}
	return d.Input + d.Output
}
