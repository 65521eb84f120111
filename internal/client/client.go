// Package client calls the HTTP API of a tasks server, on one machine or on AWS.
//
// A method tries once. Whether to try again is the caller's to decide by the
// error: see UnreachableError (nothing was sent), RefusedError (the server
// answered, and not with what was asked for), NoAnswerError (the request may
// have been carried out) and Passing.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

const (
	// requestTimeout bounds a request with its answer. API Gateway answers
	// within 30 s, whatever happens behind it.
	requestTimeout = 35 * time.Second
	dialTimeout    = 5 * time.Second
	// maxAnswerBytes bounds what is read of an answer, unpacked. Lambda's are at
	// most 6 MB.
	maxAnswerBytes = 16 << 20
	// maxHeaderBytes bounds an answer's header. API Gateway's is at most 10,240
	// bytes.
	maxHeaderBytes = 64 << 10
)

// Config tells where the API is.
type Config struct {
	// URL is the API's base: what comes before /tasks.
	URL string
	// Token goes with every request as Authorization: Bearer, unless empty.
	Token string
	// Signer signs every request, unless nil. It takes the place of Token.
	Signer *Signer
	// Connections is how many requests are made at once at most; so many
	// connections are kept for reuse. 0 means 1.
	Connections int
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base   string
	token  string
	signer *Signer
	http   *http.Client
}

