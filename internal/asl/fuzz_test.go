package asl

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// smallInput is how long what a fuzz target gives may be for promptly to hold.
const smallInput = 4 << 10

// promptly fails if a small input took longer than any should, on a machine that
// is busy with other things too.
func promptly(t *testing.T, inputs ...string) func() {
	begun := time.Now()
	return func() {
		if took := time.Since(begun); len(strings.Join(inputs, "")) <= smallInput && took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

// FuzzParse checks that no definition makes Parse or an execution panic, that
// an execution always waits for something or ends, can be stopped at any time,
// and that its journal replays to the same history.
func FuzzParse(f *testing.F) {
	ours, err := os.ReadFile("../../statemachine/task.asl.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, definition := range []string{
		string(ours), threeStates, taskFlow, nested, taskMachine(`"TimeoutSecondsPath": "$.t", "End": true`),
		pass(`"Parameters": {"a.$": "States.Format('{}', $.x)", "b": [{"c.$": "$$.State"}]}, "ResultPath": "$.r[0]"`),
		`{"StartAt": "A", "States": {"A": {"Type": "Map", "ItemBatcher": {"MaxItemsPerBatch": 2}, "Iterator": {"StartAt": "B", "States": {"B": {"Type": "Fail"}}}, "ToleratedFailurePercentage": 50, "End": true}}}`,
		`{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Not": {"Variable": "$..a", "StringMatches": "*x*"}, "Next": "A"}], "Default": "B"}, "B": {"Type": "Succeed"}}}`,
		`{"StartAt": "A", "States": {"A": {"Type": "Wait", "TimestampPath": "$.t", "Next": "B"}, "B": {"Type": "Pass", "Assign": {"v.$": "States.Format('{}{}', $.x, $.x)"}, "Next": "A"}}}`,
		`{"QueryLanguage": "JSONata"}`, `[]`, `{`,
	} {
		f.Add(definition, `{"items": [1, 2], "x": {"a": null}, "taskId": "t", "run": 1}`)
		f.Add(definition, `[{"a": "xx"}, 2, 3]`)
	}
	f.Fuzz(func(t *testing.T, definition, input string) {
		defer promptly(t, definition, input)()
		m, err := Parse([]byte(definition))
		if err != nil {
			invalid := &InvalidError{}
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
				t.Errorf("refused with %v, without a problem", err)
			}
			for _, p := range invalid.Problems {
				if p.Message == "" || p.Line < 1 || p.Column < 1 {
					t.Errorf("the problem %+v says not what, or not where", p)
				}
			}
			return
		}
		m.Tasks()
		x := m.NewExecution()
		journal := []Event{{Kind: Start, Time: epoch, Start: &StartInput{Input: json.RawMessage(input)}}}
		var history []HistoryEvent
		for i := 0; i < len(journal) && i < 30; i++ {
			_, events, err := x.Step(journal[i])
			if err != nil {
				if i == 0 {
					return // the input isn't JSON
				}
				t.Fatal(err)
			}
			history = append(history, events...)
			if x.Status() != Running {
				break
			}
			pending := x.Pending()
			if len(pending) == 0 {
				t.Fatal("runs and waits for nothing")
			}
			journal = append(journal, answerFor(pending[i%len(pending)], i))
		}
		if len(history) > maxHistoryEvents {
			t.Errorf("the history has %d events", len(history))
		}
		replayed := m.NewExecution()
		var again []HistoryEvent
		for _, e := range journal[:min(len(journal), 30)] {
			_, events, _ := replayed.Step(e)
			again = append(again, events...)
		}
		if len(history) < 1000 && marshalHistory(t, history) != marshalHistory(t, again) {
			t.Error("the replayed history differs")
		}
		if x.Status() == Running {
			commands, _, err := x.Step(Event{Kind: Abort, Time: journal[len(journal)-1].Time})
			if err != nil || x.Status() != Aborted || len(x.Pending()) != 0 || len(commands) == 0 {
				t.Errorf("stopped: got %s with %v pending, %v", x.Status(), x.Pending(), err)
			}
		}
		if x.Status() == Succeeded && (!json.Valid(x.Output()) || len(x.Output()) > max(maxDataSize, 2*len(input))) {
			t.Errorf("got an output of %d bytes, JSON: %v", len(x.Output()), json.Valid(x.Output()))
		}
	})
}

func answerFor(c Command, i int) Event {
	e := Event{Time: epoch.Add(time.Duration(i) * time.Second)}
	switch c := c.(type) {
	case SetTimer:
		e.Kind, e.Ref = TimerFired, c.Ref
	case InvokeTask:
		e.Ref = c.Ref
		switch i % 3 {
		case 0:
			e.Kind, e.Error = TaskFailed, "E"
		case 1:
			e.Kind, e.Output = TaskSucceeded, json.RawMessage(`{"Payload": [1]}`)
		default:
			e.Kind = TaskTimedOut
		}
	}
	return e
}

// FuzzPath checks that a path that parses can be evaluated, and soon, and that
// an indefinite one gives an array.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		`$`, `$$.Execution.Id`, `$v.a`, `$..a[?(@.b == 1 && !(@.c in [1,'x']))]`, `$.a[1:-1:2]`, `$['a','b'][*]`, `$.a\.b`, `$.a[?(@.b =~ /x\/y/i)]`,
		`$.books[?(@.price >= 8.0 && @.price<9 || @.title == 'B')].title`, `$.books[?(@.tags empty false)]`, `$..*..*`, `$..[?($..[?(@.a)])]`,
	} {
		f.Add(path, `{"a":[{"b":1},{"c":[null,"x"]}]}`)
		f.Add(path, library)
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		defer promptly(t, text, document)()
		p, err := parsePath(text)
		if err != nil {
			return
		}
		v, err := decode([]byte(document), nil)
		if err != nil {
			return
		}
		got, missing := p.find(v)
		if _, ok := got.([]any); !p.definite && !ok && missing != tooManyVisits {
			t.Errorf("%s: an indefinite path gave %s", text, encode(got))
		}
		if p.text != text {
			t.Errorf("%s was kept as %s", text, p.text)
		}
		if reference, err := parseReferencePath(text); err == nil {
			set, ok := reference.set(v, "put")
			if found, missing := reference.find(set); ok && found != "put" {
				t.Errorf("%s set in %s gave %s, where it is not found: %s", text, document, encode(set), missing)
			}
		}
	})
}

