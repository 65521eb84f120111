package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// result is what one round measured of one system: rates in tasks a second, times
// in seconds, memory in bytes. The driver is the process that submits, and in
// which a peer's workers are.
type result struct {
	Enqueue, Steady, Drain      float64
	PacedP50, PacedP99          float64
	FullP50, FullP99            float64
	ServersCPU, DriverCPU       float64 // per task
	ServersMemory, DriverMemory float64
}

// column is a figure of a table.
type column struct {
	title string
	unit  float64 // what of the result is 1
	value func(result) float64
}

var tables = []struct {
	title   string
	columns []column
}{
	{"Tasks per second: more is better", []column{
		{"enqueue", 1, func(r result) float64 { return r.Enqueue }},
		{"steady state", 1, func(r result) float64 { return r.Steady }},
		{"drain", 1, func(r result) float64 { return r.Drain }},
	}},
	{"Latency in ms, submit to finished: less is better", []column{
		{fmt.Sprintf("p50 at %d/s", pace), 1e-3, func(r result) float64 { return r.PacedP50 }},
		{fmt.Sprintf("p99 at %d/s", pace), 1e-3, func(r result) float64 { return r.PacedP99 }},
		{"p50 at full load", 1e-3, func(r result) float64 { return r.FullP50 }},
		{"p99 at full load", 1e-3, func(r result) float64 { return r.FullP99 }},
	}},
	{"Cost in the steady state: less is better", []column{
		{"CPU, µs a task", 1e-6, func(r result) float64 { return r.ServersCPU + r.DriverCPU }},
		{"of which servers", 1e-6, func(r result) float64 { return r.ServersCPU }},
		{"memory, MB", 1e6, func(r result) float64 { return r.ServersMemory + r.DriverMemory }},
		{"of which servers", 1e6, func(r result) float64 { return r.ServersMemory }},
	}},
}

// row is a system with what was measured of it, by round.
type row struct {
	candidate
	results []result
	failed  bool
}

type report struct {
	rounds, n int
	rows      []row // ours is the first
}

// String returns the tables in Markdown.
func (r report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s. %d tasks a load, %d clients, rounds: %d.\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), r.n, clients, r.rounds)
	fmt.Fprintf(&b, "Each figure is the median (least to most), and how many times ours it is.\n%s\n", strings.Join(versions(), ", "))
	for _, t := range tables {
		fmt.Fprintf(&b, "\n%s:\n\n| system |", t.title)
		for _, c := range t.columns {
			fmt.Fprintf(&b, " %s |", c.title)
		}
		b.WriteString("\n|---|" + strings.Repeat("---:|", len(t.columns)) + "\n")
		for i, row := range r.rows {
			b.WriteString("| " + row.name)
			if row.weaker != "" {
				b.WriteString(" (a power failure " + row.weaker + ")")
			}
			b.WriteString(" |")
			for _, c := range t.columns {
				ours := median(values(r.rows[0].results, c))
				if i == 0 {
					ours = 0
				}
				fmt.Fprintf(&b, " %s |", cell(values(row.results, c), ours))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func values(results []result, c column) []float64 {
	var v []float64
	for _, r := range results {
		v = append(v, c.value(r)/c.unit)
	}
	slices.Sort(v)
	return v
}

// cell shows the sorted values, and what they are of ours, unless that is 0.
func cell(sorted []float64, ours float64) string {
	if len(sorted) == 0 {
		return "–"
	}
	m := median(sorted)
	s := digits(m)
	if len(sorted) > 1 {
		s += fmt.Sprintf(" (%s to %s)", digits(sorted[0]), digits(sorted[len(sorted)-1]))
	}
	if m > 0 && ours > 0 {
		s += fmt.Sprintf(", %s×", digits(m/ours))
	}
	return s
}

// median returns the middle of the sorted values, the lower one of two; 0 of none.
func median(sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)/2]
}

// digits writes a number with no more digits than can mean something.
func digits(v float64) string {
	switch {
	case v >= 10 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// versions names what was measured.
func versions() []string {
	var all []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			switch m.Path {
			case "github.com/hibiken/asynq", "github.com/riverqueue/river", "maragu.dev/goqite", "modernc.org/sqlite":
				all = append(all, m.Path+" "+m.Version)
			}
		}
	}
	for _, name := range []string{"redis-server", "postgres"} {
		path, err := program(name)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, "--version")
		cmd.Stderr = os.Stderr
		if out, err := cmd.Output(); err == nil {
			all = append(all, strings.TrimSpace(string(out)))
		}
	}
	return all
}
