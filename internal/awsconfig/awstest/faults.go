package awstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
)

// Fault is what can happen to a request.
type Fault string

// The faults. Of a request that gets an answer of the service's own, or none at
// all, nothing has taken effect.
const (
	// None lets the request through.
	None Fault = ""
	// Lost resets the connection before the request has any effect.
	Lost Fault = "lost"
	// AppliedThenReset lets the request take effect and resets the connection
	// in place of the answer.
	AppliedThenReset Fault = "applied, its answer lost"
	// AppliedThenCut lets the request take effect and cuts its answer in half.
	AppliedThenCut Fault = "applied, its answer cut off"
	// AppliedLate resets the connection; the request takes effect in
	// ApplyLate.
	AppliedLate Fault = "applied late, after it was given up"
	// Hung gives no answer until the client gives up.
	Hung Fault = "hung"
	// Throttled, ThroughputExceeded and TooManyRequests refuse the request, in
	// the words of different services.
	Throttled          Fault = "ThrottlingException"
	ThroughputExceeded Fault = "ProvisionedThroughputExceededException"
	TooManyRequests    Fault = "TooManyRequestsException"
	// ServerError answers 500, and BadGateway 503 with a page for people, as
	// what stands before a service does.
	ServerError Fault = "InternalServerError"
	BadGateway  Fault = "503"
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
	late   []func() error
}

// Answers returns a transport that answers each request itself, with a status and the
// JSON of the service's own. It needs no service.
func Answers(answer func(operation string, body []byte) (status int, document string)) *Transport {
	return &Transport{Edit: func(operation string, req *http.Request, body []byte, _ func([]byte) (*http.Response, []byte, error)) (*http.Response, []byte, error) {
		status, document := answer(operation, body)
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": req.Header["Content-Type"]}, Request: req}, []byte(document), nil
	}}
}

// ApplyLate lets the requests that AppliedLate hit take effect now.
func (t *Transport) ApplyLate() error {
	t.mu.Lock()
	late := t.late
	t.late = nil
	t.mu.Unlock()
	for _, apply := range late {
		if err := apply(); err != nil {
			return err
		}
	}
	return nil
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
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	operation := operationOf(req, body)
	t.mu.Lock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[operation]++
	t.mu.Unlock()

	fault := None
	if t.Choose != nil {
		fault = t.Choose(operation, attemptOf(req))
	}
	switch fault {
	case Lost:
		return nil, syscall.ECONNRESET
	case AppliedLate:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.late = append(t.late, func() error {
			_, _, err := exchange(req.WithContext(context.WithoutCancel(req.Context())), body)
			return err
		})
		return nil, syscall.ECONNRESET
	case Hung:
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	case Throttled, ThroughputExceeded:
		return answer(req, http.StatusBadRequest, fault), nil
	case TooManyRequests:
		return answer(req, http.StatusTooManyRequests, fault), nil
	case ServerError:
		return answer(req, http.StatusInternalServerError, fault), nil
	case BadGateway:
		resp := answer(req, http.StatusServiceUnavailable, fault)
		resp.Header = http.Header{"Content-Type": {"text/html"}}
		resp.Body = io.NopCloser(strings.NewReader("<html>try again</html>"))
		resp.ContentLength = -1
		return resp, nil
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
	switch fault {
	case AppliedThenReset:
		return nil, syscall.ECONNRESET
	case AppliedThenCut:
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(got[:len(got)/2]), cut{}))
		return resp, nil
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
// header, RPC v2 at the end of the path, and the query protocol in the body.
func operationOf(req *http.Request, body []byte) string {
	if isQuery(req) {
		form, _ := url.ParseQuery(string(body))
		return form.Get("Action")
	}
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

// cut is the end of an answer that was cut off.
type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answer returns an error of the service's own, in the protocol of the request.
func answer(req *http.Request, status int, errorType Fault) *http.Response {
	header := http.Header{"Content-Type": {req.Header.Get("Content-Type")}, "X-Amzn-Errortype": {string(errorType)}}
	body := fmt.Sprintf(`{"__type":%q,"message":"injected"}`, errorType)
	switch {
	case req.Header.Get("Smithy-Protocol") == "rpc-v2-cbor": // a map of one text
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
		body = "\xa1\x66__type\x78" + string(rune(len(errorType))) + string(errorType)
	case isQuery(req):
		header.Set("Content-Type", "text/xml")
		body = fmt.Sprintf("<ErrorResponse><Error><Code>%s</Code></Error></ErrorResponse>", errorType)
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Header: header, Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// isQuery tells whether a request is of the old query protocol.
func isQuery(req *http.Request) bool {
	return strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}
