package host

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"tasks/internal/api"
	"tasks/internal/console"
)

const (
	// stage is the first part of every path, where a deployed API has its
	// stage's name.
	stage = "local"
	// large is the size, in bytes, from which a request's body has to fit into
	// maxLargeBodies, together with all others that are being read, and an answer into
	// maxLargeAnswers, with all others that are being sent.
	large           = 64 << 10
	maxLargeBodies  = 64 << 20
	maxLargeAnswers = 128 << 20
	// maxAnswer is the room that an answer which may be large has of maxMade while it is
	// made: that of a page of which JSON escapes every byte (task.MaxPageBytes).
	maxAnswer = 4 << 20
	maxMade   = 64 << 20
	// roomWait is how long a request waits for room. Clients that are slow to send or
	// to read give theirs back after the server's ReadTimeout and WriteTimeout.
	roomWait = 5 * time.Second
	// maxDrained and drainFor bound what is read of a body that is too large.
	maxDrained = 8 << 20
	drainFor   = 5 * time.Second
	// maxConnections is how many clients are connected at once. More wait until
	// one leaves, which the timeouts of the server see to. It stays below the
	// least limit of open files that is common, 1024, for the database needs
	// some too.
	maxConnections = 900
)

// httpHandler is a function behind the API.
type httpHandler func(context.Context, api.Request) (api.Response, error)

// route is a route of the API.
type route struct {
	key      string
	method   string
	segments []string // of the path; {name} stands for any
	function function
	handle   httpHandler
}

// front is the HTTP front: what API Gateway is on AWS. It turns requests into
// events and gives them to the functions of the routes.
type front struct {
	routes      []route
	otherwise   route
	token       string // empty: none is asked for
	origins     *http.CrossOriginProtection
	backlog     backlog
	bodies      *semaphore.Weighted // bytes, of large ones
	made        *semaphore.Weighted // bytes, of answers that are being made
	answers     *semaphore.Weighted // bytes, of large ones
	console     *console.Console
	log         *slog.Logger
	invocations context.Context // the context of invocations
	goroutines  *goroutines
}

// server returns an HTTP server for the front, with limits on everything that a
// client can make last or grow.
func (f *front) server() *http.Server {
	return &http.Server{
		Handler:           f,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(f.log.Handler(), slog.LevelWarn),
	}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	isPage := f.console.IsPage(r)
	if problem := f.refuse(r, isPage); problem != nil {
		write(w, api.Fail(r.Context(), f.log, problem))
		return
	}
	switch {
	case isPage:
		f.console.ServePage(w, r)
		return
	case f.console.IsStream(r):
		f.console.ServeStream(w, r)
		return
	}
	rt, parameters := f.route(r.Method, r.URL.EscapedPath())
	if n := f.backlog.adds(rt.key); n > 0 {
		if !f.backlog.enter(n) {
			write(w, api.Fail(r.Context(), f.log, f.backlog.full()))
			return
		}
		defer f.backlog.leave(n)
	}
	body, problem := f.body(w, r)
	if problem != nil {
		f.refuseBody(w, r, problem)
		return
	}
	resp := f.answer(r, rt, event(r, rt.key, parameters, body))
	if size := int64(len(resp.Body)); size >= large {
		if f.answers.TryAcquire(size) {
			defer f.answers.Release(size)
		} else {
			resp = api.Fail(r.Context(), f.log, noRoom())
		}
	}
	write(w, resp)
}

// answer has a route's function answer a request.
func (f *front) answer(r *http.Request, rt *route, e api.Request) api.Response {
	if mayBeLarge(rt.key) {
		if problem := takeRoom(r.Context(), f.made, maxAnswer); problem != nil {
			return api.Fail(r.Context(), f.log, problem)
		}
		defer f.made.Release(maxAnswer)
	}
	// A client that leaves does not undo what it asked for.
	resp, failure := invoke(f.invocations, f.goroutines, f.log, rt.function, rt.handle, e)
	if failure != nil {
		return api.Fail(r.Context(), f.log, failure)
	}
	return resp
}

// mayBeLarge tells whether a route's answer has texts of tasks.
func mayBeLarge(route string) bool {
	return route == api.ListRoute || route == api.GetRoute || route == api.HistoryRoute
}

// takeRoom takes so many bytes of a room, or tells why it can't.
func takeRoom(ctx context.Context, room *semaphore.Weighted, size int64) *api.Problem {
	ctx, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	if room.Acquire(ctx, size) == nil {
		return nil
	}
	return noRoom()
}

func noRoom() *api.Problem {
	return api.Problemf(http.StatusServiceUnavailable, "Too many large requests at once. Send the request again in a few seconds.").With("Retry-After", "5")
}

