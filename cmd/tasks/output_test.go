package main

import (
	"os"
	"path/filepath"
	"testing"

	"tasks/internal/task"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain \"text\" ü 日本": "plain \"text\" ü 日本",
		"two\nlines\t":        `two\nlines\t`,
		"\x1b[31mred\x07":     `\x1b[31mred\a`,
		"C1: \u009b31m":       `C1: \u009b31m`,
		"reversed \u202e":     `reversed \u202e`,
		"not UTF-8 \xff":      `not UTF-8 \xff`,
		`a \ and \"`:          `a \\ and \\"`,
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q): got %q, want %q", text, got, want)
		}
	}
}

func TestColor(t *testing.T) {
	t.Parallel()
	out := &output{color: true}
	if got, want := out.paint(task.DLQ, "DLQ"), "\x1b[31mDLQ\x1b[0m"; got != want {
		t.Errorf("in colour: got %q, want %q", got, want)
	}
	out.color = false
	if got, want := out.paint(task.DLQ, "DLQ"), "DLQ"; got != want {
		t.Errorf("without: got %q, want %q", got, want)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if out := newOutput(file, func(string) string { return "" }); out.terminal || out.color {
		t.Errorf("a file: got %+v, want no terminal and no colour", out)
	}
}
