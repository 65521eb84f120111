package host

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tasks/internal/task"
)

// doneWorker does nothing and counts.
type doneWorker struct {
	left atomic.Int64
	done chan struct{}
}

func (w *doneWorker) Work(context.Context, task.Task) error {
	if w.left.Add(-1) == 0 {
		close(w.done)
	}
	return nil
}

// BenchmarkEndToEnd measures tasks per second from POST over HTTP to a recorded
// success: 32 clients, a worker that does nothing, every commit synced. The time of
// both processors is that of the host and of its clients.
//
//	go test ./internal/host -run '^$' -bench EndToEnd -benchtime 50000x
func BenchmarkEndToEnd(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as tasks serve does
	worker := &doneWorker{done: make(chan struct{})}
	worker.left.Store(int64(b.N))
	h, err := New(Config{
		Database: filepath.Join(b.TempDir(), "tasks.db"),
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Worker:   worker,
	})
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.Serve(ctx, listener) }()

	const clients = 32
	url := "http://" + listener.Addr().String() + "/local/tasks"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var next atomic.Int64
	before := processorTime(b)
	b.ResetTimer()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for next.Add(1) <= int64(b.N) {
				resp, err := client.Post(url, "application/json", bytes.NewReader([]byte(`{"answer":"forty-two"}`)))
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted {
					b.Errorf("got %s", resp.Status)
				}
			}
		})
	}
	all.Wait()
	<-worker.done
	client.CloseIdleConnections() // one that was never used would be waited for, for 5 s
	stop()                        // and wait until every success is recorded
	if err := <-served; err != nil {
		b.Error(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/task")
}

// processorTime returns how long this process has run on a processor.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
