package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

// waiter waits for the accepted tasks of a load to be final, without slowing the
// server down that works on them. It reads on one connection, page by page:
// first the whole listing down to the oldest of the tasks, then only those pages
// again that have an open task. A page that begins with a token shows the same
// tasks for ever, because a listing is in the order of ids and new tasks go to
// its top.
type waiter struct {
	cl *client.Client
	// open are the tasks not known to be final, with the status that they were
	// last seen in: none before the first time.
	open  map[task.ID]task.Status
	pages []openPage // newest first
	// unlisted are open tasks that the listing does not show (it may be
	// eventually consistent) and a read does.
	unlisted []task.ID

	final       map[task.Status]int
	lost        []task.ID // 404
	unexplained []task.ID // in the DLQ without an error message
	duplicates  int       // acceptances under the id of another
	latency     *hdrhistogram.Histogram
	// From the first createdAt to the last updatedAt of the final tasks.
	first, last task.Time
}

// openPage is a page of the listing that has open tasks of the load.
type openPage struct {
	token string
	tasks []task.ID // the open ones, newest first
	// untouched tells that every task of the load on it was open.
	untouched bool
}

func newWaiter(cl *client.Client, accepted []task.ID) *waiter {
	w := &waiter{
		cl:      cl,
		open:    make(map[task.ID]task.Status, len(accepted)),
		final:   map[task.Status]int{},
		latency: newLatency(),
	}
	for _, id := range accepted {
		w.open[id] = ""
	}
	w.duplicates = len(accepted) - len(w.open)
	return w
}

// wait returns when every task is final or lost. It calls progress with how many
// are.
func (w *waiter) wait(ctx context.Context, progress func(final int)) error {
	const (
		shortest = 200 * time.Millisecond
		idle     = 4 // times as long as reading took, so that reading costs the server little
	)
	total := len(w.open)
	report := func() { progress(total - len(w.open)) }
	if err := w.readAll(ctx, report); err != nil {
		return err
	}
	took, full := time.Duration(0), false
	for len(w.open) > 0 {
		if err := pause(ctx, max(shortest, idle*took)); err != nil {
			return err
		}
		start, before := time.Now(), len(w.open)
		if err := w.readOpen(ctx, full, report); err != nil {
			return err
		}
		took, full = time.Since(start), len(w.open) == before
	}
	return nil
}

// readAll reads the listing down to the oldest task.
func (w *waiter) readAll(ctx context.Context, report func()) error {
	oldest := w.oldest()
	for token := ""; ; {
		list, err := w.list(ctx, token)
		if err != nil {
			return err
		}
		if open, finished := w.see(list.Tasks); len(open) > 0 {
			w.pages = append(w.pages, openPage{token: token, tasks: open, untouched: finished == 0})
		}
		report()
		if list.NextToken == "" || pastOldest(list.Tasks, oldest) {
			break
		}
		token = list.NextToken
	}
	for id, status := range w.open {
		if status == "" {
			w.unlisted = append(w.unlisted, id)
		}
	}
	return w.readUnlisted(ctx, report)
}

// readOpen reads the pages that have open tasks, oldest first. Tasks finish more
// or less in the order in which they came, so it goes no further than to a page
// on which nothing has finished, unless full: a backlog is not read over and
// over while the server works it off.
func (w *waiter) readOpen(ctx context.Context, full bool, report func()) error {
	for i := range slices.Backward(w.pages) {
		page := &w.pages[i]
		if err := w.readPage(ctx, *page); err != nil {
			return err
		}
		before := len(page.tasks)
		page.tasks = w.stillOpen(page.tasks)
		page.untouched = page.untouched && len(page.tasks) == before
		report()
		if page.untouched && !full {
			break
		}
	}
	w.pages = slices.DeleteFunc(w.pages, func(p openPage) bool { return len(p.tasks) == 0 })
	return w.readUnlisted(ctx, report)
}

// readPage reads a page again. The first page of the listing has no token: what
// was on it moves on to others as new tasks come.
func (w *waiter) readPage(ctx context.Context, page openPage) error {
	oldest := page.tasks[len(page.tasks)-1]
	for token := page.token; ; {
		list, err := w.list(ctx, token)
		if err != nil {
			return err
		}
		w.see(list.Tasks)
		if list.NextToken == "" || pastOldest(list.Tasks, oldest) {
			return nil
		}
		token = list.NextToken
	}
}

// readUnlisted reads the tasks that the listing does not show, one by one.
func (w *waiter) readUnlisted(ctx context.Context, report func()) error {
	for _, id := range w.unlisted {
		t, err := patiently(ctx, func() (api.Detail, error) { return w.cl.Get(ctx, id) })
		if refused, ok := errors.AsType[*client.RefusedError](err); ok && refused.Status == http.StatusNotFound {
			w.lost = append(w.lost, id)
			delete(w.open, id)
		} else if err != nil {
			return err
		} else {
			w.see([]api.Summary{t.Summary})
		}
		report()
	}
	w.unlisted = w.stillOpen(w.unlisted)
	return nil
}

// stillOpen removes from tasks those that are no longer open.
func (w *waiter) stillOpen(tasks []task.ID) []task.ID {
	return slices.DeleteFunc(tasks, func(id task.ID) bool {
		_, open := w.open[id]
		return !open
	})
}

func (w *waiter) list(ctx context.Context, token string) (api.List, error) {
	return patiently(ctx, func() (api.List, error) {
		return w.cl.List(ctx, client.ListQuery{Limit: task.MaxPageTasks, Token: token})
	})
}

// see takes note of tasks that were read, and returns those of the load that are
// open and how many have finished since they were read before.
func (w *waiter) see(tasks []api.Summary) (open []task.ID, finished int) {
	for _, t := range tasks {
		if _, waited := w.open[t.TaskID]; !waited {
			continue
		}
		if final(t.Status) {
			w.finish(t)
			finished++
		} else {
			w.open[t.TaskID] = t.Status
			open = append(open, t.TaskID)
		}
	}
	return open, finished
}

// finish counts a task that is final.
func (w *waiter) finish(t api.Summary) {
	delete(w.open, t.TaskID)
	w.final[t.Status]++
	record(w.latency, t.UpdatedAt.Sub(t.CreatedAt.Time))
	if w.first.IsZero() || t.CreatedAt.Before(w.first.Time) {
		w.first = t.CreatedAt
	}
	if t.UpdatedAt.After(w.last.Time) {
		w.last = t.UpdatedAt
	}
	if t.Status == task.DLQ && t.ErrorMessage == "" {
		w.unexplained = append(w.unexplained, t.TaskID)
	}
}

func (w *waiter) oldest() task.ID {
	oldest := task.ID("")
	for id := range w.open {
		if oldest == "" || id < oldest {
			oldest = id
		}
	}
	return oldest
}

// pastOldest tells whether a page goes down to the oldest task, or past it.
func pastOldest(page []api.Summary, oldest task.ID) bool {
	return len(page) > 0 && page[len(page)-1].TaskID <= oldest
}
