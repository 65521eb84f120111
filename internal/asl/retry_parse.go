package asl

import (
	"fmt"
	"strings"
	"time"
)

// retryCatch parses Retry and Catch.
func (f *fields) retryCatch(b *base) {
	b.hasRetryCount = true
	f.each("Retry", func(g *fields, last bool) {
		b.retry = append(b.retry, g.retrier(last))
	})
	f.each("Catch", func(g *fields, last bool) {
		c := catcher{errorEquals: g.errorEquals(last), resultPath: g.resultPath("ResultPath"), assign: g.assign("Assign")}
		g.str("Comment")
		c.next.name, _ = g.requiredStr("Next")
		g.done()
		b.catch = append(b.catch, c)
	})
}

// maxMaxDelay is the most that MaxDelaySeconds may be, which must be less than
// 31,622,400, a leap year ("Handling errors in Step Functions workflows").
const maxMaxDelay = 31_622_399

func (f *fields) retrier(last bool) Retrier {
	r := Retrier{ErrorEquals: f.errorEquals(last), Interval: time.Second, MaxAttempts: 3, BackoffRate: 2}
	f.str("Comment")
	if n, ok := f.integer("IntervalSeconds", 1, maxSeconds); ok {
		r.Interval = time.Duration(n) * time.Second
	}
	if n, ok := f.integer("MaxAttempts", 0, maxSeconds); ok {
		r.MaxAttempts = n
	}
	if rate, ok := f.float("BackoffRate"); ok {
		if rate < 1 {
			f.p.report(f.place("BackoffRate"), "must be >= 1, not %v", rate)
		}
		r.BackoffRate = rate
	}
	if n, ok := f.integer("MaxDelaySeconds", 1, maxMaxDelay); ok {
		r.MaxDelay = time.Duration(n) * time.Second
		if r.MaxDelay < r.Interval {
			f.p.report(f.place("MaxDelaySeconds"), "must not be less than IntervalSeconds (%d), as %d is", int(r.Interval.Seconds()), n)
		}
	}
	if jitter, ok := f.str("JitterStrategy"); ok {
		switch jitter {
		case "FULL":
			r.FullJitter = true
		case "NONE":
		default:
			f.p.report(f.place("JitterStrategy"), "must be \"FULL\" or \"NONE\", not %q", jitter)
		}
	}
	f.done()
	return r
}

// knownStatesErrors are the reserved error names.
var knownStatesErrors = map[string]bool{
	errAll: true, errTaskFailed: true, errTimeout: true, errHeartbeatTimeout: true, errRuntime: true,
	errDataLimitExceeded: true, errParameterPath: true, errResultPathMatch: true, errIntrinsic: true,
	errNoChoiceMatched: true, errBranchFailed: true, errExceedTolerated: true, "States.Permissions": true,
	"States.ItemReaderFailed": true, "States.ResultWriterFailed": true, "States.QueryEvaluationError": true,
	"States.Http.Socket": true,
}

func (f *fields) errorEquals(last bool) []string {
	v, ok := f.array("ErrorEquals")
	if !ok {
		if !f.has("ErrorEquals") {
			f.p.report(f.place("ErrorEquals"), "is missing")
		}
		return nil
	}
	if len(v) == 0 {
		f.p.report(f.place("ErrorEquals"), "must not be empty")
	}
	var names []string
	for i, e := range v {
		at := fmt.Sprintf("%s[%d]", f.place("ErrorEquals"), i)
		name, ok := e.(string)
		switch {
		case !ok:
			f.p.report(at, "must be a string, not %s", typeName(e))
		case name == "":
			f.p.report(at, "must not be empty")
		case name == errAll && len(v) > 1:
			f.p.report(at, "States.ALL must stand alone")
		case name == errAll && !last:
			f.p.report(at, "States.ALL must be in the last entry")
		case strings.HasPrefix(name, "States.") && !knownStatesErrors[name]:
			f.p.report(at, "unknown error name %q: names that begin with \"States.\" are reserved", name)
		}
		names = append(names, name)
	}
	return names
}
