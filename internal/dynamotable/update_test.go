package dynamotable_test

import (
	"sync"
	"testing"
	"time"

	"tasks/internal/awsconfig/awstest"
	"tasks/internal/dynamotable"
	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// TestNoChangeIsLostBetweenTwoTriesOfAnother lets three writers change a record
// in the one order in which a writer that used its rev twice would lose another's
// change: a writes, and the answer is lost; c reads what a wrote; b writes, so
// that a has to write once more; then c writes.
func TestNoChangeIsLostBetweenTwoTriesOfAnother(t *testing.T) {
	t.Parallel()
	b, _, name := open(t, nil)
	submitted := task.New(newID(t), "an answer", time.Now())
	if err := tasktest.Create(t.Context(), b, submitted); err != nil {
		t.Fatal(err)
	}
	change := func(table *dynamotable.Table) {
		if err := table.Defer(t.Context(), submitted.Message(), task.At(time.Now())); err != nil {
			t.Errorf("Defer: %v", err)
		}
	}

	cHasRead, cMayWrite := make(chan struct{}), make(chan struct{})
	var atFirstWrite sync.Once
	c := dynamotable.New(awstest.Config(t, endpointVariable, &awstest.Transport{
		Choose: func(operation string, _ int) awstest.Fault {
			if operation == "UpdateItem" {
				atFirstWrite.Do(func() {
					close(cHasRead)
					<-cMayWrite
				})
			}
			return awstest.None
		},
	}), name)

	var cDone sync.WaitGroup
	writes := 0
	a := dynamotable.New(awstest.Config(t, endpointVariable, &awstest.Transport{
		Choose: func(operation string, _ int) awstest.Fault {
			if operation != "UpdateItem" {
				return awstest.None
			}
			switch writes++; writes {
			case 1:
				return awstest.AppliedThenReset
			case 2:
				cDone.Go(func() { change(c) })
				<-cHasRead
				change(b)
			}
			return awstest.None
		},
	}), name)

	change(a)
	close(cMayWrite)
	cDone.Wait()
	got, err := b.Get(t.Context(), submitted.ID)
	if err != nil || got.Checks != 4 { // a's counts twice
		t.Errorf("got %d changes, %v, want 4", got.Checks, err)
	}
}
