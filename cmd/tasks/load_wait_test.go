package main

import (
	"net/http"
	"strings"
	"testing"

	"tasks/internal/client"
	"tasks/internal/task"
)

// newFakeLoad returns a fake server with tasks of these answers and a waiter for
// them that has read them once.
func newFakeLoad(t *testing.T, answers ...string) (*fakeServer, *waiter) {
	t.Helper()
	f := newFakeServer(t)
	f.add(answers...)
	var ids []task.ID
	for _, added := range f.tasks {
		ids = append(ids, added.TaskID)
	}
	cl, err := client.New(client.Config{URL: f.URL + "/local"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWaiter(cl, ids)
	if err := w.readAll(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	clear(f.reads)
	return f, w
}

func repeat(answer string, n int) []string {
	answers := make([]string, n)
	for i := range answers {
		answers[i] = answer
	}
	return answers
}

func (f *fakeServer) readsOf(w *waiter, t *testing.T, full bool) int {
	t.Helper()
	clear(f.reads)
	if err := w.readOpen(t.Context(), full, func() {}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, reads := range f.reads {
		n += reads
	}
	return n
}

func TestWaiting(t *testing.T) {
	t.Parallel()

	t.Run("does not read a backlog over and over", func(t *testing.T) {
		t.Parallel()
		f, w := newFakeLoad(t, repeat("stuck", 1000)...)
		if got := f.readsOf(w, t, false); got != 1 {
			t.Errorf("untouched backlog of 10 pages: got %d reads, want 1", got)
		}
		f.tasks[0].next = []task.Status{task.Processed}
		f.tasks[0].step()
		f.tasks[100].next = []task.Status{task.Processed}
		f.tasks[100].step()
		if got := f.readsOf(w, t, false); got != 3 || len(w.open) != 998 {
			t.Errorf("two pages touched: got %d reads and %d open, want 3 and 998", got, len(w.open))
		}
		if got := f.readsOf(w, t, true); got != 10 {
			t.Errorf("full: got %d reads, want 10", got)
		}
	})

	t.Run("reads only pages with open tasks again", func(t *testing.T) {
		t.Parallel()
		answers := repeat("done", 1000)
		answers[450] = "stuck"
		f, w := newFakeLoad(t, answers...)
		if len(w.open) != 1000 {
			t.Fatalf("got %d open, want 1000", len(w.open))
		}
		if got := f.readsOf(w, t, false); got != 10 || len(w.open) != 1 {
			t.Errorf("got %d reads and %d open, want 10 and 1", got, len(w.open))
		}
		if got := f.readsOf(w, t, false); got != 1 {
			t.Errorf("one task open: got %d reads, want 1", got)
		}
	})

	t.Run("follows what new tasks push off the first page", func(t *testing.T) {
		t.Parallel()
		f, w := newFakeLoad(t, "done")
		f.add(repeat("stuck", 250)...)
		if got := f.readsOf(w, t, false); got != 3 || len(w.open) != 0 {
			t.Errorf("got %d reads and %d open, want 3 and 0", got, len(w.open))
		}
	})

	t.Run("reads one by one what the listing does not show yet", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.hooks = append(f.hooks, func(w http.ResponseWriter, r *http.Request) bool {
			listing := r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/tasks")
			if listing {
				reply(w, http.StatusOK, map[string]any{"tasks": []string{}})
			}
			return listing
		})
		r, got := f.load(t, "-n", "3", "-c", "1")
		if got.Code != exitDone || r.Final[task.Processed] != 3 {
			t.Errorf("got %+v, want 3 tasks processed", got)
		}
	})
}
