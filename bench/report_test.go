package main

import (
	"strings"
	"testing"
)

func TestPercentile(t *testing.T) {
	values := make([]float64, 200)
	for i := range values {
		values[i] = float64(i + 1)
	}
	for p, want := range map[int]float64{1: 2, 50: 100, 99: 198, 100: 200} {
		if got := percentile(values, p); got != want {
			t.Errorf("percentile %d: got %v, want %v", p, got, want)
		}
	}
	if got := percentile(values[:1], 99); got != 1 {
		t.Errorf("of one value: got %v, want 1", got)
	}
}

func TestReport(t *testing.T) {
	r := report{rounds: 3, n: 10, rows: []row{
		{candidate: candidate{name: "ours"}, results: []result{{Drain: 100}, {Drain: 300}, {Drain: 200}}},
		{candidate: candidate{name: "peer", weaker: "loses all"}, results: []result{{Drain: 51}, {Drain: 40}, {Drain: 50}}},
		{candidate: candidate{name: "broken"}, failed: true},
	}}
	got := r.String()
	for _, want := range []string{
		"\n| ours | 0 (0 to 0) | 0 (0 to 0) | 200 (100 to 300) |\n",
		"\n| peer (a power failure loses all) | 0 (0 to 0) | 0 (0 to 0) | 50 (40 to 51), 0.25× |\n",
		"\n| broken | – | – | – |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s\nwant in it %s", got, want)
		}
	}
}
