package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tasks/internal/asl"
)

func newValidateCommand(c *cli) *cobra.Command {
	var substitutions []string
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check state machine definitions",
		Long: `Check state machine definitions (Amazon States Language, JSONPath), and print
every problem of each with its place, as a compiler does. - is standard input.

Substitutions such as ${ProcessFunctionArn}, which a deployment fills in, may
stay in strings: a string that has one is not held to be wrong. Elsewhere, and to
check what becomes of them, give their values with --substitute.

What Step Functions knows and the engine of this program does not (JSONata,
distributed Map, activities, .sync and .waitForTaskToken) is a problem too, and
named.

Exit codes: 0 no problems, 1 problems, 2 called in a way that makes no sense.`,
		Example: `  tasks validate statemachine/task.asl.json
  tasks validate --substitute Timeout=60 flow.asl.json
  generate-flow | tasks validate --json -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			values, err := parseSubstitutions(substitutions)
			if err != nil {
				return err
			}
			return c.validate(files, values)
		},
	}
	cmd.Flags().StringArrayVar(&substitutions, "substitute", nil, "`NAME=VALUE` to put in the place of ${NAME}")
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON, for programs")
	return cmd
}

// fileProblem is a problem of a definition and where it is. A file that can't be
// read has a message alone.
type fileProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

func (p fileProblem) String() string {
	place := p.File
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	return place + ": " + asl.Problem{Path: p.Path, Message: p.Message}.String()
}

func (c *cli) validate(files []string, values map[string]string) error {
	definitions := make([]definition, len(files))
	for i, file := range files {
		definitions[i] = c.readDefinition(file, values)
	}
	if err := checkUsed(values, definitions...); err != nil {
		return err
	}
	found := []fileProblem{}
	hint := ""
	for _, d := range definitions {
		problems := d.problems(asl.Validate(d.text))
		c.printProblems(problems)
		switch {
		case d.failed == nil && !json.Valid(d.text):
			hint = cmp.Or(hint, d.hint())
		case problems == nil && !c.json:
			c.out.printf("%s: ok\n", printable(d.name))
		}
		found = append(found, problems...)
	}
	if c.json {
		if err := c.out.json(struct {
			Problems []fileProblem `json:"problems"`
		}{found}); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		return errors.New(plural(len(found), "problem", "problems") + hint)
	}
	return nil
}

// printProblems prints problems one a line. With --json they are printed all
// together in the end.
func (c *cli) printProblems(problems []fileProblem) {
	if c.json {
		return
	}
	for _, p := range problems {
		c.out.printf("%s\n", printable(p.String()))
	}
}
