package tasktest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tasks/internal/task"
)

// ExerciseStore runs the conformance suite of task.Store. open returns an
// empty store and removes it in t.Cleanup; it is called about ten times, by
// parallel tests.
//
// Ids, records and requests carry the current time, as real ones do.
func ExerciseStore(t *testing.T, open func(t *testing.T) task.Store) {
	groups := []struct {
		name string
		run  func(t *testing.T, open func(t *testing.T) task.Store)
	}{
		{"creates", exerciseCreate},
		{"creates once for a key", exerciseKeys},
		{"creates many together", exerciseBatch},
		{"claims", exerciseClaim},
		{"finishes", exerciseFinish},
		{"dead-letters", exerciseDeadLetter},
		{"redrives and restarts", exerciseNewRun},
		{"lists", exerciseList},
		{"finds what is due", exerciseDue},
		{"tells the time of the oldest open task", exerciseOldestOpen},
		{"knows only what was created", exerciseUnknown},
		{"takes concurrent requests", exerciseConcurrency},
		{"quarantines", exerciseQuarantine},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			g.run(t, open)
		})
	}
}

func exerciseCreate(t *testing.T, open func(t *testing.T) task.Store) {
	store := open(t)
	answers := map[string]string{
		"one byte":               "x",
		"NUL":                    "a\x00b\x00",
		"quotes and backslashes": `"'\` + "`" + `\u0000 \n %s ?1 $1 :a`,
		"a query":                `'); DROP TABLE tasks; -- attribute_exists(pk) :0 #0`,
		"newlines and tabs":      "\r\n\n\t \u2028\u2029",
		"blanks at the ends":     "  x  ",
		"other scripts":          "наука 科学 علم \u202e",
		"emoji":                  "👩‍👩‍👧‍👦 🏳️‍🌈 \U0010FFFF \uFFFD \uFEFF \uFFFE",
		"1,023 bytes":            strings.Repeat("k", 1023),
		"1,024 bytes":            strings.Repeat("k", 1024),
		"1,025 bytes":            strings.Repeat("k", 1025),
		"5,000 bytes of NUL":     strings.Repeat("\x00", 5000),
		"64 KiB of emoji":        strings.Repeat("🎉", 16<<10),
		"256 KiB":                strings.Repeat("0123456789abcdef", task.MaxAnswerBytes/16),
	}
	for name, answer := range answers {
		t.Run("keeps an answer of "+name, func(t *testing.T) {
			s := submit(t, store, answer, 0)
			s.claim(task.ClaimRun, "execution", 0, "token")
			s.succeed("token")
		})
	}
	for name, answer := range map[string]string{"small": "another", "large": strings.Repeat("y", task.MaxAnswerBytes)} {
		t.Run("refuses a taken id and overwrites nothing, "+name, func(t *testing.T) {
			for _, first := range []string{"the first", strings.Repeat("x", task.MaxAnswerBytes)} {
				s := submit(t, store, first, time.Minute)
				other := task.New(s.want.ID, answer, time.Now())
				err := Create(t.Context(), store, other)
				s.wantKind("Create", err, task.Conflict)
				s.check()
				s.claim(task.ClaimRun, "execution", 0, "token")
				err = Create(t.Context(), store, other)
				s.wantKind("Create", err, task.Conflict)
				s.check()
			}
		})
	}
}

func exerciseBatch(t *testing.T, open func(t *testing.T) task.Store) {
	store := open(t)
	taken := submit(t, store, "the first", time.Minute)
	now := time.Now()
	submission := func(answer, key string) task.Submission {
		s := task.Submission{Task: task.New(newIDAt(t, now), answer, now)}
		if key != "" {
			s.Key = &task.IdempotencyKey{Name: key}
			copy(s.Key.Request[:], answer)
		}
		return s
	}
	held := submission("held", "k0")
	if created := store.Create(t.Context(), held); created[0].Err != nil {
		t.Fatal(created[0].Err)
	}
	batch := []task.Submission{
		submission("a", ""), submission(strings.Repeat("x", task.MaxAnswerBytes), "k1"), submission("held", "k0"), submission("another", "k0"),
		{Task: task.New(taken.want.ID, "b", now)}, submission("c", "k2"),
	}
	batch[0].Labels = map[string]string{"team": "billing"}
	batch[0].Delay(time.Minute)
	for len(batch) < task.MaxBatch {
		batch = append(batch, submission("more", ""))
	}
	for i, created := range store.Create(t.Context(), batch...) {
		want, kind := batch[i].ID, task.Kind("")
		switch i {
		case 2:
			want = held.ID
		case 3:
			want, kind = "", task.KeyReused
		case 4:
			want, kind = "", task.Conflict
		}
		wantKind(t, fmt.Sprintf("Create of submission %d", i), created.Err, kind)
		if created.ID != want {
			t.Errorf("Create of submission %d: got %q, want %q", i, created.ID, want)
		}
		if want == batch[i].ID {
			(&subject{t: t, store: store, want: batch[i].Task}).check()
		} else if i != 4 {
			_, err := store.Get(t.Context(), batch[i].ID)
			wantKind(t, "Get of a task that was not created", err, task.NotFound)
		}
	}
	taken.check()
	delayed := &subject{t: t, store: store, want: batch[0].Task, now: batch[0].NextAttemptAt}
	delayed.attempt("execution", 0)
	delayed.claim(task.ClaimRun, "execution", 1, "second")
	delayed.succeed("second")
}

