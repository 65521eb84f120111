package asl

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestComparisonOperators applies each operator to an operand and to values, and its Path
// variant to the same operand in the input. IsPresent has values that are not there.
func TestComparisonOperators(t *testing.T) {
	t.Parallel()
	const (
		numbers = `[4.9, 5.0, 5.1, "5", true, null]`
		texts   = `["a", "b", "ba", "B", 1, null]`
		times   = `["2025-12-31T23:59:59.999Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.001Z", "soon", 1, null]`
		truths  = `[true, false, "true", 1, null]`
		newYear = `"2026-01-01T00:00:00Z"`
		types   = `[null, true, 1, "a", "2026-01-01T00:00:00Z", [], {}]`
	)
	tested := map[string]bool{}
	for _, test := range []struct{ op, operand, values, want string }{
		{"NumericEquals", `5`, numbers, "010000"},
		{"NumericLessThan", `5`, numbers, "100000"},
		{"NumericLessThanEquals", `5`, numbers, "110000"},
		{"NumericGreaterThan", `5`, numbers, "001000"},
		{"NumericGreaterThanEquals", `5`, numbers, "011000"},
		{"NumericEquals", `-5`, `[-5, 5, -5.0, -50]`, "1010"},
		{"NumericLessThan", `-5`, `[-5, 5, -5.1, -50]`, "0011"},
		{"NumericGreaterThan", `1e2`, `[99.9, 100, 100.1, 1000]`, "0011"},
		{"StringEquals", `"b"`, texts, "010000"},
		{"StringLessThan", `"b"`, texts, "100100"},
		{"StringLessThanEquals", `"b"`, texts, "110100"},
		{"StringGreaterThan", `"b"`, texts, "001000"},
		{"StringGreaterThanEquals", `"b"`, texts, "011000"},
		{"TimestampEquals", newYear, times, "010000"},
		{"TimestampLessThan", newYear, times, "100000"},
		{"TimestampLessThanEquals", newYear, times, "110000"},
		{"TimestampGreaterThan", newYear, times, "001000"},
		{"TimestampGreaterThanEquals", newYear, times, "011000"},
		{"BooleanEquals", `true`, truths, "10000"},
		{"BooleanEquals", `false`, truths, "01000"},

		// Operands of another type can't be in a definition, and can in an input.
		{"NumericGreaterThanEqualsPath", `"5"`, numbers, "000000"},
		{"StringGreaterThanEqualsPath", `1`, texts, "000000"},
		{"TimestampGreaterThanEqualsPath", `"soon"`, times, "000000"},
		{"BooleanEqualsPath", `"true"`, truths, "00000"},

		{"IsNull", `true`, types, "1000000"},
		{"IsNull", `false`, types, "0111111"},
		{"IsBoolean", `true`, types, "0100000"},
		{"IsBoolean", `false`, types, "1011111"},
		{"IsNumeric", `true`, types, "0010000"},
		{"IsNumeric", `false`, types, "1101111"},
		{"IsString", `true`, types, "0001100"},
		{"IsString", `false`, types, "1110011"},
		{"IsTimestamp", `true`, types, "0000100"},
		{"IsTimestamp", `false`, types, "1111011"},
		{"IsPresent", `true`, `[null, false]`, "110"},
		{"IsPresent", `false`, `[null, false]`, "001"},

		{"StringMatches", `"ab"`, `["ab", "xab", "abx", "", 1, null]`, "100000"},
		{"StringMatches", `""`, `["", "a"]`, "10"},
		{"StringMatches", `"*"`, `["", "a", "*", 1, null]`, "11100"},
		{"StringMatches", `"a*"`, `["a", "ab", "ba"]`, "110"},
		{"StringMatches", `"*a"`, `["a", "ba", "ab"]`, "110"},
		{"StringMatches", `"*a*b*"`, `["ab", "xaxbx", "ba", "a"]`, "1100"},
		{"StringMatches", `"*ab*ab*"`, `["abab", "ab", "aab-abb"]`, "101"},
		{"StringMatches", `"ab*bc*cd"`, `["abbccd", "ab-bc-cd", "abccd", "abbcd"]`, "1100"},
		{"StringMatches", `"a\\*b"`, `["a*b", "axb", "a\\*b"]`, "100"},
		{"StringMatches", `"*\\*"`, `["a*", "*", "a"]`, "110"},
		{"StringMatches", `"a\\\\*"`, `["a\\", "a\\b", "a*", "a\\*"]`, "1101"}, // a backslash, then anything
		{"StringMatches", `"a\\b"`, `["a\\b", "ab"]`, "10"},                    // a backslash before another letter is one
		{"StringMatches", `"a\\"`, `["a\\", "a"]`, "10"},                       // and so is the last letter
	} {
		name := strings.TrimSuffix(test.op, "Path")
		tested[name] = true
		fields := map[string]string{}
		if name == test.op {
			fields["constant"] = `"` + name + `": ` + test.operand
		}
		if !operators[name].noPath {
			fields["path"] = `"` + name + `Path": "$.operand"`
		}
		var values []json.RawMessage
		if err := json.Unmarshal([]byte(test.values), &values); err != nil {
			t.Fatal(err)
		}
		for kind, field := range fields {
			t.Run(test.op+" "+test.operand+" as a "+kind, func(t *testing.T) {
				t.Parallel()
				for i, want := range test.want {
					input, variable := `{"values": `+test.values+`, "operand": `+test.operand+`}`, fmt.Sprintf("$.values[%d]", i)
					h := start(t, `{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "`+variable+`", `+field+`, "Next": "True"}], "Default": "False"},
						"True": {"Type": "Pass", "Result": 1, "End": true}, "False": {"Type": "Pass", "Result": 0, "End": true}}}`, input)
					if got := string(h.x.Output()); got != string(want) {
						t.Errorf("%s in %s: got %s (%s), want %c", variable, test.values, got, h.x.Cause(), want)
					}
				}
				if len(test.want) < len(values) {
					t.Errorf("%d values and %d answers", len(values), len(test.want))
				}
			})
		}
	}
	for name := range operators {
		if !tested[name] {
			t.Errorf("%s is not here", name)
		}
	}
}
