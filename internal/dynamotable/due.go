package dynamotable

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
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
	end := now.Plus(clockSlack - task.FirstCheckAfter).Milli()
	var queries []shardQuery
	for n := range shards {
		queries = append(queries, shardQuery{class: open, shard: n, before: idAt(end), oldestFirst: true, limit: perShard})
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
			q.from = idAt(randomBetween(milliOf(r.ids[len(r.ids)-1]), end))
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
	records, err := t.readAll(ctx, slices.Compact(ids), true)
	if err != nil {
		return nil, err
	}
	var due []task.Task
	for _, r := range records {
		if r.Status.Open() && r.NextCheckAt <= now.Milli() {
			due = append(due, r.task())
		}
	}
	slices.SortFunc(due, func(a, b task.Task) int { return cmp.Compare(a.NextCheckAt.Milli(), b.NextCheckAt.Milli()) })
	return due[:min(limit, len(due))], nil
}

// idAt returns what sorts before all ids of a millisecond and after those of
// the one before: a UUID of version 7 begins with its time (RFC 9562, 5.7).
func idAt(ms int64) string {
	digits := fmt.Sprintf("%012x", max(ms, 0))
	return digits[:8] + "-" + digits[8:] + "-"
}

// milliOf returns the time of an id, and 0 if it has none.
func milliOf(id task.ID) int64 {
	digits := strings.ReplaceAll(string(id), "-", "")
	ms, err := strconv.ParseInt(digits[:min(12, len(digits))], 16, 64)
	if err != nil {
		return 0
	}
	return ms
}

func randomBetween(from, to int64) int64 {
	if to <= from {
		return from
	}
	return from + rand.Int64N(to-from)
}
