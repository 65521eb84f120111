package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// lockedBuilder is a strings.Builder for two goroutines.
type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{}
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestConsole(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	f.add("done")
	ctx, interrupt := context.WithCancel(t.Context())
	out := &lockedBuilder{news: make(chan struct{}, 1)}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"console", "--listen", "127.0.0.1:0"}, strings.NewReader(""), out, io.Discard, func(name string) string {
			return map[string]string{"TASKS_API": f.URL + "/local"}[name]
		})
	}()
	<-out.news
	base := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(out.String())
	for path, want := range map[string]string{"": "<title>Tasks</title>", "local/tasks/" + firstID: `"answer":"done"`} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %d %s, %v", path, resp.StatusCode, body, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	interrupt()
	if got := <-code; got != exitDone {
		t.Errorf("got code %d, want 0", got)
	}
	for _, args := range [][]string{{"--listen", "0.0.0.0:3001"}, {"--listen", "3001"}, {"--every", "1ms"}} {
		if got := f.run(t, append([]string{"console"}, args...)...); got.Code != exitUsage {
			t.Errorf("%v: got %+v, want it refused", args, got)
		}
	}
}
