package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/valyala/fasthttp"
)

// ours is `tasks serve`, a process of its own with its worker, driven over HTTP.
//
// More is in its figures than in those of its peers: HTTP and JSON, a state
// machine's execution for each task, and a record with attempts and history that
// stays. A task is finished when its record says so.
//
// That nothing is worked at first is done by delaySeconds: the host is stopped
// when all tasks are submitted, and started when all are due. The time counts
// from the line in which the host says that it serves, as a peer's counts from
// the start of its worker, on a store that is open.
type ours struct {
	program string // the executable
	n       int
	dir     string
	host    *process
	url     string
	http    *fasthttp.HostClient
	working bool
	ids     []string // by number of the task
}

func newOurs(program string) func(n int) system {
	return func(n int) system { return &ours{program: program, n: n, ids: make([]string, n)} }
}

func (o *ours) open(_ context.Context, dir string) error {
	o.dir = dir
	return o.start()
}

func (o *ours) start() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	cmd := exec.Command(o.program, "serve", "--listen", "127.0.0.1:"+port, "--db", filepath.Join(o.dir, "tasks.db"), "--param", "FailureRate=0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if o.host, err = start(cmd); err != nil {
		return err
	}
	o.url = "http://127.0.0.1:" + port + "/local/tasks"
	o.http = &fasthttp.HostClient{Addr: "127.0.0.1:" + port, MaxConns: 2 * clients, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the host said %q and ended: %w", line, err)
	}
	return nil
}

func (o *ours) stop() {
	if o.host != nil {
		o.http.CloseIdleConnections()
		o.host.end()
		o.host = nil
	}
}

// delay is how long a task waits that is not to be worked yet: longer than it
// takes to submit all.
func (o *ours) delay() time.Duration { return time.Duration(2+o.n/1000) * time.Second }

func (o *ours) submit(_ context.Context, i int) error {
	body := `{"answer":"forty-two"}`
	if !o.working {
		body = fmt.Sprintf(`{"answer":"forty-two","delaySeconds":%d}`, int(o.delay().Seconds()))
	}
	var accepted struct{ TaskID string }
	if err := o.call(fasthttp.MethodPost, "", []byte(body), fasthttp.StatusAccepted, &accepted); err != nil {
		return err
	}
	o.ids[i] = accepted.TaskID
	return nil
}

func (o *ours) work(context.Context) (time.Time, error) {
	o.working = true
	if o.ids[0] == "" {
		return time.Now(), nil
	}
	counts, err := o.counts()
	if err != nil {
		return time.Time{}, err
	}
	if counts.Pending < o.n {
		return time.Time{}, fmt.Errorf("it took longer than %v to submit %d tasks, so some are worked", o.delay(), o.n)
	}
	due := time.Now().Add(o.delay())
	o.stop()
	time.Sleep(time.Until(due))
	err = o.start()
	return time.Now(), err
}

func (o *ours) wait(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		counts, err := o.counts()
		if counts.DLQ > 0 {
			return false, fmt.Errorf("%d tasks are in the DLQ", counts.DLQ)
		}
		return counts.Processed == o.n, err
	})
}

type counts struct{ Pending, Processed, DLQ int }

func (o *ours) counts() (counts, error) {
	var stats struct{ Counts counts }
	err := o.call(fasthttp.MethodGet, "/stats", nil, fasthttp.StatusOK, &stats)
	return stats.Counts, err
}

// finished returns what the records say, and so by the host's clock, which is
// this machine's: the worker is done, and the record is about to be written. They
// say it to the millisecond; what counts is its end.
func (o *ours) finished(context.Context) ([]time.Time, error) {
	at := make(map[string]time.Time, o.n)
	for next := "?limit=100"; next != ""; {
		var page struct {
			Tasks []struct {
				TaskID    string
				UpdatedAt time.Time
			}
			NextToken string
		}
		if err := o.call(fasthttp.MethodGet, next, nil, fasthttp.StatusOK, &page); err != nil {
			return nil, err
		}
		for _, t := range page.Tasks {
			at[t.TaskID] = t.UpdatedAt.Add(time.Millisecond)
		}
		next = ""
		if page.NextToken != "" {
			next = "?limit=100&nextToken=" + url.QueryEscape(page.NextToken)
		}
	}
	finished := make([]time.Time, o.n)
	for i, id := range o.ids {
		t, ok := at[id]
		if !ok {
			return nil, fmt.Errorf("task %s is not listed", id)
		}
		finished[i] = t
	}
	return finished, nil
}

// call sends a request to the API and decodes its answer. Its client is one that
// costs little: the peers' submit from this process itself.
func (o *ours) call(method, path string, body []byte, want int, answer any) error {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(method)
	req.SetRequestURI(o.url + path)
	req.Header.SetContentType("application/json")
	req.SetBody(body)
	if err := o.http.Do(req, resp); err != nil {
		return err
	}
	if got := resp.StatusCode(); got != want {
		return fmt.Errorf("%s %s: %d: %s", method, path, got, resp.Body())
	}
	return json.Unmarshal(resp.Body(), answer)
}

func (o *ours) servers() []*process { return []*process{o.host} }

func (o *ours) close() error {
	o.stop()
	return nil
}
