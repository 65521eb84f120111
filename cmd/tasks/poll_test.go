package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/client"
)

func TestPatience(t *testing.T) {
	t.Parallel()
	gone := &client.UnreachableError{URL: "http://host", Err: errors.New("connection refused")}
	notFound := &client.RefusedError{Status: 404}
	for name, test := range map[string]struct {
		failures int
		err      error
		want     error
		atLeast  time.Duration
		atMost   time.Duration
	}{
		"reads until it succeeds":            {failures: 3, err: gone, atLeast: 700 * time.Millisecond, atMost: 700 * time.Millisecond},
		"ends":                               {failures: 1000, err: gone, want: gone, atLeast: patience, atMost: patience + 2*time.Second},
		"is not for what won't change":       {failures: 1000, err: notFound, want: notFound},
		"is not needed if the read succeeds": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, reads := time.Now(), 0
				_, err := patiently(t.Context(), func() (int, error) {
					if reads++; reads <= test.failures {
						return 0, test.err
					}
					return reads, nil
				})
				if took := time.Since(start); err != test.want || took < test.atLeast || took > test.atMost {
					t.Errorf("got %v after %v, want %v after %v to %v", err, took, test.want, test.atLeast, test.atMost)
				}
			})
		})
	}

	t.Run("ends with the context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			start := time.Now()
			_, err := patiently(ctx, func() (int, error) { return 0, gone })
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
				t.Errorf("got %v after %v, want %v after 10 s", err, took, context.DeadlineExceeded)
			}
		})
	})
}
