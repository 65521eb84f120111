package host

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
)

func TestExpiredTasksAreRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Config{
			Database: filepath.Join(t.TempDir(), "tasks.db"), Parameters: map[string]string{"RetentionDays": "1"},
			Worker: workerFunc(func(context.Context, task.Task) error { return nil }), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		th := &testHost{Host: h, t: t, stop: stop, served: make(chan error, 1)}
		go func() { th.served <- h.Serve(ctx, &idleListener{closed: make(chan struct{})}) }()
		id := th.submit("42")
		<-time.After(23 * time.Hour)
		th.want(id, task.Processed, 1)
		<-time.After(3 * time.Hour)
		if w := th.do("GET", "/tasks/"+string(id), ""); w.Code != http.StatusNotFound {
			t.Errorf("got %d %s, want 404: its retention has ended", w.Code, w.Body)
		}
		th.shutdown()
	})
}
