package asl

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// comparer compares what the engine gave with what was recorded, by the rules of
// the corpus: masked places count as equal when they are there, <...> stands for
// any text, a value that holds a stand-in for a run-time value stands for
// whatever was recorded, and JSON text compares as JSON.
type comparer struct {
	opaque     map[string]any
	masked     []string // pointers into the expected outcome
	difference string
}

func rawJSON(text []byte) any {
	v, err := parseJSON(string(text))
	if err != nil {
		return string(text)
	}
	return v
}

func parseJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}

func (c *comparer) differ(at string, want, got any) {
	if c.difference == "" {
		w, _ := json.Marshal(want)
		g, _ := json.Marshal(got)
		c.difference = fmt.Sprintf("%s: want %s, got %s", at, w, g)
	}
}

func (c *comparer) isMasked(at string) bool {
	for _, m := range c.masked {
		if at == m {
			return true
		}
	}
	return false
}

func (c *comparer) value(at string, want, got any) {
	if c.isMasked(at) {
		return
	}
	if text, ok := got.(string); ok {
		if w, ok := want.(string); ok {
			c.text(at, w, text)
			return
		}
		// The recorder parsed what was text.
		if v, err := parseJSON(text); err == nil {
			got = v
		}
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.differ(at, want, got)
			return
		}
		for _, k := range keys(w, g) {
			wv, inWant := w[k]
			gv, inGot := g[k]
			if inWant != inGot {
				c.differ(at+"/"+k, present(wv, inWant), present(gv, inGot))
				continue
			}
			c.value(at+"/"+k, wv, gv)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(w) != len(g) {
			c.differ(at, want, got)
			return
		}
		for i := range w {
			c.value(at+"/"+strconv.Itoa(i), w[i], g[i])
		}
	case json.Number:
		g, ok := got.(json.Number)
		if !ok || !sameNumber(w.String(), g.String()) {
			c.differ(at, want, got)
		}
	default:
		if !reflect.DeepEqual(want, got) {
			c.differ(at, want, got)
		}
	}
}

func present(v any, ok bool) any {
	if !ok {
		return "(nothing)"
	}
	return v
}

func keys(maps ...map[string]any) []string {
	set := map[string]bool{}
	for _, m := range maps {
		for k := range m {
			set[k] = true
		}
	}
	all := make([]string, 0, len(set))
	for k := range set {
		all = append(all, k)
	}
	sort.Strings(all)
	return all
}

func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if strings.ContainsAny(a, ".eE") != strings.ContainsAny(b, ".eE") {
		return false
	}
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	return x == y && strings.ContainsAny(a, ".eE")
}

var (
	wildcards = regexp.MustCompile(`<[^<>]*>`)
	dates     = regexp.MustCompile(`^\d{2,4}-\d\d-\d\d`)
)

func (c *comparer) text(at, want, got string) {
	if want == got || (want == "date" || want == "timestamp") && dates.MatchString(got) {
		return
	}
	for standIn := range c.opaque {
		if strings.Contains(got, standIn) && !strings.HasPrefix(got, "{") && !strings.HasPrefix(got, "[") {
			return
		}
	}
	w, err1 := parseJSON(want)
	g, err2 := parseJSON(got)
	if err1 == nil && err2 == nil && !(reflect.TypeOf(w) == reflect.TypeOf("") && w == want) {
		c.value(at, w, g)
		return
	}
	parts := wildcards.Split(want, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	if len(parts) == 1 || !regexp.MustCompile(`(?s)^`+strings.Join(parts, ".*")+`$`).MatchString(got) {
		c.differ(at, want, got)
	}
}

// history compares events: ids, order, types and details.
func (c *comparer) history(want []recordedEvent, got []HistoryEvent, reordered bool) string {
	var events []recordedEvent
	for _, h := range got {
		b, err := json.Marshal(h)
		if err != nil {
			return err.Error()
		}
		events = append(events, rawJSON(b).(map[string]any))
	}
	if reordered {
		return c.unordered(want, events)
	}
	for i := range max(len(want), len(events)) {
		switch {
		case i >= len(events):
			return fmt.Sprintf("event %d: want %v, got no more", i+1, want[i]["type"])
		case i >= len(want):
			return fmt.Sprintf("event %d: want no more, got %v", i+1, events[i]["type"])
		}
		if d := c.event(want[i], events[i]); d != "" {
			return d
		}
	}
	return ""
}

// event compares one event. What is masked in the outcome is masked in the
// inputs and outputs that lead to it.
func (c *comparer) event(want, got recordedEvent) string {
	e := &comparer{opaque: c.opaque, masked: []string{"/timestamp"}}
	for k := range want {
		if !strings.HasSuffix(k, "EventDetails") {
			continue
		}
		for _, m := range c.masked {
			if rest, ok := strings.CutPrefix(m, "/output"); ok {
				e.masked = append(e.masked, "/"+k+"/output"+rest, "/"+k+"/input"+rest)
			} else {
				e.masked = append(e.masked, "/"+k+m)
			}
		}
	}
	e.value("", map[string]any(want), map[string]any(got))
	if e.difference == "" {
		return ""
	}
	return fmt.Sprintf("event %v %v: %s", want["id"], want["type"], e.difference)
}

// unordered compares histories whose events inside a Parallel state were sorted
// and lost their ids: those are a set. Events that the recording left out (ids
// that it skips) may be anything.
func (c *comparer) unordered(want, got []recordedEvent) string {
	byID := map[string]recordedEvent{}
	for _, g := range got {
		byID[fmt.Sprint(g["id"])] = g
	}
	var loose []recordedEvent
	for _, w := range want {
		id := fmt.Sprint(w["id"])
		if _, zeroed := w["id"].([]any); zeroed || id == "0" {
			loose = append(loose, w)
			continue
		}
		g, ok := byID[id]
		if !ok {
			return fmt.Sprintf("event %s %v: there is none", id, w["type"])
		}
		if d := c.event(w, g); d != "" {
			return d
		}
		delete(byID, id)
	}
	for _, w := range loose {
		found := false
		for _, id := range keys(anyMap(byID)) {
			g := recordedEvent{}
			for k, v := range byID[id] {
				g[k] = v
			}
			g["id"], g["previousEventId"] = w["id"], w["previousEventId"]
			if c.event(w, g) == "" {
				delete(byID, id)
				found = true
				break
			}
		}
		if !found {
			return fmt.Sprintf("event %v %v: there is none like it", w["type"], w)
		}
	}
	if len(byID) > len(got)-len(want) {
		return fmt.Sprintf("%d events too many", len(byID)-(len(got)-len(want)))
	}
	return ""
}

func anyMap(m map[string]recordedEvent) map[string]any {
	all := make(map[string]any, len(m))
	for k, v := range m {
		all[k] = v
	}
	return all
}
