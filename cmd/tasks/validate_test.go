package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const broken = `{
  "StartAt": "Wait\u001b[2J",
  "States": {
    "Pause": {"Type": "Wait", "Seconds": ${Pause}, "Next": "Done", "Foo": 1},
    "Done": {"Type": "Succeed"}
  }
}`

func TestValidate(t *testing.T) {
	t.Parallel()

	t.Run("has nothing against the workflow that is deployed", func(t *testing.T) {
		t.Parallel()
		file := "../../statemachine/task.asl.json"
		check(t, runWith(t.Context(), "", nil, "validate", file), result{Out: file + ": ok\n"})
	})
	t.Run("prints all problems of all files, with their places in the file", func(t *testing.T) {
		t.Parallel()
		one, two := write(t, "one.json", broken), write(t, "two.json", "{}")
		check(t, runWith(t.Context(), "", nil, "validate", "--substitute", "Pause=-100000", one, two, "none.json"), result{
			Code: exitFailed,
			Out: one + `:2:3: StartAt: there is no state "Wait\\x1b[2J"` + "\n" +
				one + ":4:31: States.Pause.Seconds: must be >= 0, not -100000\n" +
				one + ":4:68: States.Pause.Foo: unknown field: a Wait state cannot have it\n" +
				two + ":1:1: StartAt: is missing\n" +
				two + ":1:1: States: is missing\n" +
				"none.json: no such file or directory\n",
			ErrOut: "tasks: 6 problems\n",
		})
	})
	t.Run("says ok of each file that has none", func(t *testing.T) {
		t.Parallel()
		one, two := write(t, "one.json", `{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`), write(t, "two.json", "{}")
		check(t, runWith(t.Context(), "", nil, "validate", one, two, one), result{
			Code:   exitFailed,
			Out:    one + ": ok\n" + two + ":1:1: StartAt: is missing\n" + two + ":1:1: States: is missing\n" + one + ": ok\n",
			ErrOut: "tasks: 2 problems\n",
		})
	})
	t.Run("says what is missing, once, where a substitution is not in a string", func(t *testing.T) {
		t.Parallel()
		file := write(t, "flow\x1b[2J.json", "{\"a\": ${B}, \"c\": ${D}}")
		shown := strings.ReplaceAll(file, "\x1b", `\x1b`)
		check(t, runWith(t.Context(), broken, nil, "validate", "-", file), result{
			Code:   exitFailed,
			Out:    "<stdin>:4:42: not JSON: unexpected '$'\n" + shown + ":1:7: not JSON: unexpected '$'\n",
			ErrOut: "tasks: 2 problems; --substitute NAME=VALUE gives values for ${Pause}\n",
		})
	})
	t.Run("reads standard input and prints JSON", func(t *testing.T) {
		t.Parallel()
		check(t, runWith(t.Context(), broken, nil, "validate", "--json", "-"), result{
			Code:   exitFailed,
			Out:    `{"problems":[{"file":"<stdin>","line":4,"column":42,"message":"not JSON: unexpected '$'"}]}` + "\n",
			ErrOut: "tasks: 1 problem; --substitute NAME=VALUE gives values for ${Pause}\n",
		})
		check(t, runWith(t.Context(), `{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`, nil, "validate", "--json", "-"),
			result{Out: `{"problems":[]}` + "\n"})
	})
	t.Run("refuses values that make no sense", func(t *testing.T) {
		t.Parallel()
		file := write(t, "flow.json", broken)
		for _, test := range []struct {
			values []string
			want   string
		}{
			{[]string{"Pause"}, "--substitute Pause: want NAME=VALUE"},
			{[]string{"Pause=1", "Pause=2"}, "--substitute: Pause is given twice"},
			{[]string{"Pause=1", "Break=2"}, "--substitute: there is no ${Break} to put a value in the place of"},
		} {
			args := []string{"validate", file}
			for _, value := range test.values {
				args = append(args, "--substitute", value)
			}
			got := runWith(t.Context(), "", nil, args...)
			if got.Code != exitUsage || !strings.Contains(got.ErrOut, test.want) {
				t.Errorf("%v: got code %d and %q, want code %d and %q", test.values, got.Code, got.ErrOut, exitUsage, test.want)
			}
		}
	})
}