// FuzzCall checks that an intrinsic function that parses gives a JSON value or
// an error with a name, and soon.
func FuzzCall(f *testing.F) {
	for _, call := range []string{
		`States.Array($.n, 'a', 1.0, true, null, $$.Name)`, `States.ArrayPartition($.a, 2)`, `States.ArrayRange(1, 9, 2)`, `States.ArrayGetItem($.a, 1)`,
		`States.ArrayUnique(States.Array(1, 1.0, '1', $.a, $.a))`, `States.ArrayContains($.a, 2)`, `States.ArrayLength($.a)`, `States.Base64Encode('x')`,
		`States.Base64Decode('RGF0YQ')`, `States.Hash('input data', 'SHA-1')`, `States.JsonMerge($.o, States.StringToJson('{"x": 2, "z": 3}'), false)`,
		`States.MathAdd(1.5, -1.5)`, `States.MathRandom(5, 6)`, `States.StringSplit('a.b+c', '.+')`, `States.Format('{} is {} \{\} it\'s \\', $.n, $.s)`, `States.UUID()`,
		`States.JsonToString($)`, `$.a[0]`,
	} {
		f.Add(call, `{"n": 3, "s": "text", "a": [1,2,3], "o": {"x":1,"y":1}, "template": "<{}>"}`)
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		defer promptly(t, text, input)()
		if _, err := decode([]byte(input), nil); err != nil || !utf8.ValidString(text) { // a definition's text is
			return
		}
		got, err := evalCall(t, text, input)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("failed without a cause")
			}
			return
		}
		checkValue(t, got, text)
	})
}

