package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

func stats(context.Context) (api.Stats, error) {
	return api.Stats{Counts: map[task.Status]int{task.DLQ: 7}, AsOf: task.At(time.Now())}, nil
}

func TestPages(t *testing.T) {
	t.Parallel()
	c := New(stats, time.Second)
	for path, contentType := range c.pages {
		for _, method := range []string{"GET", "HEAD"} {
			r := httptest.NewRequest(method, path, nil)
			w := httptest.NewRecorder()
			if !c.IsPage(r) || c.IsStream(r) {
				t.Errorf("%s %s is no page", method, path)
			}
			c.ServePage(w, r)
			h := w.Header()
			if w.Code != http.StatusOK || h.Get("Content-Type") != contentType || h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" ||
				(w.Body.Len() > 0) != (method == "GET") {
				t.Errorf("%s %s: got %d %v and %d bytes", method, path, w.Code, h, w.Body.Len())
			}
		}
	}
	for _, r := range []*http.Request{
		httptest.NewRequest("POST", "/", nil), httptest.NewRequest("GET", "/index.html", nil), httptest.NewRequest("GET", "/static/console.js", nil), httptest.NewRequest("GET", "/events", nil),
	} {
		if c.IsPage(r) {
			t.Errorf("%s %s is a page", r.Method, r.URL)
		}
	}
}

// TestPagesTakeNothingFromElsewhere looks at what the files name.
func TestPagesTakeNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	c := New(stats, time.Second)
	for path := range c.pages {
		w := httptest.NewRecorder()
		c.ServePage(w, httptest.NewRequest("GET", path, nil))
		body := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "") // a name, not an address
		for _, not := range []string{"http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=\""} {
			if path != "/machine.json" && strings.Contains(body, not) {
				t.Errorf("%s has %q in it", path, not)
			}
		}
	}
}

// event is one of a stream.
type event struct{ name, data string }

// watch returns the next event of a stream.
func watch(t *testing.T, stream *bufio.Reader) event {
	t.Helper()
	var e event
	for {
		line, err := stream.ReadString('\n')
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); {
		case err != nil:
			return event{"end", ""}
		case name == "event":
			e.name = value
		case name == "data":
			e.data = value
		case name == "":
			return e
		}
	}
}

// pipe is a response whose body is read while it is written.
type pipe struct {
	http.ResponseWriter
	lines chan string
	done  <-chan struct{}
}

func (p pipe) Write(b []byte) (int, error) {
	select {
	case p.lines <- string(b):
		return len(b), nil
	case <-p.done:
		return 0, errors.New("the reader has left")
	}
}

func (p pipe) Read(b []byte) (int, error) {
	line, ok := <-p.lines
	if !ok {
		return 0, errors.New("the stream has ended")
	}
	return copy(b, line), nil
}

func (p pipe) Flush()                           {}
func (p pipe) SetWriteDeadline(time.Time) error { return nil }
func (p pipe) SetReadDeadline(time.Time) error  { return nil }

func TestStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var failure atomic.Pointer[error]
		fail := func(err error) { failure.Store(&err) }
		fail(nil)
		c := New(func(ctx context.Context) (api.Stats, error) {
			s, _ := stats(ctx)
			return s, *failure.Load()
		}, time.Second)
		running, stop := context.WithCancel(t.Context())
		go c.Run(running)
		<-time.After(3500 * time.Millisecond) // looks at 0, 1, 2 and 3 s

		p := pipe{httptest.NewRecorder(), make(chan string), t.Context().Done()}
		go func() {
			c.ServeStream(p, httptest.NewRequest("GET", "/events", nil).WithContext(t.Context()))
			close(p.lines)
		}()
		stream := bufio.NewReaderSize(p, 1<<20)
		var samples []Sample
		first := watch(t, stream)
		if err := json.Unmarshal([]byte(first.data), &samples); err != nil || first.name != "samples" || len(samples) != 4 || samples[3].Counts[task.DLQ] != 7 {
			t.Errorf("got %+v, %v, want the four samples", first, err)
		}
		if e := watch(t, stream); e.name != "sample" || !strings.Contains(e.data, `"at":"2000-01-01T00:00:04.000Z"`) {
			t.Errorf("got %+v, want the sample of 4 s", e)
		}
		fail(errors.New("the disk is full"))
		if e := watch(t, stream); e != (event{"failure", `"the disk is full"`}) {
			t.Errorf("got %+v, want the failure", e)
		}
		if e := watch(t, stream); e.name != "quiet" { // and not the failure each second
			t.Errorf("got %+v, want nothing new", e)
		}
		fail(nil)
		if e := watch(t, stream); e.name != "sample" {
			t.Errorf("got %+v, want a sample", e)
		}
		stop()
		for e := watch(t, stream); e.name != "end"; e = watch(t, stream) {
			if e.name == "quiet" {
				t.Fatal("the stream goes on when the console has stopped")
			}
		}
		w := httptest.NewRecorder()
		if c.ServeStream(w, httptest.NewRequest("GET", "/events", nil)); w.Code != http.StatusServiceUnavailable {
			t.Errorf("got %d after the end", w.Code)
		}
	})
}

func TestTheSamplesAndWatchersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(stats, time.Second)
		running, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		c.Run(running)
		if n := len(c.samples); n != maxSamples || c.samples[n-1].At.Sub(c.samples[0].At.Time) != (maxSamples-1)*time.Second {
			t.Errorf("got %d samples", n)
		}
		c.stopped, c.watchers = false, maxWatchers
		w := httptest.NewRecorder()
		if c.ServeStream(w, httptest.NewRequest("GET", "/events", nil)); w.Code != http.StatusServiceUnavailable || c.watchers != maxWatchers {
			t.Errorf("got %d and %d watchers", w.Code, c.watchers)
		}
	})
}
