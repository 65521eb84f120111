package tasktest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tasks/internal/task"
)

// listAll walks the pages of a listing to its end and checks each of them.
func listAll(t *testing.T, store task.Store, q task.Query) []task.Task {
	t.Helper()
	var all []task.Task
	for pages := 1; ; pages++ {
		page, err := store.List(t.Context(), q)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if len(page.Tasks) > q.Limit {
			t.Fatalf("List: got a page of %d tasks, limit %d", len(page.Tasks), q.Limit)
		}
		size := 0
		for _, task := range page.Tasks {
			size += len(task.Answer)
		}
		if len(page.Tasks) > 1 && size > task.MaxPageBytes {
			t.Fatalf("List: got a page of %d bytes, limit %d", size, task.MaxPageBytes)
		}
		all = append(all, page.Tasks...)
		if page.Next == "" {
			break
		}
		if q.Before != "" && page.Next >= q.Before {
			t.Fatalf("List: goes on before %s, after a page before %s", page.Next, q.Before)
		}
		if pages == 1000 {
			t.Fatal("List: no end after 1,000 pages")
		}
		q.Before = page.Next
	}
	for n := 1; n < len(all); n++ {
		if all[n].ID >= all[n-1].ID {
			t.Fatalf("List: %s comes after %s, want newest first", all[n].ID, all[n-1].ID)
		}
	}
	return all
}

// wantList waits until a listing gives the tasks, newest first.
func wantList(t *testing.T, store task.Store, q task.Query, oldestFirst []*subject) {
	t.Helper()
	want := []task.Task{}
	for _, s := range slices.Backward(oldestFirst) {
		want = append(want, listed(s.want))
	}
	eventually(t, func() string {
		got := listAll(t, store, q)
		for n := range got {
			got[n] = listed(got[n])
		}
		if diff := diffTasks(want, got); diff != "" {
			return fmt.Sprintf("List %+v differs (-want +got):\n%s", q, diff)
		}
		return ""
	})
}

// listed returns what a listing shows of a record.
func listed(t task.Task) task.Task {
	return task.Task{
		ID: t.ID, Answer: t.Answer, Labels: t.Labels, Status: t.Status, Run: t.Run, Retries: t.Retries,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, ErrorType: t.ErrorType, ErrorMessage: t.ErrorMessage,
	}
}

