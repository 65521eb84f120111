package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"tasks/internal/asl"
)

// definition is a state machine definition with the substitutions made that
// values were given for.
type definition struct {
	name   string
	failed error  // why the file can't be read
	source []byte // as it is in the file
	text   []byte
	edits  []edit
	names  []string // of all the substitutions in source
	open   []string // those without a value
}

// edit is a substitution that was made.
type edit struct {
	source, sourceEnd int // where it is in the file
	text, textEnd     int // where its value is in the text
}

var substitution = regexp.MustCompile(`\$\{([^{}"]+)\}`)

// readDefinition reads a file, or standard input if it is "-".
func (c *cli) readDefinition(file string, values map[string]string) definition {
	source, err := c.readFile(file)
	d := definition{name: shownName(file), failed: err, source: source}
	end := 0
	for _, at := range substitution.FindAllSubmatchIndex(source, -1) {
		name := string(source[at[2]:at[3]])
		d.names = append(d.names, name)
		value, ok := values[name]
		if !ok {
			d.open = append(d.open, name)
			continue
		}
		d.text = append(d.text, source[end:at[0]]...)
		begin := len(d.text)
		d.text = append(d.text, value...)
		d.edits = append(d.edits, edit{at[0], at[1], begin, len(d.text)})
		end = at[1]
	}
	d.text = append(d.text, source[end:]...)
	return d
}

// readFile reads a file, or standard input if it is "-". The error doesn't
// repeat the file's name.
func (c *cli) readFile(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(c.in)
	}
	b, err := os.ReadFile(file)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, failed.Err
	}
	return b, err
}

func shownName(file string) string {
	if file == "-" {
		return "<stdin>"
	}
	return file
}

// problems returns the problems that an error of asl lists, with their places in
// the file, or that the file can't be read.
func (d definition) problems(err error) []fileProblem {
	if d.failed != nil {
		return []fileProblem{{File: d.name, Message: d.failed.Error()}}
	}
	invalid, ok := errors.AsType[*asl.InvalidError](err)
	if !ok {
		return nil
	}
	problems := make([]fileProblem, len(invalid.Problems))
	for i, p := range invalid.Problems {
		line, column := d.place(p.Line, p.Column)
		problems[i] = fileProblem{d.name, line, column, p.Path, p.Message}
	}
	return problems
}

// place returns where a place of the text is in the file; both count from 1.
func (d definition) place(line, column int) (int, int) {
	if len(d.edits) == 0 {
		return line, column
	}
	offset := column - 1
	for lines := d.text; line > 1; line-- {
		end := bytes.IndexByte(lines, '\n') + 1
		offset += end
		lines = lines[end:]
	}
	i := len(d.edits) - 1
	for i >= 0 && d.edits[i].text > offset {
		i--
	}
	if i >= 0 {
		e := d.edits[i]
		if offset < e.textEnd {
			offset = e.source
		} else {
			offset += e.sourceEnd - e.textEnd
		}
	}
	before := d.source[:offset]
	return bytes.Count(before, []byte("\n")) + 1, offset - bytes.LastIndexByte(before, '\n')
}

// parseSubstitutions reads the values of --substitute.
func parseSubstitutions(flags []string) (map[string]string, error) {
	values := map[string]string{}
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, "=")
		if !ok || name == "" {
			return nil, usagef("--substitute %s: want NAME=VALUE", flag)
		}
		if _, ok := values[name]; ok {
			return nil, usagef("--substitute: %s is given twice", name)
		}
		values[name] = value
	}
	return values, nil
}

// checkUsed refuses values that no definition has a use for.
func checkUsed(values map[string]string, definitions ...definition) error {
	unused := maps.Clone(values)
	for _, d := range definitions {
		for _, name := range d.names {
			delete(unused, name)
		}
	}
	if len(unused) == 0 {
		return nil
	}
	return usagef("--substitute: there is no %s to put a value in the place of", placeholders(slices.Sorted(maps.Keys(unused))))
}

// hint says what to do about the substitutions that are not made.
func (d definition) hint() string {
	if d.open == nil {
		return ""
	}
	return "; --substitute NAME=VALUE gives values for " + placeholders(d.open)
}

func placeholders(names []string) string {
	return "${" + strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), "}, ${") + "}"
}
