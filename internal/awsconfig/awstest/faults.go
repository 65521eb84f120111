package awstest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
)

// Fault is what can happen to a request.
type Fault int

// The faults.
const (
	// None lets the request through.
	None Fault = iota
	// Lost resets the connection before the request has any effect.
	Lost
	// AppliedThenReset lets the request take effect and resets the connection
	// in place of the answer.
	AppliedThenReset
	// Throttled refuses the request.
	Throttled
	// ServerError answers 500; the request has no effect.
	ServerError
)

// Transport is an http.RoundTripper with faults. The zero Transport has none.
type Transport struct {
	// Choose chooses the fault of each request, by the operation's name and the
	// number of the SDK's attempt, from 1.
	Choose func(operation string, attempt int) Fault
	// Edit, if set, stands in for the exchange of a request that no fault hits.
	Edit func(operation string, req *http.Request, body []byte, send func(body []byte) (*http.Response, []byte, error)) (*http.Response, []byte, error)

	mu     sync.Mutex
	counts map[string]int
}

// Count returns how many requests of an operation were sent, with all attempts.
func (t *Transport) Count(operation string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[operation]
}

// Rotate returns a Choose that gives each first attempt the next of some faults
// and leaves the others alone.
func Rotate(faults ...Fault) func(operation string, attempt int) Fault {
	var mu sync.Mutex
	next := 0
	return func(_ string, attempt int) Fault {
		if attempt > 1 {
			return None
		}
		mu.Lock()
		defer mu.Unlock()
		next++
		return faults[next%len(faults)]
	}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	operation := operationOf(req)
	t.mu.Lock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[operation]++
	t.mu.Unlock()

	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	fault := None
	if t.Choose != nil {
		fault = t.Choose(operation, attemptOf(req))
	}
	switch fault {
	case Lost:
		return nil, syscall.ECONNRESET
	case Throttled:
		return answer(req, http.StatusBadRequest, "ThrottlingException"), nil
	case ServerError:
		return answer(req, http.StatusInternalServerError, "InternalServerError"), nil
	}
	send := func(body []byte) (*http.Response, []byte, error) { return exchange(req, body) }
	var resp *http.Response
	var got []byte
	if fault == None && t.Edit != nil {
		resp, got, err = t.Edit(operation, req, body, send)
	} else {
		resp, got, err = send(body)
	}
	if err != nil {
		return nil, err
	}
	if fault == AppliedThenReset {
		return nil, syscall.ECONNRESET
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(got)), int64(len(got))
	return resp, nil
}

func exchange(req *http.Request, body []byte) (*http.Response, []byte, error) {
	sent := req.Clone(req.Context())
	sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := http.DefaultTransport.RoundTrip(sent)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, got, err
}

// operationOf returns the operation's name: the JSON protocols have it in a
// header, RPC v2 at the end of the path.
func operationOf(req *http.Request) string {
	if target := req.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndex(target, ".")+1:]
	}
	return req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
}

// attemptOf returns the number of the SDK's attempt.
func attemptOf(req *http.Request) int {
	var n int
	if _, err := fmt.Sscanf(req.Header.Get("Amz-Sdk-Request"), "attempt=%d", &n); err != nil {
		return 1
	}
	return n
}

func answer(req *http.Request, status int, errorType string) *http.Response {
	body := fmt.Sprintf(`{"__type":%q,"message":"injected"}`, errorType)
	header := http.Header{"Content-Type": {req.Header.Get("Content-Type")}, "X-Amzn-Errortype": {errorType}}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Header: header, Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}
