// Command start measures how a Lambda function starts: the time from the start of
// its process to the first time that it asks for an event, the time of its first
// and its second invocation, and the memory that it has taken by then. It stands for
// Lambda's Runtime API and for the services, on the loopback interface, and answers
// at once: what is measured is the function's own.
//
//	start -n 20 NAME=EVENT.json=COMMAND ...
//
// EVENT may be empty: the function is started and not invoked.
package main

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// function is what is measured.
type function struct {
	name, command string
	event         []byte // nil: it is not invoked
	starts        []time.Duration
	first, second []time.Duration
	memory        []int // KiB
}

func main() {
	log.SetFlags(0)
	n := flag.Int("n", 20, "how often each is started")
	flag.Parse()
	var functions []*function
	for _, arg := range flag.Args() {
		parts := strings.SplitN(arg, "=", 3)
		if len(parts) != 3 {
			log.Fatalf("%s: want NAME=EVENT=COMMAND", arg)
		}
		f := &function{name: parts[0], command: parts[2]}
		if parts[1] != "" {
			var err error
			if f.event, err = os.ReadFile(parts[1]); err != nil {
				log.Fatal(err)
			}
		}
		functions = append(functions, f)
	}
	services, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(services, http.HandlerFunc(serve))) }()
	for range *n { // in turns, so that what else happens on the machine meets all
		for _, f := range functions {
			if err := f.measure("http://" + services.Addr().String()); err != nil {
				log.Fatalf("%s: %v", f.name, err)
			}
		}
	}
	fmt.Printf("Medians of %d (least to most).\n\n| function | to the first /next, ms | first invocation, ms | second, ms | memory, MB |\n|---|---:|---:|---:|---:|\n", *n)
	for _, f := range functions {
		fmt.Printf("| %s | %s | %s | %s | %s |\n", f.name, millis(f.starts), millis(f.first), millis(f.second),
			spread(f.memory, func(kib int) float64 { return float64(kib) / 1024 }))
	}
}

func millis(d []time.Duration) string {
	return spread(d, func(d time.Duration) float64 { return d.Seconds() * 1000 })
}

// spread returns the median, the least and the most.
func spread[T cmp.Ordered](values []T, number func(T) float64) string {
	if len(values) == 0 {
		return ""
	}
	slices.Sort(values)
	return fmt.Sprintf("%.1f (%.1f to %.1f)", number(values[len(values)/2]), number(values[0]), number(values[len(values)-1]))
}

// measure starts the function once.
func (f *function) measure(services string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	next, answered, failed := make(chan chan []byte), make(chan struct{}, 1), make(chan error, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/invocation/next"):
			event := make(chan []byte)
			select {
			case next <- event:
			case <-r.Context().Done():
				return
			}
			select {
			case body := <-event:
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
				w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f")
				w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(20*time.Second).UnixMilli(), 10))
				w.Write(body)
			case <-r.Context().Done():
			}
		case strings.HasSuffix(r.URL.Path, "/response"):
			w.WriteHeader(http.StatusAccepted)
			answered <- struct{}{}
		default: // an error
			body, _ := io.ReadAll(r.Body)
			failed <- fmt.Errorf("%s: %s", r.URL.Path, body)
		}
	})}
	go server.Serve(api)
	defer server.Close()

	args := strings.Fields(f.command)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "AWS_LAMBDA_RUNTIME_API=" + api.Addr().String(), "AWS_REGION=us-east-1", "AWS_LAMBDA_FUNCTION_NAME=f",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_ENDPOINT_URL=" + services,
		"TABLE_NAME=t", "TASK_QUEUE_URL=" + services + "/123456789012/tasks", "DEAD_LETTER_QUEUE_URL=" + services + "/123456789012/dead",
		"STATE_MACHINE_ARN=arn:aws:states:us-east-1:123456789012:stateMachine:m", "WORKFLOW_TYPE=STANDARD", "METRIC_NAMESPACE=Tasks",
		"FAILURE_RATE=0", "RETENTION_DAYS=30",
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	wait := func() (chan []byte, error) {
		select {
		case event := <-next:
			return event, nil
		case err := <-failed:
			return nil, err
		case <-ctx.Done():
			return nil, fmt.Errorf("it asks for no event: %w", ctx.Err())
		}
	}
	event, err := wait()
	if err != nil {
		return err
	}
	f.starts = append(f.starts, time.Since(began))
	for _, times := range []*[]time.Duration{&f.first, &f.second} {
		if f.event == nil {
			break
		}
		began := time.Now()
		event <- f.event
		select {
		case <-answered:
			*times = append(*times, time.Since(began))
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
		if event, err = wait(); err != nil {
			return err
		}
	}
	memory, err := peak(cmd.Process.Pid)
	f.memory = append(f.memory, memory)
	return err
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak returns the most memory that a process has had resident, in KiB.
func peak(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	match := highWater.FindSubmatch(status)
	if match == nil {
		return 0, fmt.Errorf("no VmHWM in %s", status)
	}
	return strconv.Atoi(string(match[1]))
}

// record is a task's record as DynamoDB returns it, in the middle of its attempt.
const record = `{"pk":{"S":"01939a3e-7c00-7000-8000-000000000001"},"class":{"S":"open#0"},"rev":{"S":"r"},"status":{"S":"PROCESSING"},` +
	`"run":{"N":"1"},"createdAt":{"N":"1795758763020"},"updatedAt":{"N":"1795758763020"},"owner":{"S":"o"},"answer":{"S":"forty-two"},` +
	`"attempts":{"L":[{"M":{"number":{"N":"1"},"run":{"N":"1"},"startedAt":{"N":"1795758763020"}}}]}}`

// serve answers for DynamoDB and SQS.
func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch operation {
	case "PutItem":
		io.WriteString(w, "{}")
	case "UpdateItem":
		fmt.Fprintf(w, `{"Attributes":%s}`, record)
	case "SendMessage":
		var in struct{ MessageBody string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		sum := md5.Sum([]byte(in.MessageBody)) // what SQS answers with; not for security
		fmt.Fprintf(w, `{"MessageId":"m","MD5OfMessageBody":%q}`, hex.EncodeToString(sum[:]))
	default:
		log.Printf("a request that nobody expects: %s %s", r.URL, operation)
		http.Error(w, operation, http.StatusBadRequest)
	}
}
