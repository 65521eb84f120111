package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"tasks/internal/task"
)

// Problem is an error in a client's words: problem details as of RFC 9457. Its
// type is always about:blank, so the title is the status's own text; the detail
// tells what to do.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	header, value string // one header that the status calls for, if any
}

// Problemf returns a Problem.
func Problemf(status int, detail string, args ...any) *Problem {
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: fmt.Sprintf(detail, args...),
	}
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// With adds the header that the status calls for.
func (p *Problem) With(header, value string) *Problem {
	p.header, p.value = header, value
	return p
}

// ProblemOf returns err itself if it is a Problem, else what its kind means to a
// client. What a client must not see is logged here.
func ProblemOf(ctx context.Context, log *slog.Logger, err error) *Problem {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		log.ErrorContext(ctx, "request not served", "status", p.Status, "error", err)
	}
	return p
}

// Fail returns the answer for err: its ProblemOf.
func Fail(ctx context.Context, log *slog.Logger, err error) Response {
	p := ProblemOf(ctx, log, err)
	resp := respond(p.Status, "application/problem+json", p)
	if p.header != "" {
		resp.Headers[p.header] = p.value
	}
	return resp
}

func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	switch task.KindOf(err) {
	case task.NotFound:
		return Problemf(http.StatusNotFound, "There is no task of this id. GET /tasks lists the tasks; a finished one is removed when its retention ends.")
	case task.Unavailable:
		return Problemf(http.StatusServiceUnavailable, "The task store can't be reached right now. Send the request again in a few seconds.").With("Retry-After", "5")
	}
	return Problemf(http.StatusInternalServerError, "Something went wrong on the server. Send the request again; if it keeps failing, tell whoever runs this service.")
}
