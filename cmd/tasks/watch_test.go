package main

import (
	"context"
	"net/http"
	"testing"
)

func TestWatchTask(t *testing.T) {
	t.Parallel()
	const head = "CHANGED                  TASK                                  STATUS      RETRIES  ERROR\n"

	t.Run("until it is processed", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("retry")
		check(t, f.run(t, "watch", "--interval", "1ms", firstID), result{Out: head +
			"2026-03-01 12:00:00.000  " + firstID + "  PENDING     0\n" +
			"2026-03-01 12:00:01.000  " + firstID + "  PROCESSING  0\n" +
			"2026-03-01 12:00:02.000  " + firstID + "  FAILED      0        simulated failure\n" +
			"2026-03-01 12:00:03.000  " + firstID + "  PROCESSING  1\n" +
			"2026-03-01 12:00:04.000  " + firstID + "  PROCESSED   1\n"})
	})
	t.Run("until it is in the DLQ", func(t *testing.T) {
		t.Parallel()
		f := newFakeServer(t)
		f.add("fail")
		f.settle()
		check(t, f.run(t, "watch", firstID), result{Code: exitDLQ, Out: head +
			"2026-03-01 12:00:03.000  " + firstID + "  DLQ         0        simulated failure\n"})
	})
	t.Run("that is not there", func(t *testing.T) {
		t.Parallel()
		check(t, newFakeServer(t).run(t, "watch", firstID),
			result{Code: exitFailed, ErrOut: "tasks: 404 Not Found: There is no task of this id.\n"})
	})
}

func TestWatchNewest(t *testing.T) {
	t.Parallel()
	const secondID = "01939a3e-7c00-7000-8000-000000000001"
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"for people": {nil, `CHANGED                  TASK                                  STATUS      RETRIES  ERROR
1 PENDING  0 PROCESSING  0 FAILED  0 PROCESSED  0 DLQ
2026-03-01 12:00:01.000  ` + firstID + `  PROCESSING  0
0 PENDING  1 PROCESSING  0 FAILED  0 PROCESSED  0 DLQ
2026-03-01 12:00:02.000  ` + firstID + `  PROCESSED   0
2026-03-01 12:00:00.001  ` + secondID + `  PENDING     0
1 PENDING  0 PROCESSING  0 FAILED  1 PROCESSED  0 DLQ
`},
		"for programs": {[]string{"--json"}, `{"taskId":"` + firstID + `","answer":"one","status":"PROCESSING","retries":0,"createdAt":"2026-03-01T12:00:00.000Z","updatedAt":"2026-03-01T12:00:01.000Z","errorType":"","errorMessage":""}
{"taskId":"` + firstID + `","answer":"one","status":"PROCESSED","retries":0,"createdAt":"2026-03-01T12:00:00.000Z","updatedAt":"2026-03-01T12:00:02.000Z","errorType":"","errorMessage":""}
{"taskId":"` + secondID + `","answer":"stuck","status":"PENDING","retries":0,"createdAt":"2026-03-01T12:00:00.001Z","updatedAt":"2026-03-01T12:00:00.001Z","errorType":"","errorMessage":""}
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeServer(t)
			f.add("one")
			ctx, interrupt := context.WithCancel(t.Context())
			reads := 0
			f.hooks = append(f.hooks, func(_ http.ResponseWriter, r *http.Request) bool {
				if (r.URL.Path == "/local/tasks") == (test.args == nil) {
					return false // not the first request of a look
				}
				switch reads++; reads {
				case 3:
					f.add("stuck")
				case 5:
					interrupt()
				}
				return false
			})
			check(t, f.runIn(ctx, "", append([]string{"watch", "--interval", "1ms"}, test.args...)...), result{Out: test.want})
		})
	}
}
