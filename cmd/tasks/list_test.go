package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	t.Parallel()

	t.Run("shows the newest first", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("fail", "line\nbreak and more than the column can hold", "日本語日本語日本語日本語日本語")
		f.settle()
		check(t, f.run(t, "list"), result{Out: `TASK                                  STATUS      RETRIES  CREATED                  ANSWER                    ERROR
01939a3e-7c00-7000-8000-000000000002  PROCESSED   0        2026-03-01 12:00:00.002  日本語日本語日本語日本…
01939a3e-7c00-7000-8000-000000000001  PROCESSED   0        2026-03-01 12:00:00.001  line\nbreak and more th…
01939a3e-7c00-7000-8000-000000000000  DLQ         0        2026-03-01 12:00:00.000  fail                      simulated failure
`})
	})
	t.Run("filters by status, in any case", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("fail", "done")
		f.settle()
		got := f.run(t, "list", "--json", "--status", "dlq")
		check(t, got, result{Out: `{"taskId":"` + firstID + `","answer":"fail","status":"DLQ","retries":0,"createdAt":"2026-03-01T12:00:00.000Z","updatedAt":"2026-03-01T12:00:03.000Z","errorType":"WorkerError","errorMessage":"simulated failure"}` + "\n"})
	})
	t.Run("pages as far as it is asked to", func(t *testing.T) {
		t.Parallel()
		for _, test := range []struct {
			args  []string
			lines int
			more  bool
		}{
			{nil, 50, true},
			{[]string{"--limit", "120"}, 120, true},
			{[]string{"--limit", "250"}, 250, false},
			{[]string{"--all"}, 250, false},
		} {
			f := newFakeServer(t)
			for i := range 250 {
				f.add(fmt.Sprint("stuck ", i))
			}
			f.maxPage = 70
			got := f.run(t, append([]string{"list", "--json"}, test.args...)...)
			if lines := strings.Count(got.Out, "\n"); got.Code != exitDone || lines != test.lines {
				t.Errorf("list %v: got code %d and %d lines, want 0 and %d", test.args, got.Code, lines, test.lines)
			}
			if more := strings.HasPrefix(got.ErrOut, "There may be more"); more != test.more {
				t.Errorf("list %v: got error output %q, want a hint to more: %v", test.args, got.ErrOut, test.more)
			}
		}
	})
	t.Run("shows the head alone when there is nothing", func(t *testing.T) {
		t.Parallel()
		got := newFakeServer(t).run(t, "list")
		if got.Code != exitDone || strings.Count(got.Out, "\n") != 1 {
			t.Errorf("got %+v, want the head", got)
		}
	})
}
