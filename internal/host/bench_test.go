package host

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tasks/internal/task"
	"tasks/internal/taskdb"
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

// BenchmarkDrain measures tasks per second from the start of a host, whose queue has
// all tasks, until every success is recorded: a worker that does nothing, every
// commit synced.
//
//	go test ./internal/host -run '^$' -bench Drain -benchtime 20000x
func BenchmarkDrain(b *testing.B) {
	path := filepath.Join(b.TempDir(), "tasks.db")
	db, err := taskdb.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	for left := b.N; left > 0; {
		submissions := make([]task.Submission, min(left, 100))
		left -= len(submissions)
		for i := range submissions {
			id, err := task.NewID()
			if err != nil {
				b.Fatal(err)
			}
			submissions[i].Task = task.New(id, "forty-two", time.Now())
		}
		for _, created := range db.Create(b.Context(), submissions...) {
			if created.Err != nil {
				b.Fatal(created.Err)
			}
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	bench := startBench(b, path)
	<-bench.worker.done
	bench.stop()
}

// BenchmarkEndToEnd measures tasks per second from POST over HTTP to a recorded
// success, and how long a POST takes: 32 clients, a worker that does nothing, every
// commit synced. The processors' time is that of the host and of its clients.
//
//	go test ./internal/host -run '^$' -bench EndToEnd -benchtime 50000x
func BenchmarkEndToEnd(b *testing.B) {
	bench := startBench(b, filepath.Join(b.TempDir(), "tasks.db"))
	const clients = 32
	target, err := url.Parse(bench.url)
	if err != nil {
		b.Fatal(err)
	}
	const body = `{"answer":"forty-two"}`
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", target.Path, target.Host, len(body), body)
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			conn, err := net.Dial("tcp", target.Host)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				began := time.Now()
				if _, err := conn.Write(request); err != nil {
					b.Error(err)
					return
				}
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				took[i] = time.Since(began)
				if resp.StatusCode != http.StatusAccepted {
					b.Errorf("got %s", resp.Status)
				}
			}
		})
	}
	all.Wait()
	if b.Failed() {
		b.FailNow() // not all tasks are there
	}
	<-bench.worker.done
	bench.stop()
	slices.Sort(took)
	b.ReportMetric(took[b.N/2].Seconds()*1000, "POST-p50-ms")
	b.ReportMetric(took[b.N*99/100].Seconds()*1000, "POST-p99-ms")
}

// hostBench is a host that is measured from its start to its stop.
type hostBench struct {
	b      *testing.B
	worker *doneWorker // of b.N tasks
	url    string      // of the tasks
	cancel context.CancelFunc
	served chan error
	before time.Duration // processorTime
}

func startBench(b *testing.B, database string) *hostBench {
	h := &hostBench{b: b, worker: &doneWorker{done: make(chan struct{})}, served: make(chan error, 1)}
	TuneGC()
	h.worker.left.Store(int64(b.N))
	h.before = processorTime(b)
	b.ResetTimer()
	host, err := New(Config{Database: database, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Worker: h.worker})
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	h.url = "http://" + listener.Addr().String() + "/local/tasks"
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	go func() { h.served <- host.Serve(ctx, listener) }()
	return h
}

// stop stops the host, which waits until every success is recorded.
func (h *hostBench) stop() {
	h.cancel()
	if err := <-h.served; err != nil {
		h.b.Error(err)
	}
	h.b.StopTimer()
	h.b.ReportMetric(float64(h.b.N)/h.b.Elapsed().Seconds(), "tasks/s")
	h.b.ReportMetric(float64((processorTime(h.b)-h.before).Microseconds())/float64(h.b.N), "cpu-µs/task")
}

// processorTime returns how long this process has run on a processor.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
