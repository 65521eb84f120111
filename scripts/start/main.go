// Command start measures how fast Lambda functions start: it is the Lambda Runtime
// API (runtime.go) and the AWS services that they ask (aws.go), both on loopback, and
// runs each function some times, in turn, for two invocations. scripts/bench-start
// builds what it runs.
//
// Nothing here is as slow as in Lambda: no download, no new machine, a warm page
// cache, a faster processor. What is left is the part that the function's own code
// takes. With -tls and -cpu the first invocation comes near to Lambda's.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// memorySize is the functions' MemorySize in template.yaml, in MB.
const memorySize = 128

// events are the functions and the sample events that they are invoked with.
var events = []struct{ function, event string }{
	{"submit", "submit-valid"},
	{"process", "process-first-attempt"},
	{"status", "status-get"},
	{"redrive", "redrive-dead"},
	{"poller", "poller-one"},
	{"monitor", "monitor-dead-letter"},
	{"reconcile", "reconcile-schedule"},
	{"count", "count-batch"},
}

// function is a program that is measured.
type function struct {
	name    string
	runtime string // what runs it: Go, or Node and which client of the Runtime API
	node    bool
	command []string
	size    int64 // of what is deployed, in bytes
	env     []string
	event   json.RawMessage
	want    json.RawMessage // a part of the answer
}

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	rounds := flag.Int("rounds", 20, "how often each function is started; one more start of each, before, does not count")
	goDir := flag.String("go", "", "`folder` of the Go functions: NAME/bootstrap")
	nodeDir := flag.String("node", "", "`folder` of the Node functions: NAME/index.js")
	small := flag.String("client", "", "`file` of the small client of the Runtime API, for the Node functions")
	ric := flag.String("ric", "", "`file` of AWS's client of the Runtime API, if it could be built")
	only := flag.String("only", "", "`names` of functions, with commas")
	tls := flag.Bool("tls", false, "speak TLS with the AWS services, as in Lambda")
	cpu := flag.Float64("cpu", 0, "`share` of one processor that a function has once it has started; 0.072 is Lambda's at 128 MB (128 of 1,769)")
	flag.Parse()

	services, err := newServices(*tls)
	if err != nil {
		return err
	}
	defer services.close()
	functions, err := load(*goDir, *nodeDir, *small, *ric, services)
	if err != nil {
		return err
	}
	if *only != "" {
		functions = slices.DeleteFunc(functions, func(f function) bool {
			return !slices.Contains(strings.Split(*only, ","), f.name)
		})
	}
	var limit *throttle
	if *cpu > 0 {
		if limit, err = newThrottle(*cpu); err != nil {
			return err
		}
		defer limit.close()
	}
	samples := make([][]sample, len(functions))
	for round := range *rounds + 1 {
		for i, f := range functions {
			s, err := measure(ctx, f, limit)
			if err := cmp.Or(services.problem(), err); err != nil {
				return fmt.Errorf("%s on %s: %w", f.name, f.runtime, err)
			}
			if round > 0 {
				samples[i] = append(samples[i], s)
			}
		}
	}
	report(os.Stdout, functions, samples)
	return nil
}

// load returns what there is to measure.
func load(goDir, nodeDir, small, ric string, services *services) ([]function, error) {
	var environments map[string]map[string]string
	var expected map[string]json.RawMessage
	if err := readJSON("events/env.json", &environments); err != nil {
		return nil, err
	}
	if err := readJSON("events/expected.json", &expected); err != nil {
		return nil, err
	}
	var functions []function
	for _, e := range events {
		event, err := os.ReadFile("events/" + e.event + ".json")
		if err != nil {
			return nil, err
		}
		f := function{name: e.function, runtime: "Go", event: event, want: expected[e.event]}
		id := strings.ToUpper(e.function[:1]) + e.function[1:] + "Function" // in template.yaml
		f.env = environment(id, environments[id], services)
		bootstrap := filepath.Join(goDir, e.function, "bootstrap")
		if f.size, err = sizeOf(bootstrap); err != nil {
			return nil, err
		}
		f.command = []string{bootstrap}
		functions = append(functions, f)

		bundle := filepath.Join(nodeDir, e.function, "index.js")
		size, err := sizeOf(bundle)
		if err != nil {
			continue // not written for Node
		}
		f.node, f.size = true, size
		f.env = append(slices.Clip(f.env), "LAMBDA_TASK_ROOT="+filepath.Dir(bundle), "_HANDLER=index.handler")
		for _, client := range []struct{ runtime, file string }{{"Node, AWS's client", ric}, {"Node, small client", small}} {
			if client.file == "" {
				continue
			}
			f.runtime = client.runtime
			// The flags of Lambda's own runtime: a tenth of the memory for new objects.
			f.command = []string{
				"node", "--expose-gc", "--max-http-header-size=81920",
				"--max-semi-space-size=" + strconv.Itoa(memorySize/10/2),
				"--max-old-space-size=" + strconv.Itoa(memorySize-memorySize/10),
				client.file, "index.handler",
			}
			functions = append(functions, f)
		}
	}
	return functions, nil
}

// environment returns a function's environment as Lambda sets it, without what
// nobody reads.
func environment(id string, variables map[string]string, services *services) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "LANG=en_US.UTF-8", "TZ=:UTC",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
		"AWS_EXECUTION_ENV=AWS_Lambda_bench", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_FUNCTION_NAME=" + id, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(memorySize),
		"AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_LOG_LEVEL=INFO",
	}
	env = append(env, services.env()...)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		// The SDK for JavaScript takes a queue's URL for its endpoint.
		value := strings.Replace(variables[name], "https://sqs.us-east-1.amazonaws.com", services.url(), 1)
		env = append(env, name+"="+value)
	}
	// Whatever the caller asks of Go's runtime, for a closer look.
	for _, name := range []string{"GODEBUG", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "SSL_CERT_DIR"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func sizeOf(file string) (int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
