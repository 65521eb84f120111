package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasks/internal/task"
)

// pipeListener accepts one end of each pipe that dial makes. As a kernel does,
// it keeps those that nobody has accepted yet.
type pipeListener struct {
	*idleListener
	waiting chan net.Conn
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.waiting <- server
	return client
}

// inBubble runs f with a host that serves, in virtual time.
func inBubble(t *testing.T, f func(t *testing.T, l *pipeListener)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Config{Database: filepath.Join(t.TempDir(), "tasks.db"), Worker: succeeds, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		l := &pipeListener{&idleListener{closed: make(chan struct{})}, make(chan net.Conn, 2*maxConnections)}
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- h.Serve(ctx, l) }()
		f(t, l)
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// exchange sends a request on c and returns the status of its answer, 0 if the
// connection is closed instead.
func exchange(t *testing.T, c net.Conn, request string) int {
	t.Helper()
	go io.WriteString(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}

const (
	getRequest = "GET /local/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n"
	postHeader = "POST /local/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
)

// TestNoConnectionLastsForEver opens connections that do nothing, or go on
// forever, and waits until the server ends them.
func TestNoConnectionLastsForEver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		use    func(t *testing.T, c net.Conn)
		within time.Duration
	}{
		{"one that sends nothing", func(*testing.T, net.Conn) {}, 5 * time.Second},
		{"a header that never ends", func(_ *testing.T, c net.Conn) {
			go func() {
				for _, err := io.WriteString(c, getRequest[:len(getRequest)-2]); err == nil; _, err = io.WriteString(c, "A: b\r\n") {
					pass(time.Second)
				}
			}()
		}, 5 * time.Second},
		{"a body that does not come", func(t *testing.T, c net.Conn) {
			if got := exchange(t, c, postHeader+"Content-Length: 20\r\n\r\n{"); got != http.StatusRequestTimeout {
				t.Errorf("got %d, want 408", got)
			}
		}, 16 * time.Second},
		{"chunks without an end", func(t *testing.T, c net.Conn) {
			go func() {
				for _, err := io.WriteString(c, postHeader+"Transfer-Encoding: chunked\r\n\r\n"); err == nil; _, err = io.WriteString(c, "1\r\n \r\n") {
					pass(time.Second)
				}
			}()
			if got := exchange(t, c, ""); got != http.StatusRequestTimeout {
				t.Errorf("got %d, want 408", got)
			}
		}, 16 * time.Second},
		{"an answer that is not read", func(t *testing.T, c net.Conn) { io.WriteString(c, getRequest) }, 60 * time.Second},
		{"one that asks no more", func(t *testing.T, c net.Conn) {
			if got := exchange(t, c, getRequest); got != http.StatusOK {
				t.Errorf("got %d, want 200", got)
			}
		}, 2 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *pipeListener) {
				c := l.dial()
				defer c.Close()
				begun := time.Now()
				tt.use(t, c)
				if tt.name == "an answer that is not read" {
					pass(tt.within)
				}
				c.SetReadDeadline(begun.Add(time.Hour))
				_, err := io.Copy(io.Discard, c)
				if took := time.Since(begun); took > tt.within || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("it lasted %v (%v), want at most %v", took, err, tt.within)
				}
			})
		})
	}
}

func TestLongHeadersAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, l *pipeListener) {
		c := l.dial()
		defer c.Close()
		if got := exchange(t, c, getRequest[:len(getRequest)-2]+"A: "+strings.Repeat("b", 32<<10)+"\r\n\r\n"); got != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %d, want 431", got)
		}
	})
}

// TestSlowClients has more clients than are served at once that send no whole
// request. Another client is served as soon as their time is over.
func TestSlowClients(t *testing.T) {
	inBubble(t, func(t *testing.T, l *pipeListener) {
		for range maxConnections + 10 {
			c := l.dial()
			defer c.Close()
			go io.WriteString(c, getRequest[:20])
			go io.Copy(io.Discard, c) // as a kernel takes the short answer
		}
		synctest.Wait()
		if got := len(l.waiting); got != 10 {
			t.Errorf("%d of %d connections are not accepted, want 10", got, maxConnections+10)
		}
		begun := time.Now()
		c := l.dial()
		defer c.Close()
		if got := exchange(t, c, getRequest); got != http.StatusOK {
			t.Errorf("got %d, want 200", got)
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("the client waited %v, want the 5 s that a header may take", took)
		}
	})
}

// TestSlowLargeBodies has as many large bodies as there is room for that do not
// come. Small requests are served meanwhile, and large ones told to come again.
func TestSlowLargeBodies(t *testing.T) {
	inBubble(t, func(t *testing.T, l *pipeListener) {
		large := func() string { return fmt.Sprintf("%sContent-Length: %d\r\n\r\n{", postHeader, 2<<20) }
		for range maxLargeBodies / (2 << 20) {
			c := l.dial()
			defer c.Close()
			go io.WriteString(c, large())
		}
		synctest.Wait()
		for _, tt := range []struct {
			request string
			want    int
			within  time.Duration
		}{{getRequest, http.StatusOK, 0}, {large(), http.StatusServiceUnavailable, roomWait}} {
			begun := time.Now()
			c := l.dial()
			defer c.Close()
			if got := exchange(t, c, tt.request); got != tt.want || time.Since(begun) > tt.within {
				t.Errorf("got %d after %v, want %d within %v", got, time.Since(begun), tt.want, tt.within)
			}
		}
	})
}

// TestClientsThatDoNotRead has as many large answers as there is room for that nobody
// reads. Small answers are given meanwhile, at once; who asks for a large one is told to
// come again until those who do not read are cut off.
func TestClientsThatDoNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, l *pipeListener) {
		ask := func(request string, want int) {
			t.Helper()
			c := l.dial()
			defer c.Close()
			if got := exchange(t, c, request); got != want {
				t.Errorf("got %d, want %d", got, want)
			}
		}
		// Each byte of the answer has six in JSON, in the request and in the page.
		body := `{"answer": "` + strings.Repeat(`\u0001`, task.MaxAnswerBytes) + `"}`
		for range 2 {
			ask(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", postHeader, len(body), body), http.StatusAccepted)
		}
		for range maxLargeAnswers / (12 * task.MaxAnswerBytes) {
			c := l.dial()
			defer c.Close()
			go io.WriteString(c, getRequest)
		}
		synctest.Wait()
		ask(postHeader+"Content-Length: 15\r\n\r\n"+`{"answer": "1"}`, http.StatusAccepted)
		begun := time.Now()
		ask(strings.Replace(getRequest, "/tasks", "/tasks?limit=1", 1), http.StatusOK)
		ask(strings.Replace(getRequest, "/tasks", "/tasks/stats", 1), http.StatusOK)
		ask(getRequest, http.StatusServiceUnavailable)
		if took := time.Since(begun); took > 0 {
			t.Errorf("they took %v, want none to wait", took)
		}
		pass(time.Minute)
		ask(getRequest, http.StatusOK)
	})
}
