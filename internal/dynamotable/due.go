package dynamotable

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"tasks/internal/task"
)

const (
	// perShard is how many entries of a shard Due looks at, twice at most.
	perShard = 32
	// clockSlack is how far the clocks of those who make ids, and of those who
	// look for them, may differ.
	clockSlack = time.Minute
)

// Due implements task.Store. What it costs is bounded: of a backlog it looks at
// the oldest tasks and at some from a random time on, so that in the end it
// finds all of them.
func (t *Table) Due(ctx context.Context, now task.Time, limit int) ([]task.Task, error) {
	// A task is never due before FirstCheckAfter, and its id has its time.
	end := now.Plus(clockSlack - task.FirstCheckAfter)
	var queries []shardQuery
	for n := range shards {
		queries = append(queries, shardQuery{class: open, shard: n, before: string(task.FirstID(end)), oldestFirst: true, limit: perShard})
	}
	oldest, err := t.queryAll(ctx, queries)
	if err != nil {
		return nil, err
	}
	var ids []task.ID
	var further []shardQuery
	for n, r := range oldest {
		ids = append(ids, r.ids...)
		if r.more {
			q := queries[n]
			q.from = string(task.FirstID(randomBetween(r.ids[len(r.ids)-1].Time(), end)))
			further = append(further, q)
		}
	}
	random, err := t.queryAll(ctx, further)
	if err != nil {
		return nil, err
	}
	for _, r := range random {
		ids = append(ids, r.ids...)
	}
	slices.Sort(ids)
	// Consistently: who has just deferred a task must not get it again.
	// And not all at once: a record may have 70 KB, and the function 128 MB.
	var due []task.Task
	for batch := range slices.Chunk(slices.Compact(ids), maxBatch) {
		records, err := t.readAll(ctx, batch, true)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if r.Status.Open() && r.NextCheckAt <= now.Milli() {
				due = append(due, r.task())
			}
		}
		slices.SortFunc(due, func(a, b task.Task) int { return cmp.Compare(a.NextCheckAt.Milli(), b.NextCheckAt.Milli()) })
		clear(due[min(limit, len(due)):])
		due = due[:min(limit, len(due))]
	}
	return due, nil
}

func randomBetween(from, to task.Time) task.Time {
	if !to.After(from.Time) {
		return from
	}
	return from.Plus(rand.N(to.Sub(from.Time)))
}
