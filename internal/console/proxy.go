package console

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tasks/internal/api"
)

// Forward sends a request to the API that a proxy stands for, path below its base,
// and returns the answer, whose body the caller closes.
type Forward func(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error)

// Proxy serves the console, and below /local the API of a deployed stage, to which it
// forwards with the user's own credentials. It answers loopback names alone, and no
// page of another origin may change anything: who can reach it has those credentials.
type Proxy struct {
	console *Console
	forward Forward
	origins *http.CrossOriginProtection
}

// NewProxy returns a proxy.
func NewProxy(c *Console, forward Forward) *Proxy {
	return &Proxy{console: c, forward: forward, origins: http.NewCrossOriginProtection()}
}

// Server returns the proxy's server.
func (p *Proxy) Server() *http.Server {
	return &http.Server{
		Handler: p, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, isAPI := strings.CutPrefix(r.URL.EscapedPath(), "/local/")
	switch {
	case !IsLoopback(r.Host):
		refuse(w, http.StatusMisdirectedRequest, "This console answers to localhost and loopback addresses only.")
	case p.origins.Check(r) != nil:
		refuse(w, http.StatusForbidden, "This request comes from a web page of another origin. Only pages of this console may change something.")
	case p.console.IsPage(r):
		p.console.ServePage(w, r)
	case p.console.IsStream(r):
		p.console.ServeStream(w, r)
	case isAPI:
		p.serveAPI(w, r, "/"+path)
	default:
		refuse(w, http.StatusNotFound, "There is nothing at this path. The console is at /.")
	}
}

// passed are the headers that go through, each way.
var passed = []string{"Content-Type", "Idempotency-Key", "Idempotent-Replayed", "Retry-After", "Allow"}

func (p *Proxy) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, api.MaxBodyBytes))
	if errors.As(err, new(*http.MaxBytesError)) {
		refuse(w, http.StatusRequestEntityTooLarge, "The body is too large.")
		return
	}
	if err != nil {
		refuse(w, http.StatusRequestTimeout, "The body did not arrive whole. Send the request again.")
		return
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	resp, err := p.forward(r.Context(), r.Method, path, headers(r.Header), body)
	if err != nil {
		refuse(w, http.StatusBadGateway, err.Error())
		return
	}
	defer resp.Body.Close()
	for name, values := range headers(resp.Header) {
		w.Header()[name] = values
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // an error means that one of both has left
}

func headers(all http.Header) http.Header {
	some := http.Header{}
	for _, name := range passed {
		if values := all.Values(name); len(values) > 0 {
			some[name] = values
		}
	}
	return some
}

func refuse(w http.ResponseWriter, status int, detail string) {
	resp := api.JSON(status, api.Problemf(status, "%s", detail))
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, resp.Body)
}

// IsLoopback tells whether a Host header names this machine alone, to a browser
// too.
func IsLoopback(host string) bool {
	u, err := url.Parse("//" + host)
	if err != nil || u.Host != host {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}
