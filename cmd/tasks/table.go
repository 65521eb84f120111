package main

import (
	"strings"

	"github.com/rivo/uniseg"

	"tasks/internal/task"
)

// column is a column of a table. Its width is fixed, in cells of the terminal,
// so that a table of any length is printed as it comes.
type column struct {
	title string
	width int
}

// table prints rows of tasks' data.
type table struct {
	out     *output
	columns []column
}

// newTable prints the table's head.
func newTable(out *output, columns ...column) *table {
	t := &table{out: out, columns: columns}
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	t.row(titles...)
	return t
}

// row prints a row. The cells are escaped, cut to their columns, and those of
// the column STATUS coloured.
func (t *table) row(cells ...string) {
	var line strings.Builder
	for i, cell := range cells {
		width := t.columns[i].width
		text, padding := fit(cell, width)
		if status := task.Status(cell); t.columns[i].title == "STATUS" && status.Valid() {
			text = t.out.paint(status, text)
		}
		line.WriteString(text)
		if i < len(cells)-1 {
			line.WriteString(strings.Repeat(" ", padding+2))
		}
	}
	t.out.printf("%s\n", strings.TrimRight(line.String(), " "))
}

// fit returns text escaped and cut to a width, and how much narrower it is.
func fit(text string, width int) (fitted string, padding int) {
	// A cell of the terminal shows one grapheme, and no common one is longer
	// than this; what is cut here needn't be measured.
	const maxGraphemeBytes = 32
	text = printable(task.Cut(text, (width+1)*maxGraphemeBytes))
	if w := uniseg.StringWidth(text); w <= width {
		return text, width - w
	}
	var b strings.Builder
	used, state := 0, -1
	for text != "" {
		cluster, rest, w, next := uniseg.FirstGraphemeClusterInString(text, state)
		if used+w > width-1 {
			break
		}
		b.WriteString(cluster)
		text, state, used = rest, next, used+w
	}
	return b.String() + "…", width - used - 1
}
