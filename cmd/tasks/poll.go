package main

import (
	"context"
	"math/rand/v2"
	"time"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

// patience is how long a waiting command puts up with a server that can't be
// read: one that restarts is back by then.
const patience = 30 * time.Second

// patiently calls read until it succeeds, fails for good, or patience ends.
func patiently[T any](ctx context.Context, read func() (T, error)) (T, error) {
	deadline := time.Now().Add(patience)
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 2*time.Second) {
		v, err := read()
		if err == nil || !client.Passing(err) || time.Now().After(deadline) {
			return v, err
		}
		if pause(ctx, delay) != nil {
			return v, ctx.Err()
		}
	}
}

// putOffFor is how long a command goes on sending a request that a server puts
// off because it has too much to do.
const putOffFor = 2 * time.Minute

// insistently calls send until the server no longer puts the request off. A wait
// is as long as the server says, and up to half as long again, so that not all
// come back at once. It calls waits before each, and gives up with the server's
// answer when putOffFor would be over.
func insistently[T any](ctx context.Context, send func() (T, error), waits func(error, time.Duration)) (T, error) {
	deadline := time.Now().Add(putOffFor)
	for {
		v, err := send()
		after, ok := client.PutOff(err)
		if after += rand.N(after/2 + 1); !ok || time.Now().Add(after).After(deadline) {
			return v, err
		}
		waits(err, after)
		if pause(ctx, after) != nil {
			return v, err
		}
	}
}

// untilAnswered is insistently for a request that has an idempotency key: if it may
// have been carried out, it is sent again until it is answered, or patience ends.
func untilAnswered[T any](ctx context.Context, send func() (T, error), waits func(error, time.Duration)) (T, error) {
	v, err := insistently(ctx, send, waits)
	if !client.Ambiguous(err) {
		return v, err
	}
	v, last := patiently(ctx, func() (T, error) { return insistently(ctx, send, waits) })
	if last != nil && !client.Ambiguous(last) {
		return v, err // a later refusal says nothing of the first request
	}
	return v, last
}

// tellPutOff tells that a request is sent again later.
func (c *cli) tellPutOff(err error, after time.Duration) {
	c.errOut.printf("%s; sent again in %v\n", printable(err.Error()), after.Round(time.Second))
}

// pause waits for d, or returns the error of ctx when that ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follow reads a task until it is final, and returns it then. Between two reads
// it waits for first, and then ever longer, up to longest. It calls seen, if
// not nil, with every record that has changed.
func follow(ctx context.Context, cl *client.Client, id task.ID, first, longest time.Duration, seen func(api.Detail) error) (api.Detail, error) {
	var last api.Detail
	for delay := first; ; delay = min(delay*3/2, longest) {
		t, err := patiently(ctx, func() (api.Detail, error) { return cl.Get(ctx, id) })
		if err != nil {
			return t, err
		}
		if seen != nil && (t.UpdatedAt != last.UpdatedAt || t.Status != last.Status) {
			if err := seen(t); err != nil {
				return t, err
			}
		}
		if final(t.Status) {
			return t, nil
		}
		last = t
		if err := pause(ctx, delay); err != nil {
			return t, err
		}
	}
}

// final tells whether a task of a status is at its end. A status that this
// program doesn't know is not.
func final(s task.Status) bool { return s == task.Processed || s == task.DLQ }
