package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// fault is what happens to a request.
type fault string

const (
	none       fault = "" // passed on
	lost       fault = "request lost"
	answerLost fault = "answer lost"
	doubled    fault = "sent twice"
	hung       fault = "no answer in time"
	throttled  fault = "throttled"
	broken     fault = "500"
	// killBefore and killAfter end the process of the function that asks, before
	// and after its request takes effect.
	killBefore fault = "function killed, before the request"
	killAfter  fault = "function killed, after the request"
	// neverStarts throttles every start of one execution.
	neverStarts fault = "start throttled for ever"
)

// decks are the faults of the operations: as many as a deck has cards are dealt
// in an order of chance, then all again. So every fault comes, and comes soon.
var decks = map[string]struct {
	cards  int
	faults []fault
}{
	"write": {40, []fault{lost, lost, answerLost, answerLost, answerLost, throttled, throttled, broken, hung, killBefore, killAfter, killAfter}},
	"start": {20, []fault{lost, answerLost, answerLost, throttled, throttled, throttled, throttled, broken, killAfter}},
	"send":  {12, []fault{lost, answerLost, doubled, doubled, throttled}},
	"other": {30, []fault{lost, answerLost, throttled, broken}},
}

func deckOf(operation string) string {
	switch operation {
	case "PutItem", "UpdateItem":
		return "write"
	case "StartExecution":
		return "start"
	case "SendMessage":
		return "send"
	}
	return "other"
}

// neverStartsEach is of how many executions one is never started.
const neverStartsEach = 12

// proxy stands between the functions and AWS.
type proxy struct {
	target string // host and port
	client *http.Transport

	mu       sync.Mutex
	on       bool
	random   *rand.Rand
	dealt    map[string][]fault // what is left of each deck
	names    map[string]bool    // executions, true if they never start
	injected map[string]int     // by fault
	passed   map[string]int     // requests that took effect, by operation
}

func runProxy(args []string) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	listen := flags.String("listen", "", "address")
	target := flags.String("target", "", "host and port of the service")
	cert, key := flags.String("cert", "", "certificate"), flags.String("key", "", "its key")
	seed := flags.Uint64("seed", 1, "what decides which requests are hit")
	_ = flags.Parse(args)
	p := &proxy{
		target: *target,
		// It is on loopback, and its certificate is of today.
		client:   &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 32},
		random:   rand.New(rand.NewPCG(*seed, 0)),
		dealt:    map[string][]fault{},
		names:    map[string]bool{},
		injected: map[string]int{},
		passed:   map[string]int{},
	}
	server := &http.Server{
		Addr: *listen, Handler: p, ErrorLog: log.New(io.Discard, "", 0),
		// One request at a time on a connection, so that it can be cut for one.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	return server.ListenAndServeTLS(*cert, *key)
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/faults/on", "/faults/off":
		p.mu.Lock()
		p.on = r.URL.Path == "/faults/on"
		p.mu.Unlock()
		return
	case "/faults/injected", "/faults/passed":
		p.mu.Lock()
		defer p.mu.Unlock()
		counts := p.injected
		if r.URL.Path == "/faults/passed" {
			counts = p.passed
		}
		_ = json.NewEncoder(w).Encode(counts)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	operation := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		operation = target[strings.LastIndex(target, ".")+1:]
	}
	f := p.deal(operation, body)
	function := ""
	if f == killBefore || f == killAfter {
		// Whoever asks may be no function, or gone already.
		if function = functionOf(r.RemoteAddr); function == "" {
			f = none
		}
	}
	if f != none {
		what := string(f) + ": " + operation
		if function != "" {
			what += " of " + function
		}
		log.Print(what)
		p.mu.Lock()
		p.injected[string(f)]++
		p.mu.Unlock()
	}
	switch f {
	case lost:
		panic(http.ErrAbortHandler)
	case killBefore:
		kill(r.RemoteAddr)
		panic(http.ErrAbortHandler)
	case hung:
		timer := time.NewTimer(10 * time.Second)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
		case <-timer.C:
		}
		panic(http.ErrAbortHandler)
	case throttled, neverStarts:
		refuse(w, r, http.StatusBadRequest, "ThrottlingException")
		return
	case broken:
		refuse(w, r, http.StatusInternalServerError, "InternalServerError")
		return
	}
	resp, answer, err := p.pass(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	p.mu.Lock()
	p.passed[operation]++
	p.mu.Unlock()
	switch f {
	case doubled:
		_, _, _ = p.pass(r, body)
	case answerLost:
		panic(http.ErrAbortHandler)
	case killAfter:
		kill(r.RemoteAddr)
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
}

var executionName = regexp.MustCompile(`"name":"([^"]+-1)"`)

// deal returns the fault of a request.
func (p *proxy) deal(operation string, body []byte) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on {
		return none
	}
	if name := executionName.FindSubmatch(body); operation == "StartExecution" && name != nil {
		never, known := p.names[string(name[1])]
		if !known {
			never = len(p.names)%neverStartsEach == neverStartsEach-1
			p.names[string(name[1])] = never
		}
		if never {
			return neverStarts
		}
	}
	name := deckOf(operation)
	left := p.dealt[name]
	if len(left) == 0 {
		deck := decks[name]
		left = append(slices.Clone(deck.faults), make([]fault, deck.cards-len(deck.faults))...)
		p.random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	}
	p.dealt[name] = left[1:]
	return left[0]
}

// pass sends a request on. The host name stays: it is signed.
func (p *proxy) pass(r *http.Request, body []byte) (*http.Response, []byte, error) {
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "https", p.target
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := p.client.RoundTrip(out)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, answer, err
}

func refuse(w http.ResponseWriter, r *http.Request, status int, errorType string) {
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("X-Amzn-Errortype", errorType)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":%q,"message":"injected"}`, errorType)
}