func exerciseList(t *testing.T, open func(t *testing.T) task.Store) {
	t.Run("an empty store", func(t *testing.T) {
		wantList(t, open(t), task.Query{Limit: 10}, nil)
	})
	t.Run("newest first, by status and by pages", func(t *testing.T) {
		store := open(t)
		var all []*subject
		byStatus := map[task.Status][]*subject{}
		for n := range 20 {
			s := submit(t, store, fmt.Sprintf("answer %d", n), time.Duration(20-n)*time.Minute)
			status := task.Statuses[n%len(task.Statuses)]
			if status != task.Pending {
				s.claim(task.ClaimRun, "execution", 0, "token")
			}
			switch status {
			case task.Failed:
				s.fail("token")
			case task.Processed:
				s.succeed("token")
			case task.DLQ:
				s.deadLetter(task.Marked, 1)
			}
			all, byStatus[status] = append(all, s), append(byStatus[status], s)
		}
		for _, limit := range []int{3, 20, task.MaxPageTasks} {
			wantList(t, store, task.Query{Limit: limit}, all)
		}
		for _, status := range task.Statuses {
			wantList(t, store, task.Query{Limit: 3, Filter: task.Filter{Status: status}}, byStatus[status])
		}
		wantList(t, store, task.Query{Limit: 1, Filter: task.Filter{Status: task.DLQ}}, byStatus[task.DLQ])
		wantList(t, store, task.Query{Limit: 3, Before: all[12].want.ID}, all[:12])
		wantList(t, store, task.Query{Limit: 3, Before: all[0].want.ID}, nil)
		wantList(t, store, task.Query{Limit: 3, Before: newIDAt(t, time.Now())}, all)

		byStatus[task.DLQ][0].redrive("")
		wantList(t, store, task.Query{Limit: 3, Filter: task.Filter{Status: task.DLQ}}, byStatus[task.DLQ][1:])
		wantList(t, store, task.Query{Limit: 3}, all)
	})
	t.Run("what a filter selects", func(t *testing.T) {
		store := open(t)
		var all []*subject
		for n := range 12 {
			labels := map[string]string{"team": "billing", "a.b-c_D": ""}
			switch n % 3 {
			case 1:
				labels = map[string]string{"team": "sales \"'\\$\x00ü"}
			case 2:
				labels = nil
			}
			s := submitTask(t, store, time.Duration(12-n)*time.Hour, func(s *task.Submission) { s.Labels = labels })
			if n%2 == 0 {
				s.attempt("execution", 0)
			}
			if n%4 == 0 {
				s.deadLetter(task.Marked, 1)
			}
			all = append(all, s)
		}
		bound := all[6].want.CreatedAt
		for _, f := range []task.Filter{
			{ErrorType: string(task.WorkerError)},
			{ErrorType: "workererror"},
			{ErrorType: string(task.WorkerError), Status: task.DLQ},
			{Label: "team", LabelValue: "billing"},
			{Label: "team", LabelValue: "sales \"'\\$\x00ü"},
			{Label: "team", LabelValue: "bill"},
			{Label: "team"},
			{Label: "a.b-c_D"},
			{Label: "Team", LabelValue: "billing"},
			{Label: "team", LabelValue: "billing", Status: task.Failed},
			{CreatedFrom: bound},
			{CreatedFrom: bound.Plus(time.Millisecond)},
			{CreatedBefore: bound},
			{CreatedBefore: bound.Plus(time.Millisecond)},
			{CreatedFrom: all[3].want.CreatedAt, CreatedBefore: bound, Label: "team", LabelValue: "billing"},
			{CreatedFrom: bound, CreatedBefore: bound},
			{CreatedFrom: bound.Plus(time.Hour), CreatedBefore: bound},
			{CreatedFrom: task.AtMilli(1), CreatedBefore: task.At(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))},
			{UpdatedBefore: all[4].want.UpdatedAt},
			{UpdatedBefore: all[4].want.UpdatedAt.Plus(time.Millisecond), Status: task.DLQ},
		} {
			var want []*subject
			for _, s := range all {
				if f.Matches(&s.want) {
					want = append(want, s)
				}
			}
			wantList(t, store, task.Query{Limit: 2, Filter: f}, want)
			wantList(t, store, task.Query{Limit: task.MaxPageTasks, Filter: f}, want)
			wantList(t, store, task.Query{Limit: 3, Filter: f, Before: all[8].want.ID}, slices.DeleteFunc(slices.Clone(want), func(s *subject) bool { return s.want.ID >= all[8].want.ID }))
		}
	})
	t.Run("pages bounded in bytes", func(t *testing.T) {
		store := open(t)
		large, half := strings.Repeat("x", task.MaxAnswerBytes), strings.Repeat("y", task.MaxAnswerBytes/2)
		var all []*subject
		for n, answer := range []string{"small", large, half, large, "small", large, half, large, large} {
			all = append(all, submit(t, store, answer, time.Duration(20-n)*time.Minute))
		}
		wantList(t, store, task.Query{Limit: task.MaxPageTasks}, all)
		wantList(t, store, task.Query{Limit: 2}, all)
	})
}

