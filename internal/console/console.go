// Package console is the web console: pages for a browser, embedded in the binary,
// and the stream of counts that keeps them up to date. It works with the public API
// alone, which its host serves below /local: the one-machine host itself, or a proxy
// of a deployed stage.
package console

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	tasks "tasks"
	"tasks/internal/api"
	"tasks/internal/task"
)

const (
	// maxSamples is how many samples are kept: ten minutes of one a second.
	maxSamples = 600
	// maxWatchers is how many pages may watch at once: each holds a connection.
	maxWatchers = 100
	// writeWithin bounds one write to a page.
	writeWithin = 10 * time.Second
	// quietFor is after how long a page that nothing is to be told is told that.
	quietFor = 15 * time.Second
)

//go:embed static
var embedded embed.FS

// policy lets a page take nothing from elsewhere, run nothing that is not a file of
// its own, and be framed by nobody.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Sample is how many tasks there were at a moment.
type Sample struct {
	At     task.Time           `json:"at"`
	Counts map[task.Status]int `json:"counts"`
	AsOf   task.Time           `json:"asOf,omitzero"`

	OldestOpenAt task.Time `json:"oldestOpenAt,omitzero"`
}

// Console serves the pages. Run has to be running.
type Console struct {
	stats func(context.Context) (api.Stats, error)
	every time.Duration
	files fs.FS
	pages map[string]string // the content type, by path

	mu       sync.Mutex
	samples  []Sample
	looked   int           // how many samples there have been
	failure  string        // why there is no newer one, or ""
	news     chan struct{} // closed when there are
	watchers int
	stopped  bool
}

// New returns a console that looks at the counts so often.
func New(stats func(context.Context) (api.Stats, error), every time.Duration) *Console {
	files, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return &Console{stats: stats, every: every, files: files, news: make(chan struct{}), pages: map[string]string{
		"/":             "text/html; charset=utf-8",
		"/console.css":  "text/css; charset=utf-8",
		"/console.js":   "text/javascript; charset=utf-8",
		"/base.js":      "text/javascript; charset=utf-8",
		"/views.js":     "text/javascript; charset=utf-8",
		"/drawings.js":  "text/javascript; charset=utf-8",
		"/icon.svg":     "image/svg+xml",
		"/machine.json": "application/json",
	}}
}

// Run looks at the counts until ctx ends. Then the pages' streams end.
func (c *Console) Run(ctx context.Context) {
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	for {
		c.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			c.tell(func() { c.stopped = true })
			return
		}
	}
}

func (c *Console) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stats, err := c.stats(ctx)
	if ctx.Err() != nil && err == nil {
		return
	}
	c.tell(func() {
		if err != nil {
			c.failure = err.Error()
			return
		}
		c.failure = ""
		c.samples = append(c.samples, Sample{At: task.At(time.Now()), Counts: stats.Counts, AsOf: stats.AsOf, OldestOpenAt: stats.OldestOpenAt})
		c.samples = c.samples[max(0, len(c.samples)-maxSamples):]
		c.looked++
	})
}

// tell changes what the watchers are told.
func (c *Console) tell(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.news)
	c.news = make(chan struct{})
}

// IsPage tells whether a request is for a page, or what belongs to one: the same for
// everybody, and nothing secret.
func (c *Console) IsPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && c.pages[r.URL.Path] != ""
}

// IsStream tells whether a request is for the stream of counts.
func (c *Console) IsStream(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == "/events"
}

// ServePage serves a request of which IsPage is true.
func (c *Console) ServePage(w http.ResponseWriter, r *http.Request) {
	var body []byte
	var err error
	switch r.URL.Path {
	case "/":
		body, err = fs.ReadFile(c.files, "index.html")
	case "/machine.json":
		body, err = tasks.Files.ReadFile("statemachine/task.asl.json")
	default:
		body, err = fs.ReadFile(c.files, strings.TrimPrefix(r.URL.Path, "/"))
	}
	if err != nil {
		http.Error(w, "This file is missing in the binary.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", c.pages[r.URL.Path])
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // an error means that the client has left
	}
}

// ServeStream serves the counts as server-sent events: at first the event "samples"
// with those of the last minutes, then "sample" with each new one, and "failure" with
// what is wrong, as JSON, while there are none.
func (c *Console) ServeStream(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.watchers == maxWatchers || c.stopped {
		c.mu.Unlock()
		http.Error(w, "Too many pages are watching. Close some.", http.StatusServiceUnavailable)
		return
	}
	c.watchers++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.watchers--
		c.mu.Unlock()
	}()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	control := http.NewResponseController(w)
	var sent time.Time
	send := func(event string, data any) bool {
		sent = time.Now()
		b, err := json.Marshal(data)
		if err != nil {
			return false
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, b); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	c.mu.Lock()
	known, seen := c.samples, c.looked
	c.mu.Unlock()
	_ = control.SetReadDeadline(time.Time{}) // or the server's would end the stream
	if known == nil {
		known = []Sample{}
	}
	if !send("samples", known) {
		return
	}
	told := ""
	for {
		c.mu.Lock()
		news, failure, stopped := c.news, c.failure, c.stopped
		var latest *Sample
		if c.looked > seen {
			latest, seen = &c.samples[len(c.samples)-1], c.looked
		}
		c.mu.Unlock()
		switch {
		case stopped:
			return
		case latest != nil && !send("sample", *latest), failure != told && !send("failure", failure):
			return
		}
		told = failure
		quiet := time.NewTimer(quietFor - time.Since(sent))
		select {
		case <-news:
		case <-quiet.C:
			if !send("quiet", nil) {
				return
			}
		case <-r.Context().Done():
			return
		}
		quiet.Stop()
	}
}
