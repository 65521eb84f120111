package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// figure is one of a sample's values.
type figure struct {
	name, unit string
	of         func(sample) float64
}

var figures = []figure{
	{"start", "ms", func(s sample) float64 { return ms(s.start) }},
	{"1st invocation", "ms", func(s sample) float64 { return ms(s.invoked[0]) }},
	{"2nd invocation", "ms", func(s sample) float64 { return ms(s.invoked[1]) }},
	{"CPU", "ms", func(s sample) float64 { return ms(s.cpu) }},
	{"peak memory", "MiB", func(s sample) float64 { return float64(s.peak) / (1 << 20) }},
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// report writes medians, with the least and the most, and how many times the Go
// function's the Node function's are.
func report(w io.Writer, functions []function, samples [][]sample) {
	fmt.Fprint(w, "| function | runtime | code, MiB |")
	for _, f := range figures {
		fmt.Fprintf(w, " %s, %s |", f.name, f.unit)
	}
	fmt.Fprint(w, "\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for i, f := range functions {
		fmt.Fprintf(w, "| %s | %s | %.2f |", f.name, f.runtime, float64(f.size)/(1<<20))
		for _, fig := range figures {
			values := valuesOf(samples[i], fig)
			fmt.Fprintf(w, " %.1f (%.1f..%.1f) |", median(values), values[0], values[len(values)-1])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\n| Node / Go | client | code |")
	for _, f := range figures {
		fmt.Fprintf(w, " %s |", f.name)
	}
	fmt.Fprint(w, "\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for i, f := range functions {
		if !f.node {
			continue
		}
		base := slices.IndexFunc(functions, func(g function) bool { return g.name == f.name && !g.node })
		fmt.Fprintf(w, "| %s | %s | %.2f |", f.name, f.runtime, float64(f.size)/float64(functions[base].size))
		for _, fig := range figures {
			fmt.Fprintf(w, " %.1f |", median(valuesOf(samples[i], fig))/median(valuesOf(samples[base], fig)))
		}
		fmt.Fprintln(w)
	}
}

// valuesOf returns the values of a figure, the least first.
func valuesOf(samples []sample, f figure) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = f.of(s)
	}
	slices.Sort(values)
	return values
}

// median returns the median of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