func exerciseDue(t *testing.T, open func(t *testing.T) task.Store) {
	store := open(t)
	const limit = 50
	wantDue := func(now task.Time, subjects ...*subject) {
		t.Helper()
		want := map[task.ID]task.Task{}
		for _, s := range subjects {
			want[s.want.ID] = withoutAnswer(s.want)
		}
		eventually(t, func() string {
			due, err := store.Due(t.Context(), now, limit)
			if err != nil {
				t.Fatalf("Due: %v", err)
			}
			got := map[task.ID]task.Task{}
			for _, d := range due {
				got[d.ID] = d
			}
			if len(got) != len(due) {
				t.Fatalf("Due: got a task twice: %+v", due)
			}
			if diff := diffTasks(want, got); diff != "" {
				return "Due differs (-want +got):\n" + diff
			}
			return ""
		})
	}
	now := task.At(time.Now())
	pending := submit(t, store, "an answer", time.Hour)
	processing := submit(t, store, strings.Repeat("x", task.MaxAnswerBytes), 50*time.Minute)
	processing.claim(task.ClaimRun, "execution", 0, "token")
	failed := submit(t, store, "an answer", 40*time.Minute)
	failed.attempt("execution", 0)
	processed := submit(t, store, "an answer", 30*time.Minute)
	processed.claim(task.ClaimRun, "execution", 0, "token")
	processed.succeed("token")
	dead := submit(t, store, "an answer", 20*time.Minute)
	dead.deadLetter(task.Marked, 1)
	late := submit(t, store, "an answer", 0)

	t.Log("open tasks whose time has come")
	wantDue(now, pending, processing, failed)
	wantDue(late.want.NextCheckAt.Plus(-time.Millisecond), pending, processing, failed)
	wantDue(late.want.NextCheckAt, pending, processing, failed, late)

	t.Log("at most so many")
	eventually(t, func() string {
		due, err := store.Due(t.Context(), now, 2)
		if err != nil || len(due) > 2 {
			t.Fatalf("Due: got %d tasks, %v, want 2", len(due), err)
		}
		if len(due) < 2 {
			return fmt.Sprintf("Due: got %d tasks, want 2", len(due))
		}
		return ""
	})

	t.Log("a deferred task later")
	pending.now = now
	pending.deferCheck(1)
	failed.now = now
	failed.deferCheck(2) // another run: nothing
	wantDue(now, processing, failed)
	wantDue(pending.want.NextCheckAt, pending, processing, failed, late)

	t.Log("later and later")
	for range 12 {
		pending.deferCheck(1)
	}
	wantDue(pending.want.NextCheckAt.Plus(-time.Millisecond), processing, failed, late)

	t.Log("a redriven task after a while")
	dead.now = late.now
	dead.redrive("")
	wantDue(dead.want.NextCheckAt.Plus(-time.Millisecond), processing, failed, late)
	wantDue(dead.want.NextCheckAt, processing, failed, dead, late)
	processed.deferCheck(1)
	wantDue(now, processing, failed)
}

func exerciseOldestOpen(t *testing.T, open func(t *testing.T) task.Store) {
	store := open(t)
	wantOldest := func(want task.Time) {
		t.Helper()
		eventually(t, func() string {
			counts, err := store.Counts(t.Context())
			if err != nil {
				t.Fatalf("Counts: %v", err)
			}
			if counts.OldestOpen != want {
				return fmt.Sprintf("Counts: the oldest open task is of %q, want %q", counts.OldestOpen, want)
			}
			return ""
		})
	}
	wantOldest(task.Time{})
	processed := submit(t, store, "an answer", 3*time.Hour)
	processed.claim(task.ClaimRun, "execution", 0, "token")
	processed.succeed("token")
	submit(t, store, "an answer", 2*time.Hour).deadLetter(task.Marked, 1)
	wantOldest(task.Time{})

	t.Log("each older than the last, and more of them than a store has parts")
	var all []*subject
	for n := range 20 {
		s := submit(t, store, "an answer", time.Duration(n+1)*time.Minute)
		all = append(all, s)
		wantOldest(s.want.ID.Time())
	}
	t.Log("one that failed is open yet")
	last := all[len(all)-1]
	last.attempt("execution", 0)
	wantOldest(last.want.ID.Time())
	last.deadLetter(task.Marked, 1)
	wantOldest(all[len(all)-2].want.ID.Time())
}
