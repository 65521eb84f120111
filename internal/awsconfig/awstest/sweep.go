package awstest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tasks/internal/task"
)

// Call is a call of a contract's method in a situation of its own.
type Call struct {
	// Name begins with the method's name: "Claim, the second attempt".
	Name string
	// Prepare brings the situation about, over a good way. The call goes through
	// the transport. Ids and what else differs from one situation to the next
	// are replaced in what the call returns and in what state tells, both of
	// which are compared.
	Prepare func(t *testing.T, transport http.RoundTripper) Prepared
}

// Prepared is a call that can be made, any number of times.
type Prepared struct {
	ID    string // is left out of what is compared
	Do    func(ctx context.Context) (any, error)
	State func() any // what the service has after it, read over a good way
}

// perOperation is how many requests of an operation are hit, one after another.
// A method that sends more of them sends them side by side, and all alike.
const perOperation = 2

// Sweep makes the calls again and again, each time with another fault of another
// of its requests, and compares with what they return and do over a good way. A
// fault that the SDK's next attempt is spared must not be noticed. One that is
// not makes the error Unavailable, and nothing or everything is done; the call
// made again goes on from there.
//
// It fails if a method of the contract C is not called at all.
func Sweep[C any](t *testing.T, calls []Call) {
	for m := range reflect.TypeFor[C]().Methods() {
		called := false
		for _, c := range calls {
			name, _, _ := strings.Cut(c.Name, ",")
			called = called || name == m.Name
		}
		if !called {
			t.Errorf("%s.%s is not called", reflect.TypeFor[C]().Name(), m.Name)
		}
	}
	for _, c := range calls {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			counter := &Transport{}
			before := c.prepare(t, &Transport{}).state()
			healthy := c.prepare(t, counter)
			once := healthy.do(t)
			requests := maps.Clone(counter.counts)
			healthy.transport = &Transport{}
			twice := healthy.do(t)

			for operation, count := range requests {
				for n := 1; n <= min(count, perOperation); n++ {
					for _, fault := range []Fault{
						Lost, AppliedThenReset, AppliedThenCut, AppliedLate, Throttled, ThroughputExceeded, TooManyRequests, ServerError, BadGateway,
					} {
						hit := &Transport{Choose: strike(operation, n, fault, false)}
						got := c.prepare(t, hit).do(t)
						if diff := cmp.Diff(once, got); diff != "" {
							t.Errorf("request %d of %s %s (-want +got):\n%s", n, operation, fault, diff)
						}
					}
					for _, fault := range []Fault{Lost, AppliedThenReset, Throttled} {
						hit := &Transport{Choose: strike(operation, n, fault, true)}
						p := c.prepare(t, hit)
						got := p.do(t)
						if got.Kind != task.Unavailable {
							t.Errorf("from request %d of %s on, %s: got %s %q, want kind %s", n, operation, fault, got.Result, got.Kind, task.Unavailable)
						}
						want := once
						if got.State != before {
							want = twice
							if diff := cmp.Diff(once.State, got.State); diff != "" {
								t.Errorf("from request %d of %s on, %s did a part (-want +got):\n%s", n, operation, fault, diff)
							}
						}
						hit.Choose = nil
						if diff := cmp.Diff(want, p.do(t)); diff != "" {
							t.Errorf("the call after, from request %d of %s on, %s (-want +got):\n%s", n, operation, fault, diff)
						}
					}
				}
			}
		})
	}
}

// strike returns a Choose for the first attempt of the n-th request of an
// operation or, lasting, for all that come from then on.
func strike(operation string, n int, fault Fault, lasting bool) func(string, int) Fault {
	var mu sync.Mutex
	seen := 0
	return func(o string, attempt int) Fault {
		if o != operation {
			return None
		}
		mu.Lock()
		defer mu.Unlock()
		if attempt == 1 {
			seen++
		}
		if seen == n && attempt == 1 || seen >= n && lasting {
			return fault
		}
		return None
	}
}

// outcome is what a call has returned and done.
type outcome struct {
	Result string
	Kind   task.Kind
	State  string
}

type preparedCall struct {
	Prepared
	transport *Transport
}

func (c Call) prepare(t *testing.T, transport *Transport) *preparedCall {
	return &preparedCall{c.Prepare(t, transport), transport}
}

func (p *preparedCall) do(t *testing.T) outcome {
	t.Helper()
	result, err := p.Do(t.Context())
	if late := p.transport.ApplyLate(); late != nil {
		t.Errorf("a late request: %v", late)
	}
	o := outcome{p.text(result), task.KindOf(err), p.state()}
	if err != nil && o.Kind == "" {
		t.Errorf("an error of no kind: %v", err)
	}
	return o
}

func (p *preparedCall) state() string { return p.text(p.State()) }

// text returns a value without what differs from one situation to the next.
func (p *preparedCall) text(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(string(b), p.ID, "ID")
}
