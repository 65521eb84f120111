package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestRequestsThatArePutOffAreSentAgain(t *testing.T) {
	t.Parallel()
	full := &client.RefusedError{Status: 429, RetryAfter: 5 * time.Second}
	for name, test := range map[string]struct {
		failures  int
		err, want error
		sent      int
		atLeast   time.Duration
		atMost    time.Duration
	}{
		"until one succeeds":               {3, full, nil, 4, 15 * time.Second, 23 * time.Second},
		"for so long":                      {1000, full, full, 0, putOffFor - 8*time.Second, putOffFor},
		"unless the wait is longer":        {1, &client.RefusedError{Status: 503, RetryAfter: time.Hour}, &client.RefusedError{Status: 503, RetryAfter: time.Hour}, 1, 0, 0},
		"but not what got no answer":       {1, &client.NoAnswerError{URL: "x"}, &client.NoAnswerError{URL: "x"}, 1, 0, 0},
		"nor what is refused for good":     {1, &client.RefusedError{Status: 422}, &client.RefusedError{Status: 422}, 1, 0, 0},
		"nor what API Gateway answers 503": {1, &client.RefusedError{Status: 503}, &client.RefusedError{Status: 503}, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start, sent, waits := time.Now(), 0, 0
				_, err := insistently(t.Context(), func() (int, error) {
					if sent++; sent <= test.failures {
						return 0, test.err
					}
					return sent, nil
				}, func(error, time.Duration) { waits++ })
				took := time.Since(start)
				if diff := cmp.Diff(test.want, err); diff != "" || took < test.atLeast || took > test.atMost || waits != sent-1 {
					t.Errorf("sent %d times with %d waits in %v, want %v to %v; error (-want +got):\n%s", sent, waits, took, test.atLeast, test.atMost, diff)
				}
				if test.sent > 0 && sent != test.sent {
					t.Errorf("sent %d times, want %d", sent, test.sent)
				}
			})
		})
	}
}
