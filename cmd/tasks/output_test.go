package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"

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

func FuzzPrintedTextIsHarmless(f *testing.F) {
	f.Add("plain", 5)
	f.Add("\x1b[31m\u009b\u202e\xff\U000e0001", 3)
	f.Add("日本語", 4)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = 1 + (width&0x7fffffff)%200
		fitted, padding := fit(text, width)
		for _, r := range fitted {
			if r < ' ' || 0x7f <= r && r <= 0x9f || r == 0x202e {
				t.Errorf("fit(%q, %d): got %q with %q in it", text, width, fitted, r)
			}
		}
		if got := uniseg.StringWidth(fitted) + padding; got != width {
			t.Errorf("fit(%q, %d): got %q and %d, %d wide", text, width, fitted, padding, got)
		}
		if !utf8.ValidString(text) {
			return
		}
		doc, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		escaped := escapeJSON(string(doc))
		if err := json.Unmarshal([]byte(escaped), &back); err != nil || back != text {
			t.Errorf("escapeJSON(%q): got %q, which is %q (%v)", doc, escaped, back, err)
		}
		for _, r := range escaped {
			if r < ' ' || 0x7f <= r && r <= 0x9f || r == 0x202e {
				t.Errorf("escapeJSON(%q): got %q with %q in it", doc, escaped, r)
			}
		}
	})
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