func exerciseUnknown(t *testing.T, open func(t *testing.T) task.Store) {
	store, now := open(t), task.At(time.Now())
	id := newIDAt(t, now.Time)
	m := task.Message{TaskID: id, Run: 1}
	ctx := t.Context()
	_, err := store.Get(ctx, id)
	wantKind(t, "Get", err, task.NotFound)
	_, _, err = store.Claim(ctx, task.ClaimRequest{Message: m, ExecutionID: "execution", Token: "token", Now: now, Lease: lease})
	wantKind(t, "Claim", err, task.NotFound)
	err = store.Finish(ctx, task.FinishRequest{ID: id, Token: "token", Now: now, Retention: retention})
	wantKind(t, "Finish", err, task.NotFound)
	err = store.Finish(ctx, task.FinishRequest{ID: id, Token: "token", Now: now, Err: &task.Failure{Type: "T", Message: "m"}})
	wantKind(t, "Finish", err, task.NotFound)
	outcome, _, err := store.MarkDead(ctx, task.MarkRequest{DeadLetter: task.DeadLetter{Message: m}, Now: now, Retention: retention})
	if wantKind(t, "MarkDead", err, ""); outcome != task.Stale {
		t.Errorf("MarkDead: got %q, want %q", outcome, task.Stale)
	}
	_, _, err = store.Redrive(ctx, task.Message{TaskID: id}, now)
	wantKind(t, "Redrive", err, task.NotFound)
	_, _, err = store.Restart(ctx, m, now)
	wantKind(t, "Restart", err, task.NotFound)
	err = store.Defer(ctx, m, now)
	wantKind(t, "Defer", err, task.NotFound)

	_, err = store.Get(ctx, id)
	wantKind(t, "Get after all that", err, task.NotFound)
	if got := listAll(t, store, task.Query{Limit: 10}); len(got) != 0 {
		t.Errorf("a request for an unknown task created one: %+v", got)
	}
}

func exerciseConcurrency(t *testing.T, open func(t *testing.T) task.Store) {
	store := open(t)
	const clients = 16
	claims := func(s *subject, request func(n int) task.ClaimRequest) (outcomes []task.ClaimOutcome) {
		outcomes = make([]task.ClaimOutcome, clients)
		var all sync.WaitGroup
		for n := range clients {
			all.Go(func() {
				var err error
				if outcomes[n], _, err = store.Claim(s.t.Context(), request(n)); err != nil {
					s.t.Errorf("Claim: %v", err)
				}
			})
		}
		all.Wait()
		return outcomes
	}
	t.Run("16 executions claim and one runs", func(t *testing.T) {
		s := submit(t, store, "an answer", 0)
		outcomes := claims(s, func(n int) task.ClaimRequest {
			name := "execution-" + string(rune('a'+n))
			return task.ClaimRequest{Message: s.want.Message(), ExecutionID: name, Token: name, Now: s.now, Lease: lease}
		})
		run := 0
		for _, o := range outcomes {
			switch o {
			case task.ClaimRun:
				run++
			case task.ClaimSkip:
			default:
				t.Errorf("got outcome %d, want %d or %d", o, task.ClaimRun, task.ClaimSkip)
			}
		}
		if run != 1 {
			t.Errorf("got %d of %d claims to run, want 1", run, clients)
		}
	})
	t.Run("a claim sent 16 times opens one attempt", func(t *testing.T) {
		s := submit(t, store, "an answer", 0)
		r := task.ClaimRequest{Message: s.want.Message(), ExecutionID: "execution", Token: "token", Now: s.now, Lease: lease}
		for _, o := range claims(s, func(int) task.ClaimRequest { return r }) {
			if o != task.ClaimRun {
				t.Errorf("got outcome %d, want %d", o, task.ClaimRun)
			}
		}
		s.want.Claim(r)
		s.check()
	})
	t.Run("changes at once, and none is lost", func(t *testing.T) {
		const writers = 4
		s := submit(t, store, "an answer", 0)
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				if err := store.Defer(t.Context(), s.want.Message(), s.now); err != nil {
					t.Errorf("Defer: %v", err)
				}
			})
		}
		all.Wait()
		// More, if the answer to one was lost and it was done again.
		if got, err := store.Get(t.Context(), s.want.ID); err != nil || got.Checks < writers {
			t.Errorf("got %d changes, %v, want %d", got.Checks, err, writers)
		}
	})
	t.Run("16 clients redrive and one does", func(t *testing.T) {
		s := submit(t, store, "an answer", 0)
		s.deadLetter(task.Marked, 1)
		var all sync.WaitGroup
		errs := make([]error, clients)
		for n := range clients {
			all.Go(func() {
				_, _, errs[n] = store.Redrive(t.Context(), task.Message{TaskID: s.want.ID}, s.now.Plus(time.Duration(n)*time.Second))
			})
		}
		all.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else {
				wantKind(t, "Redrive", err, task.Conflict)
			}
		}
		got, err := store.Get(t.Context(), s.want.ID)
		if err != nil || done != 1 || got.Run != 2 || got.Status != task.Pending {
			t.Errorf("got %d redriven, run %d, %s, %v, want 1, run 2, %s", done, got.Run, got.Status, err, task.Pending)
		}
	})
}

func exerciseQuarantine(t *testing.T, open func(t *testing.T) task.Store) {
	store, now := open(t), task.At(time.Now())
	for _, body := range []string{"", "not JSON", "a\x00b 👎 \"\r\n", strings.Repeat("x", 300<<10)} {
		q := task.Quarantined{MessageID: "message-" + task.Cut(body, 8), Body: body, ReceivedAt: now, ExpiresAt: now.Plus(retention)}
		for range 2 {
			if err := store.Quarantine(t.Context(), q); err != nil {
				t.Fatalf("Quarantine of %d bytes: %v", len(body), err)
			}
		}
	}
	if got := listAll(t, store, task.Query{Limit: 10}); len(got) != 0 {
		t.Errorf("the quarantine shows up as tasks: %+v", got)
	}
}
