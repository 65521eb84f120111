package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"golang.org/x/term"

	"tasks/internal/task"
)

// output is where a command prints. It remembers the first error of its writer,
// so that a full disk under a redirected listing is not a success.
type output struct {
	w        io.Writer
	terminal bool
	color    bool
	err      error
}

// newOutput returns an output in colour if w is a terminal that has them and
// nobody minds (https://no-color.org).
func newOutput(w io.Writer, getenv func(string) string) *output {
	file, ok := w.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	return &output{
		w:        w,
		terminal: terminal,
		color:    terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb",
	}
}

// Write never fails: the error is kept.
func (o *output) Write(b []byte) (int, error) {
	if _, err := o.w.Write(b); err != nil && o.err == nil {
		o.err = err
	}
	return len(b), nil
}

// failed returns the error of the first Write that failed.
func (o *output) failed() error {
	if o.err != nil {
		return fmt.Errorf("write the output: %w", o.err)
	}
	return nil
}

func (o *output) printf(format string, args ...any) { fmt.Fprintf(o, format, args...) }

// json prints v on a line of its own.
func (o *output) json(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	o.printf("%s", escapeJSON(b.String()))
	return nil
}

// escapeJSON escapes what encoding/json leaves as it is and a terminal may
// obey: control characters beyond ASCII, and marks that reverse the text.
func escapeJSON(doc string) string {
	var b strings.Builder
	for _, r := range doc {
		if r < 0x7f || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else if r <= 0xffff {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

// printable returns s on one line and with everything in it escaped that a
// terminal could take for more than text.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// paint returns text, escaped, in the colour of a status.
func (o *output) paint(status task.Status, text string) string {
	text = printable(text)
	if !o.color {
		return text
	}
	color := map[task.Status]string{
		task.Pending:    "2",  // dim
		task.Processing: "36", // cyan
		task.Failed:     "33", // yellow
		task.Processed:  "32", // green
		task.DLQ:        "31", // red
	}[status]
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// moment returns t as tables show it.
func moment(t task.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}

// reason returns an error's type and message as one text.
func reason(errorType, message string) string {
	if errorType == "" || message == "" {
		return errorType + message
	}
	return errorType + ": " + message
}

// took returns d, rounded for people.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// plural returns n with the noun in its number.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
