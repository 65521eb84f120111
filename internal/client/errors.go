package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
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
	// RetryAfter is when the server wants the request again (header
	// Retry-After), 0 if it does not say.
	RetryAfter time.Duration
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

// Ambiguous tells whether err leaves open if the request was carried out.
func Ambiguous(err error) bool {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Status >= http.StatusInternalServerError
	}
	_, noAnswer := errors.AsType[*NoAnswerError](err)
	return noAnswer
}

// PutOff tells whether err says that the server did not do what it was asked for
// and may be asked again, also for what changes something, and after how long.
// That is every 429, which was refused before it could have an effect, and a 503
// that says when to come back; it is not a 503 of something in between, nor a
// request without an answer, which may have been carried out.
func PutOff(err error) (after time.Duration, ok bool) {
	refused, ok := errors.AsType[*RefusedError](err)
	switch {
	case !ok:
		return 0, false
	case refused.Status == http.StatusTooManyRequests: // API Gateway's own has no Retry-After
		return cmp.Or(refused.RetryAfter, time.Second), true
	case refused.Status == http.StatusServiceUnavailable:
		return refused.RetryAfter, refused.RetryAfter > 0
	}
	return 0, false
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

		RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
	}
}

// retryAfter returns the time that a header Retry-After gives, in seconds or as
// a date (RFC 9110, 10.2.3), a day at most, and 0 if it gives none.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, 24*time.Hour)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at), 0), 24*time.Hour)
	}
	return 0
}
