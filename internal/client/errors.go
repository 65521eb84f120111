package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// UnreachableError is a server to which there is no connection. Nothing was
// sent.
type UnreachableError struct {
	URL string
	Err error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("no server at %s: %v", e.URL, e.Err) }
func (e *UnreachableError) Unwrap() error { return e.Err }

// NoAnswerError is a request that was sent, or may have been, and got no answer
// that can be read. It may have been carried out.
type NoAnswerError struct {
	URL string
	Err error
}

func (e *NoAnswerError) Error() string { return fmt.Sprintf("no answer from %s: %v", e.URL, e.Err) }
func (e *NoAnswerError) Unwrap() error { return e.Err }

// RefusedError is an answer of another status than the one that was asked for.
type RefusedError struct {
	Status int
	Title  string
	Detail string // may be empty
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("%d %s", e.Status, e.Title)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Passing tells whether err may be gone if a request that changes nothing is
// made again: the server restarts, or is busy.
func Passing(err error) bool {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Status >= http.StatusInternalServerError || refused.Status == http.StatusTooManyRequests
	}
	_, unreachable := errors.AsType[*UnreachableError](err)
	_, noAnswer := errors.AsType[*NoAnswerError](err)
	return unreachable || noAnswer
}

// transportError returns what err, of http.Client.Do, means.
func (c *Client) transportError(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the method and the URL, which may be long
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return &UnreachableError{URL: c.base, Err: err}
	}
	return &NoAnswerError{URL: c.base, Err: err}
}

// refusedError returns the error that an answer is: a problem (RFC 9457), or
// API Gateway's own {"message"}, or something else altogether.
func refusedError(resp *http.Response, body []byte) *RefusedError {
	var problem struct{ Title, Detail, Message string }
	// What is not JSON has no more to say than its status.
	_ = json.Unmarshal(body, &problem)
	return &RefusedError{
		Status: resp.StatusCode,
		Title:  cmp.Or(problem.Title, http.StatusText(resp.StatusCode)),
		Detail: cmp.Or(problem.Detail, problem.Message),
	}
}
