package awstest

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"tasks/internal/awsconfig"
	"tasks/internal/task"
)

// functionTimeout is the shortest of the functions' timeouts, as template.yaml
// has it.
const functionTimeout = 20 * time.Second

// Outage calls every method of the contract C while its service is down, in each
// of the ways in which it can be, with the configuration of a function: the
// method must try again, and give up in the function's time, with an error of
// kind Unavailable. It needs no service. The methods in waits wait until the
// caller's time is up. They are not throttled here: in virtual time, in which a
// wait of 0 is none, the SDK's adaptive mode can go round for ever.
func Outage[C any](t *testing.T, open func(aws.Config) C, waits ...string) {
	for _, fault := range []Fault{Lost, Hung, ServerError, BadGateway, Throttled, ThroughputExceeded, TooManyRequests} {
		throttles := fault == Throttled || fault == ThroughputExceeded || fault == TooManyRequests
		for m := range reflect.TypeFor[C]().Methods() {
			patient := slices.Contains(waits, m.Name)
			if patient && throttles {
				continue
			}
			t.Run(m.Name+" "+string(fault), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex // a method may have several requests under way
					attempts := 0
					cfg := FunctionConfig(&Transport{Choose: func(_ string, attempt int) Fault {
						mu.Lock()
						defer mu.Unlock()
						attempts = max(attempts, attempt)
						return fault
					}})
					deadline := functionTimeout
					if patient {
						deadline--
					}
					ctx, cancel := context.WithTimeout(t.Context(), deadline)
					defer cancel()
					start := time.Now()
					err := call(ctx, reflect.ValueOf(open(cfg)).MethodByName(m.Name))
					if !task.IsKind(err, task.Unavailable) {
						t.Errorf("got %v, want kind %s", err, task.Unavailable)
					}
					if attempts < 2 {
						t.Errorf("got %d attempts, want more", attempts)
					}
					if took := time.Since(start); took >= functionTimeout {
						t.Errorf("it gave up after %v", took)
					}
				})
			})
		}
	}
}

// FunctionConfig returns what awsconfig gives a function, with its requests
// going through a transport. There is no service behind it.
func FunctionConfig(transport http.RoundTripper) aws.Config {
	cfg := awsconfig.NewEnvironment(func(name string) string {
		return map[string]string{
			"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
			"AWS_ENDPOINT_URL": "http://service.test",
		}[name]
	}).SDK()
	timeout := cfg.HTTPClient.(*awshttp.BuildableClient).GetTimeout()
	cfg.HTTPClient = &http.Client{Transport: transport, Timeout: timeout}
	return cfg
}

// call calls a method with zero values behind its context, one where it takes any
// number, and returns its error: its last result, or the first one's Err.
func call(ctx context.Context, method reflect.Value) error {
	args := []reflect.Value{reflect.ValueOf(ctx)}
	for n := 1; n < method.Type().NumIn(); n++ {
		in := method.Type().In(n)
		if method.Type().IsVariadic() && n == method.Type().NumIn()-1 {
			in = in.Elem()
		}
		args = append(args, reflect.Zero(in))
	}
	results := method.Call(args)
	last := results[len(results)-1]
	if last.Kind() == reflect.Slice {
		last = last.Index(0).FieldByName("Err")
	}
	err, _ := last.Interface().(error)
	return err
}
