package asl

import (
	"regexp"
	"strings"
	"testing"
)

func evalCall(t testing.TB, text, input string) (string, error) {
	t.Helper()
	e, err := parseExpression(text)
	if err != nil {
		return "", err
	}
	v, err := decode([]byte(input), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	x := &evaluator{
		input:   v,
		context: func() *object { return newObject(member{"Name", "ctx"}) },
		random:  func() uint64 { n++; return mix(1, n) },
	}
	got, err := e.eval(x, "f.$")
	return string(encode(got)), err
}

func TestIntrinsicFunctions(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		`States.Array()`: `[]`,
		`States.Array($.n, 'a', 1.0, true, null, $$.Name)`:                      `[3,"a",1.0,true,null,"ctx"]`,
		`States.ArrayPartition($.a, 2)`:                                         `[[1,2],[3]]`,
		`States.ArrayContains($.a, 2.0)`:                                        `false`,
		`States.ArrayContains($.a, 2)`:                                          `true`,
		`States.ArrayContains($.a, '2')`:                                        `false`,
		`States.ArrayRange(1, 9, 2)`:                                            `[1,3,5,7,9]`,
		`States.ArrayRange(3, 1, -1)`:                                           `[3,2,1]`,
		`States.ArrayRange(5, 1, 1)`:                                            `[]`,
		`States.ArrayGetItem($.a, 1)`:                                           `2`,
		`States.ArrayLength($.a)`:                                               `3`,
		`States.ArrayUnique(States.Array(1, 1.0, '1', $.a, $.a))`:               `[1,1.0,"1",[1,2,3]]`,
		`States.Base64Encode('Data to encode')`:                                 `"RGF0YSB0byBlbmNvZGU="`,
		`States.Base64Decode('RGF0YQ')`:                                         `"Data"`,
		`States.Hash('input data', 'SHA-1')`:                                    `"aaff4a450a104cd177d28d18d74485e8cae074b7"`,
		`States.Hash('input data', 'MD5')`:                                      `"812f45842bc6d66ee14572ce20db8e86"`,
		`States.Hash('input data', 'SHA-256')`:                                  `"b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3"`,
		`States.Hash('input data', 'SHA-384')`:                                  `"d28a7d5cf25a74f11a50a18452b75e04bb3d70c9dd0510d6123aa008c756511b87525bdc835ebb27e1fb9e9374a15562"`,
		`States.Hash('input data', 'SHA-512')`:                                  `"6ce4adb348546d4f449c4d25aad9a7c9cb711d9e91982d3f0b29ca2f3f47d4ce2deba23bf2954f0f1d593fc50283731a533d30d425402d4f91316d871303aac4"`,
		`States.Hash($.o, 'SHA-1')`:                                             `"bede63aec750e1c0339584bb3ead740cd3a68ee5"`, // of its JSON
		`States.JsonMerge($.o, States.StringToJson('{"x": 2, "z": 3}'), false)`: `{"x":2,"y":1,"z":3}`,
		`States.StringToJson(' ')`:                                              `null`,
		`States.JsonToString($.o)`:                                              `"{\"x\":1,\"y\":1}"`,
		`States.MathAdd(1.5, -1.5)`:                                             `1`,
		`States.MathAdd($.n, States.MathAdd(1, 1))`:                             `5`,
		`States.MathRandom(5, 6)`:                                               `5`,
		`States.StringSplit('a.b+c', '.+')`:                                     `["a","b","c"]`,
		`States.StringSplit(',,', ',')`:                                         `[]`,
		`States.Format('no arguments')`:                                         `"no arguments"`,
		`States.Format('{} is {} \{\} it\'s \\', $.n, $.s)`:                     `"3 is text {} it's \\"`,
		`States.Format($.template, 1)`:                                          `"<1>"`,
		`States.Format('{}{}{}', $.o, $.a, null)`:                               `"{x=1, y=1}[1, 2, 3]null"`,
		`States.Format(  'a{}' ,  $.n  )`:                                       `"a3"`,
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			got, err := evalCall(t, call, `{"n": 3, "s": "text", "a": [1,2,3], "o": {"x":1,"y":1}, "template": "<{}>"}`)
			if err != nil || got != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
}

func TestIntrinsicFunctionsFail(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		`States.ArrayPartition($.a, 0)`:          "the chunk size must be positive, not 0",
		`States.ArrayPartition('x', 1)`:          "argument 1 must be an array, not string",
		`States.ArrayRange(1, 9, 0)`:             "the increment must not be 0",
		`States.ArrayRange(1, 2000, 1)`:          "the range has more than 1000 items",
		`States.ArrayGetItem($.a, 3)`:            "index 3 is out of bounds for an array of 3 items",
		`States.ArrayGetItem($.a, -1)`:           "index -1 is out of bounds for an array of 3 items",
		`States.Base64Decode('!')`:               "the argument is not Base64",
		`States.Base64Encode(1)`:                 "argument 1 must be a string, not number",
		`States.Base64Encode($.long)`:            "the argument is longer than 10000 characters",
		`States.Hash('a', 'CRC')`:                `unknown algorithm "CRC"; there are MD5, SHA-1, SHA-256, SHA-384 and SHA-512`,
		`States.JsonMerge($.o, $.o, true)`:       "deep merging is not supported: argument 3 must be false",
		`States.JsonMerge($.o, 1, false)`:        "argument 2 must be an object, not number",
		`States.StringToJson('{')`:               "the argument is not JSON: line 1, column 2: expected a member name",
		`States.MathAdd('1', 2)`:                 "argument 1 must be a number, not string",
		`States.MathAdd(9223372036854775807, 1)`: "the sum is out of range",
		`States.MathRandom(5, 5)`:                "the end 5 must be above the start 5",
		`States.Format('{}')`:                    "there are more {} than arguments",
		`States.Format('{}', 1, 2)`:              "there are more arguments than {}",
	} {
		_, err := evalCall(t, call, `{"a": [1,2,3], "o": {}, "long": "`+strings.Repeat("x", 10_001)+`"}`)
		if want = "The function '" + call + "' had the following error: " + want; err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestCallsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		`States.`, `States.Nope()`, `States.Array`, `States.Array(`, `States.Array(1`, `States.Array(1,)`, `States.Array(1 2)`, `States.Array('a)`,
		`States.Array("a")`, `States.Array([1])`, `States.Array(a)`, `States.Array() x`, `States.UUID(1)`, `States.Format()`,
		strings.Repeat(`States.Array(`, 11) + strings.Repeat(`)`, 11),
	} {
		if _, err := parseCall(call); err == nil {
			t.Errorf("%s: got no error", call)
		}
	}
}

func TestRandomFunctionsFollowTheSeed(t *testing.T) {
	t.Parallel()
	definition := pass(`"Parameters": {"u.$": "States.UUID()", "r.$": "States.MathRandom(0, 1000000)", "s.$": "States.MathRandom(0, 1000000, 5)"}`)
	first, again := start(t, definition, `{}`), start(t, definition, `{}`)
	if a, b := string(first.x.Output()), string(again.x.Output()); a != b {
		t.Errorf("the same seed gave %s and %s", a, b)
	}
	uuid := regexp.MustCompile(`"u":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`)
	if out := string(first.x.Output()); !uuid.MatchString(out) {
		t.Errorf("got %s, want a version 4 UUID", out)
	}
	other := first.machine.NewExecution()
	if _, _, err := other.Step(Event{Kind: Start, Time: epoch, Start: &StartInput{Seed: 8}}); err != nil {
		t.Fatal(err)
	}
	if string(other.Output()) == string(first.x.Output()) {
		t.Error("another seed gave the same values")
	}
}
