package dynamotable

import (
	"context"
	"slices"

	"tasks/internal/task"
)

// List implements task.Store. The index lags behind the records by moments.
func (t *Table) List(ctx context.Context, q task.Query) (task.Page, error) {
	classes := []class{open, done, dead}
	if q.Status != "" {
		classes = []class{classOf(q.Status)}
	}
	from, before := q.Bounds()
	if from != "" && before != "" && from > before {
		return task.Page{}, nil // nothing is between them, and DynamoDB takes that for an error
	}
	ids, more, err := t.newest(ctx, classes, from, before, q.Limit)
	if err != nil {
		return task.Page{}, err
	}
	records, err := t.readAll(ctx, ids, false)
	if err != nil {
		return task.Page{}, err
	}
	var page task.Page
	var listed []record
	size := 0
	for i, id := range ids {
		r, found := records[id]
		if !found {
			continue
		}
		if listed := r.task(); !q.Matches(&listed) {
			continue
		}
		size += max(len(r.Answer), r.AnswerBytes)
		if len(listed) > 0 && size > task.MaxPageBytes {
			ids, more = ids[:i], true
			break
		}
		r.Attempts = nil
		listed = append(listed, r)
	}
	if more {
		page.Next = ids[len(ids)-1]
	}
	rests, err := t.readRests(ctx, listed)
	if err != nil {
		return task.Page{}, err
	}
	for _, r := range listed {
		page.Tasks = append(page.Tasks, r.withRest(rests[r.ID]))
	}
	return page, nil
}

// newest returns the ids of some classes from one id on, and before another, as far
// as these are not empty; newest first, at most limit, and not all of those if the
// shards are filled unevenly. It tells whether there may be more.
//
// What it costs depends on the limit alone: from each shard it takes about
// twice what an even distribution would need.
func (t *Table) newest(ctx context.Context, classes []class, from, before task.ID, limit int) (ids []task.ID, more bool, err error) {
	var queries []shardQuery
	for _, c := range classes {
		for n := range shards {
			queries = append(queries, shardQuery{class: c, shard: n, from: string(from), before: string(before), limit: 2*limit/shards + 8})
		}
	}
	results, err := t.queryAll(ctx, queries)
	if err != nil {
		return nil, false, err
	}
	// Beyond the last id of a shard that was not read to its end, others may be
	// missing.
	var horizon task.ID
	for _, r := range results {
		ids = append(ids, r.ids...)
		if r.more {
			more = true
			horizon = max(horizon, r.ids[len(r.ids)-1])
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids) // an entry on its way from one class to another
	slices.Reverse(ids)
	ids = slices.DeleteFunc(ids, func(id task.ID) bool { return id < horizon })
	if len(ids) > limit {
		ids, more = ids[:limit], true
	}
	return ids, more, nil
}