// refuse tells why a request must not be served, or nil. A page needs no token: a
// browser could not send it, and it has nothing that is secret.
func (f *front) refuse(r *http.Request, isPage bool) *api.Problem {
	switch {
	case f.token != "" && !isPage && !f.hasToken(r):
		return api.Problemf(http.StatusUnauthorized, "Send the server's token: Authorization: Bearer TOKEN.").With("WWW-Authenticate", "Bearer")
	// Without a token only names of this machine are served, so that no web page
	// can have a name of its own resolve to it.
	case f.token == "" && !console.IsLoopback(r.Host):
		return api.Problemf(http.StatusMisdirectedRequest, "This server answers to localhost and loopback addresses only. Start it with a token to use another name.")
	// A browser lets any page send a POST, though not read the answer. It says
	// then where the page is from; other clients say nothing, and are served.
	case f.origins.Check(r) != nil:
		return api.Problemf(http.StatusForbidden, "This request comes from a web page of another origin. Only pages of this server may change something.")
	}
	return nil
}

// hasToken tells whether a request has the server's token. How long that takes
// says neither how much of the token is right nor how long it is.
func (f *front) hasToken(r *http.Request) bool {
	got, want := sha256.Sum256([]byte(r.Header.Get("Authorization"))), sha256.Sum256([]byte("Bearer "+f.token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// body reads a request's body.
func (f *front) body(w http.ResponseWriter, r *http.Request) (string, *api.Problem) {
	tooLarge := api.Problemf(http.StatusRequestEntityTooLarge, "The body is too large: at most %d bytes.", api.MaxBodyBytes)
	size := r.ContentLength
	switch {
	case size == 0:
		return "", nil
	case size > api.MaxBodyBytes:
		return "", tooLarge
	case size < 0:
		size = api.MaxBodyBytes
	}
	if size >= large {
		if problem := takeRoom(r.Context(), f.bodies, size); problem != nil {
			return "", problem
		}
		defer f.bodies.Release(size)
	}
	var body []byte
	var err error
	if r.ContentLength > 0 {
		body = make([]byte, size)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, api.MaxBodyBytes))
	}
	switch {
	case err == nil:
		return string(body), nil
	case errors.As(err, new(*http.MaxBytesError)):
		return "", tooLarge
	}
	return "", api.Problemf(http.StatusRequestTimeout, "The body did not arrive whole, or not in time. Send the request again.")
}

// refuseBody answers a request of which not all was read. Of one that is too large some
// is read after the answer: many clients send all of it before they look, and would find
// the connection broken.
func (f *front) refuseBody(w http.ResponseWriter, r *http.Request, problem *api.Problem) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // or the server would read before it answers
	w.Header().Set("Connection", "close")
	write(w, api.Fail(r.Context(), f.log, problem))
	if problem.Status == http.StatusRequestEntityTooLarge && r.Header.Get("Expect") == "" {
		_ = control.Flush()
		_ = control.SetReadDeadline(time.Now().Add(drainFor))
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
	}
}

// route returns the route of a request and its path parameters.
func (f *front) route(method, path string) (*route, map[string]string) {
	segments := strings.Split(path, "/")
	if len(segments) < 2 || segments[1] != stage {
		return &f.otherwise, nil
	}
	segments = segments[2:]
	for i := range f.routes {
		if rt := &f.routes[i]; rt.method == method && len(rt.segments) == len(segments) {
			if parameters, ok := rt.match(segments); ok {
				return rt, parameters
			}
		}
	}
	return &f.otherwise, nil
}

func (r *route) match(segments []string) (parameters map[string]string, ok bool) {
	for i, want := range r.segments {
		name, isParameter := strings.CutPrefix(want, "{")
		switch {
		case isParameter && segments[i] != "":
			if parameters == nil {
				parameters = map[string]string{}
			}
			parameters[strings.TrimSuffix(name, "}")] = segments[i]
		case want != segments[i]:
			return nil, false
		}
	}
	return parameters, true
}

// event returns a request as API Gateway gives it to a function, payload format
// 2.0.
func event(r *http.Request, routeKey string, parameters map[string]string, body string) api.Request {
	headers := make(map[string]string, len(r.Header)+1)
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	headers["host"] = r.Host
	var query map[string]string
	if r.URL.RawQuery != "" {
		query = map[string]string{}
		for name, values := range r.URL.Query() {
			query[name] = strings.Join(values, ",")
		}
	}
	ip, _, _ := net.SplitHostPort(r.RemoteAddr)
	now := time.Now()
	return api.Request{
		Version:               "2.0",
		RouteKey:              routeKey,
		RawPath:               r.URL.EscapedPath(),
		RawQueryString:        r.URL.RawQuery,
		Headers:               headers,
		QueryStringParameters: query,
		PathParameters:        parameters,
		Body:                  body,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey:  routeKey,
			Stage:     stage,
			RequestID: uuid.NewString(),
			TimeEpoch: now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method:    r.Method,
				Path:      r.URL.Path,
				Protocol:  r.Proto,
				SourceIP:  ip,
				UserAgent: r.UserAgent(),
			},
		},
	}
}

// write sends a function's response.
func write(w http.ResponseWriter, resp api.Response) {
	for _, name := range slices.Sorted(maps.Keys(resp.Headers)) {
		w.Header().Set(name, resp.Headers[name])
	}
	w.WriteHeader(resp.StatusCode)
	io.WriteString(w, resp.Body) // an error means that the client has left
}
