package cloud

import (
	"context"
	"fmt"

	"tasks/internal/task"
	"tasks/internal/task/tasktest"
)

// table is a task.Store: the pure transitions, behind calls that can fail.
type table struct {
	cloud *Cloud
	store *tasktest.Store
}

// changed tells the checker what the record is after a write.
func (t *table) changed(id task.ID, err error) error {
	if err == nil {
		now, err := t.store.Get(context.Background(), id)
		if err == nil {
			t.cloud.checker.Wrote(now)
		} else if !task.IsKind(err, task.NotFound) {
			return err
		}
	}
	return err
}

func (t *table) key(op string, id task.ID) string { return op + " " + t.cloud.checker.Name(id) }

// Create implements task.Store. Each task is a call of its own.
func (t *table) Create(ctx context.Context, submissions ...task.Submission) []task.Created {
	all := make([]task.Created, len(submissions))
	for i, s := range submissions {
		created, err := call(ctx, t.cloud, t.key("create", s.ID), func() (task.Created, error) {
			created := t.store.Create(context.Background(), s)[0]
			return created, t.changed(s.ID, created.Err)
		})
		all[i] = created
		if err != nil {
			all[i] = task.Created{Err: err}
		}
	}
	return all
}

// Get implements task.Store.
func (t *table) Get(ctx context.Context, id task.ID) (task.Task, error) {
	return call(ctx, t.cloud, t.key("get", id), func() (task.Task, error) { return t.store.Get(context.Background(), id) })
}

// List implements task.Store.
func (t *table) List(ctx context.Context, q task.Query) (task.Page, error) {
	return call(ctx, t.cloud, "list", func() (task.Page, error) { return t.store.List(context.Background(), q) })
}

// Counts implements task.Store.
func (t *table) Counts(ctx context.Context) (task.Counts, error) {
	return call(ctx, t.cloud, "counts", func() (task.Counts, error) { return t.store.Counts(context.Background()) })
}

// after is an outcome and the record after it.
type after[Outcome any] struct {
	outcome Outcome
	record  task.Task
}

// Claim implements task.Store.
func (t *table) Claim(ctx context.Context, r task.ClaimRequest) (task.ClaimOutcome, task.Task, error) {
	key := fmt.Sprintf("%s run %d retry %d", t.key("claim", r.TaskID), r.Run, r.RetryCount)
	a, err := call(ctx, t.cloud, key, func() (a after[task.ClaimOutcome], err error) {
		a.outcome, a.record, err = t.store.Claim(context.Background(), r)
		return a, t.changed(r.TaskID, err)
	})
	return a.outcome, a.record, err
}

// Finish implements task.Store.
func (t *table) Finish(ctx context.Context, r task.FinishRequest) error {
	return do(ctx, t.cloud, t.key("finish", r.ID), func() error { return t.changed(r.ID, t.store.Finish(context.Background(), r)) })
}

// MarkDead implements task.Store.
func (t *table) MarkDead(ctx context.Context, r task.MarkRequest) (task.MarkOutcome, task.Task, error) {
	a, err := call(ctx, t.cloud, t.key("mark", r.TaskID), func() (a after[task.MarkOutcome], err error) {
		a.outcome, a.record, err = t.store.MarkDead(context.Background(), r)
		return a, t.changed(r.TaskID, err)
	})
	return a.outcome, a.record, err
}

// Redrive implements task.Store.
func (t *table) Redrive(ctx context.Context, m task.Message, now task.Time) (task.Task, bool, error) {
	a, err := call(ctx, t.cloud, t.key("redrive", m.TaskID), func() (a after[bool], err error) {
		a.record, a.outcome, err = t.store.Redrive(context.Background(), m, now)
		return a, t.changed(m.TaskID, err)
	})
	return a.record, a.outcome, err
}

// Restart implements task.Store.
func (t *table) Restart(ctx context.Context, m task.Message, now task.Time) (task.Task, bool, error) {
	a, err := call(ctx, t.cloud, t.key("restart", m.TaskID), func() (a after[bool], err error) {
		a.record, a.outcome, err = t.store.Restart(context.Background(), m, now)
		return a, t.changed(m.TaskID, err)
	})
	return a.record, a.outcome, err
}

// Due implements task.Store. The index that it reads may lag: some tasks are not
// there yet.
func (t *table) Due(ctx context.Context, now task.Time, limit int) ([]task.Task, error) {
	return call(ctx, t.cloud, "due", func() ([]task.Task, error) {
		due, err := t.store.Due(context.Background(), now, limit)
		if t.cloud.world.Fault("the index lags", 2) {
			due = due[:t.cloud.world.Intn(len(due)+1)]
		}
		return due, err
	})
}

// Defer implements task.Store.
func (t *table) Defer(ctx context.Context, m task.Message, now task.Time) error {
	return do(ctx, t.cloud, t.key("defer", m.TaskID), func() error {
		return t.changed(m.TaskID, t.store.Defer(context.Background(), m, now))
	})
}

// Quarantine implements task.Store.
func (t *table) Quarantine(ctx context.Context, m task.Quarantined) error {
	return do(ctx, t.cloud, "quarantine", func() error { return t.store.Quarantine(context.Background(), m) })
}

// metrics are task.Metrics.
type metrics struct {
	cloud *Cloud
	total map[task.Metric]int
}

// Count implements task.Metrics.
func (m *metrics) Count(ctx context.Context, name task.Metric, n int) error {
	return do(ctx, m.cloud, "count", func() error {
		m.total[name] += n
		return nil
	})
}