// checkValue checks that what was encoded is JSON of a bounded size that reads
// as itself.
func checkValue(t *testing.T, encoded, what string) {
	t.Helper()
	v, err := decode([]byte(encoded), nil)
	if err != nil || !json.Valid([]byte(encoded)) {
		// Each function may nest a level deeper than what can be read again.
		if strings.Contains(err.Error(), "nested deeper") {
			return
		}
		t.Fatalf("%s gave %s, which is not JSON: %v", what, encoded, err)
	}
	if again := string(encode(v)); again != encoded {
		t.Errorf("%s gave %s, which reads as %s", what, encoded, again)
	}
	if size := encodedSize(v, len(encoded)); size != len(encoded) {
		t.Errorf("%s gave %s, whose size is taken for %d", what, encoded, size)
	}
}

// FuzzTemplate checks that a payload template that compiles gives an object with
// its fields, or an error with a name.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		`{"a.$": "$.n", "b": [{"c.$": "States.Format('{}', $.s)"}], "d": {"e": 1.0}}`, `{"a": 1}`, `{"a": 1, "a.$": "$"}`, `{".$": "$"}`, `{"a.$": 1}`,
		`{"FunctionName": "f", "Payload": {"run.$": "$.run", "retryCount.$": "$$.State.RetryCount"}}`, `[{"x.$": "$..a"}]`,
	} {
		f.Add(text, `{"n": 3, "s": "text", "a": [1,2,3], "run": 1}`)
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		defer promptly(t, text, input)()
		v, errTemplate := decode([]byte(text), nil)
		in, errInput := decode([]byte(input), nil)
		if errTemplate != nil || errInput != nil {
			return
		}
		problems := 0
		tm := compileTemplate(v, "T", func(at, message string) {
			problems++
			if at == "" || message == "" {
				t.Errorf("the problem %q at %q", message, at)
			}
		})
		if problems > 0 {
			return
		}
		n := uint64(0)
		x := &evaluator{input: in, context: func() *object { return emptyObject }, random: func() uint64 { n++; return mix(1, n) }}
		got, err := tm.eval(x)
		if err != nil {
			var path *pathError
			var call *intrinsicError
			if !errors.As(err, &path) && !errors.As(err, &call) {
				t.Errorf("got the error %T %v", err, err)
			}
			return
		}
		if !tm.dynamic && !identicalValues(got, v) {
			t.Errorf("a constant gave %s", encode(got))
		}
		want, isObject := v.(*object)
		if object, ok := got.(*object); isObject && (!ok || len(object.members) != len(want.members)) {
			t.Errorf("got %s, want its %d fields", encode(got), len(want.members))
		}
		if encodedSize(got, 1<<20) < 1<<20 {
			checkValue(t, string(encode(got)), text)
		}
	})
}

// FuzzTimestamp checks that a timestamp is accepted only as RFC 3339 with a
// capital T and Z writes it, and is the time that it says.
func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{
		"2016-03-14T01:59:00Z", "2016-03-14T01:59:00.123456789+02:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2016-03-14t01:59:00z", "2016-03-14T24:00:00Z", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := parseTimestamp(text)
		if !ok {
			return
		}
		if strings.ContainsAny(text, "tz ,") {
			t.Errorf("%q was accepted", text)
		}
		loose, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || !loose.Equal(at) {
			t.Errorf("%q is %v, and RFC 3339's %v (%v)", text, at, loose, err)
		}
		if back, ok := parseTimestamp(at.Format(time.RFC3339Nano)); !ok || !back.Equal(at) {
			t.Errorf("%q is written %s, which is %v", text, at.Format(time.RFC3339Nano), back)
		}
	})
}

// FuzzDecode checks that decode takes what encoding/json takes, but for what is
// nested too deep, and that what it took is written as it is read.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		library, `{"a": [1, -0, 1.50, 1e400, 12345678901234567890], "a": "\ud83d\ude00 \ud83d \u0000"}`, "\"\xff\"", `nul`, `[1,]`, `"\x"`, `01`, "",
		strings.Repeat("[", 1001) + strings.Repeat("]", 1001),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := decode(text, nil)
		if (err == nil) != json.Valid(text) && (err == nil || !strings.Contains(err.Error(), "nested deeper")) {
			t.Fatalf("got the error %v, valid: %v", err, json.Valid(text))
		}
		if err == nil {
			checkValue(t, string(encode(v)), string(text))
		}
	})
}