// New returns a client. It connects when it is first used.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err == nil { // an odd zone of an IPv6 address is not read as it is written
		var again *url.URL
		if again, err = url.Parse(u.String()); err == nil && again.Host != u.Host {
			err = errors.New("its host is not what it seems")
		}
	}
	if err == nil && u.User != nil {
		return nil, fmt.Errorf("%q has a user name or a password, which an API's URL must not have: a server's token goes into TASKS_TOKEN", u.Redacted())
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no URL of an API: want one such as http://127.0.0.1:3000/local", cfg.URL)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	transport.MaxIdleConnsPerHost = max(cfg.Connections, 1)
	transport.MaxResponseHeaderBytes = maxHeaderBytes
	transport.MaxIdleConns = transport.MaxIdleConnsPerHost
	return &Client{
		base:   strings.TrimRight(u.String(), "/"),
		token:  cfg.Token,
		signer: cfg.Signer,
		http: &http.Client{
			Transport: transport,
			Timeout:   requestTimeout,
			// A redirected POST would become a GET, and a listing be taken for
			// an acceptance.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// URL returns the API's base.
func (c *Client) URL() string { return c.base }

// Submission is a task to submit.
type Submission struct {
	Answer string            `json:"answer"`
	Delay  int               `json:"delaySeconds,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// IdempotencyKey is none if it is "". With one, the same submission may be sent
	// again until it is answered, and is one task.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
}

// Submit submits a task.
func (c *Client) Submit(ctx context.Context, s Submission) (accepted api.Accepted, err error) {
	header := http.Header{}
	if s.IdempotencyKey != "" {
		header.Set("Idempotency-Key", s.IdempotencyKey)
	}
	s.IdempotencyKey = "" // in a batch alone
	err = c.call(ctx, http.MethodPost, "/tasks", header, s, http.StatusAccepted, &accepted)
	if err == nil && accepted.TaskID == "" {
		err = &NoAnswerError{URL: c.base, Err: errors.New("the answer has no taskId")}
	}
	return accepted, err
}

// SubmitBatch submits up to task.MaxBatch tasks, and returns what became of each.
func (c *Client) SubmitBatch(ctx context.Context, batch []Submission) ([]api.BatchResult, error) {
	var answer api.Batch
	err := c.call(ctx, http.MethodPost, "/tasks/batch", nil, map[string]any{"tasks": batch}, http.StatusOK, &answer)
	if err == nil && len(answer.Results) != len(batch) {
		err = &NoAnswerError{URL: c.base, Err: fmt.Errorf("the answer has %d results for %d tasks", len(answer.Results), len(batch))}
	}
	return answer.Results, err
}

// Filter selects tasks: those of which all is true that it says.
type Filter struct {
	ErrorType string
	Label     string // name:value
	// CreatedAfter and CreatedBefore select the tasks created then or later, and
	// before.
	CreatedAfter, CreatedBefore time.Time
}

// members returns what f says, by the API's names.
func (f Filter) members() map[string]string {
	m := map[string]string{"errorType": f.ErrorType, "label": f.Label}
	for name, t := range map[string]time.Time{"createdAfter": f.CreatedAfter, "createdBefore": f.CreatedBefore} {
		if !t.IsZero() {
			m[name] = t.UTC().Format(time.RFC3339Nano)
		}
	}
	maps.DeleteFunc(m, func(_, value string) bool { return value == "" })
	return m
}

// ListQuery selects a page of tasks.
type ListQuery struct {
	Filter
	Status task.Status // all, if empty
	Limit  int         // 1 to task.MaxPageTasks; the server's default, if 0
	Token  string      // the NextToken of the page before, of the same filter
}

// List returns a page of tasks, newest first. It may be short, or empty,
// although there is a NextToken.
func (c *Client) List(ctx context.Context, q ListQuery) (list api.List, err error) {
	query := url.Values{}
	for name, value := range q.members() {
		query.Set(name, value)
	}
	if q.Status != "" {
		query.Set("status", string(q.Status))
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Token != "" {
		query.Set("nextToken", q.Token)
	}
	path := "/tasks"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	err = c.call(ctx, http.MethodGet, path, nil, nil, http.StatusOK, &list)
	return list, cmp.Or(err, progress(q.Token, list.NextToken))
}

// Get returns a task with its attempts.
func (c *Client) Get(ctx context.Context, id task.ID) (detail api.Detail, err error) {
	err = c.call(ctx, http.MethodGet, pathOf(id), nil, nil, http.StatusOK, &detail)
	return detail, err
}

// History returns a task's history.
func (c *Client) History(ctx context.Context, id task.ID) (history api.History, err error) {
	err = c.call(ctx, http.MethodGet, pathOf(id)+"/history", nil, nil, http.StatusOK, &history)
	return history, err
}

// Stats returns how many tasks there are.
func (c *Client) Stats(ctx context.Context) (stats api.Stats, err error) {
	err = c.call(ctx, http.MethodGet, "/tasks/stats", nil, nil, http.StatusOK, &stats)
	return stats, err
}

// RedriveOrder selects tasks in the DLQ.
type RedriveOrder struct {
	Filter
	// DiedBefore selects those that have been there since before then; the server's
	// now, if it is zero.
	DiedBefore task.Time
	Limit      int // 1 to task.MaxBatch
	DryRun     bool
	Token      string // the NextToken of the answer before, to the same order
}

// RedriveAll moves tasks from the DLQ back to the queue. Sent again with the same
// DiedBefore, it takes none twice.
func (c *Client) RedriveAll(ctx context.Context, o RedriveOrder) (redriven api.Redriven, err error) {
	body := map[string]any{"dryRun": o.DryRun, "limit": o.Limit}
	for name, value := range o.members() {
		body[name] = value
	}
	if !o.DiedBefore.IsZero() {
		body["diedBefore"] = o.DiedBefore
	}
	if o.Token != "" {
		body["nextToken"] = o.Token
	}
	err = c.call(ctx, http.MethodPost, "/tasks/redrive", nil, body, http.StatusOK, &redriven)
	return redriven, cmp.Or(err, progress(o.Token, redriven.NextToken))
}

// progress refuses a page after which the same page would follow for ever.
func progress(token, next string) error {
	if next != "" && next == token {
		return errors.New("the server's answer leads nowhere: its nextToken is the one that it was asked with")
	}
	return nil
}

// Redrive moves a task from the DLQ back to the queue.
func (c *Client) Redrive(ctx context.Context, id task.ID) (accepted api.Accepted, err error) {
	err = c.call(ctx, http.MethodPost, pathOf(id)+"/redrive", nil, nil, http.StatusAccepted, &accepted)
	return accepted, err
}

func pathOf(id task.ID) string { return "/tasks/" + url.PathEscape(string(id)) }

// call makes one request, with in as its JSON unless that is nil, and reads the
// answer of the wanted status into out.
func (c *Client) call(ctx context.Context, method, path string, header http.Header, in any, want int, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		header = header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// Read to its end, or the connection could not be used again.
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return &NoAnswerError{URL: c.base, Err: err}
	}
	if resp.StatusCode != want {
		return refusedError(resp, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &NoAnswerError{URL: c.base, Err: fmt.Errorf("the answer is not the API's: %w", err)}
	}
	return nil
}

// Do makes one request, with the client's token or signature, and returns whatever is
// answered. The caller closes its body.
func (c *Client) Do(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	if c.signer != nil {
		if err := c.signer.sign(ctx, req, body); err != nil {
			return nil, err
		}
	} else if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(err)
	}
	return resp, nil
}
