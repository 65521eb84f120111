package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tasks/internal/task"
)

// Limits of a delivery.
const (
	// webhookTimeout bounds one request, from the name's resolution to the end of
	// the answer.
	webhookTimeout = 10 * time.Second
	// webhookRetryAfter is the longest Retry-After that is waited for within the
	// attempt.
	webhookRetryAfter = 10 * time.Second
	// webhookAnswerBytes is how much of an answer is read, and dropped.
	webhookAnswerBytes = 64 << 10
)

// WebhookConfig says where webhooks may go.
type WebhookConfig struct {
	// Hosts are the hosts that tasks may name: "hooks.example.com", or
	// "*.example.com" for all below that, with a port if it is not the scheme's own.
	Hosts []string
	// AllowPrivate allows plain http, and addresses that are not the public
	// internet's: this machine's, a private network's, a cloud's metadata service.
	AllowPrivate bool
}

// NewWebhook returns a worker that delivers tasks to HTTP endpoints. A task's answer
// is {"url": "https://...", "body": ...}; the body, any JSON and {} if it is left
// out, is sent with POST and the header Idempotency-Key, the task's id, which is the
// same for all attempts: an endpoint can get a task more than once.
//
// An answer of 2xx is a success. 408, 425, 429, 5xx and no answer fail the attempt;
// any other answer, a redirect among them, is permanent, and so is a URL that is
// not allowed. The state machine's waits are fixed, so a Retry-After can be honoured
// within the attempt alone: once, if it is 10 s at most and the attempt has the time.
// A longer one is left to the retries.
func NewWebhook(cfg WebhookConfig) (Worker, error) {
	for _, host := range cfg.Hosts {
		if name := strings.TrimPrefix(host, "*."); name == "" || strings.ContainsAny(name, "*/@ ") || host != strings.ToLower(host) {
			return nil, fmt.Errorf("%q is no host: want a name in lower case such as hooks.example.com or *.example.com", host)
		}
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !cfg.AllowPrivate {
		// Of the address that is dialled, whatever the name resolved to before.
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error { return checkAddress(address) }
	}
	return webhook{cfg: cfg, client: &http.Client{
		Timeout:       webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{ // and no proxy: it would resolve the names
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: webhookAnswerBytes,
			MaxIdleConnsPerHost:    10,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		},
	}}, nil
}

type webhook struct {
	cfg    WebhookConfig
	client *http.Client
}

func (w webhook) Work(ctx context.Context, t task.Task) error {
	target, body, err := w.read(t.Answer)
	if err != nil {
		return task.Permanent(err)
	}
	wait, err := w.post(ctx, t.ID, target, body)
	if deadline, ok := ctx.Deadline(); err == nil || wait == 0 || ok && time.Until(deadline) < wait+webhookTimeout {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return err
	}
	_, err = w.post(ctx, t.ID, target, body)
	return err
}

// read returns what an answer asks for. The error says what is wrong with it, and has
// nothing of it but the host.
func (w webhook) read(answer string) (target *url.URL, body []byte, err error) {
	var delivery struct {
		URL  string          `json:"url"`
		Body json.RawMessage `json:"body"`
	}
	dec := json.NewDecoder(strings.NewReader(answer))
	dec.DisallowUnknownFields()
	err = dec.Decode(&delivery)
	if _, end := dec.Token(); err != nil || end != io.EOF {
		return nil, nil, errors.New(`the answer is no webhook: want {"url": "https://...", "body": ...}`)
	}
	u, err := url.Parse(delivery.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return nil, nil, errors.New("the url is none, or has a user name")
	case u.Scheme != "https" && !(w.cfg.AllowPrivate && u.Scheme == "http"):
		return nil, nil, errors.New("the url is not https")
	case !slices.ContainsFunc(w.cfg.Hosts, func(allowed string) bool { return allows(allowed, u) }):
		return nil, nil, fmt.Errorf("the host %q is not allowed", task.Cut(u.Host, 256))
	}
	if len(delivery.Body) == 0 {
		delivery.Body = []byte("{}")
	}
	return u, delivery.Body, nil
}

// allows tells whether a host of the list is the URL's.
func allows(allowed string, u *url.URL) bool {
	ports := map[string]string{"https": "443", "http": "80"}
	got := strings.ToLower(strings.TrimSuffix(u.Host, ":"+ports[u.Scheme]))
	if below, ok := strings.CutPrefix(allowed, "*"); ok { // with its dot
		return strings.HasSuffix(got, below) && len(got) > len(below)
	}
	return got == allowed
}

// post sends one request. wait is how long the endpoint asks to be left alone, if it
// is not too long to be waited for.
func (w webhook) post(ctx context.Context, id task.ID, target *url.URL, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return 0, task.Permanent(errors.New("the url can't be requested"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", string(id))
	resp, err := w.client.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL, which may have secrets in it
		}
		err = fmt.Errorf("no answer from %s: %w", target.Host, err)
		if errors.Is(err, errNotPublic) {
			err = task.Permanent(err)
		}
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, webhookAnswerBytes) // so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return 0, nil
	}
	err = fmt.Errorf("%s answered %d %s", target.Host, resp.StatusCode, http.StatusText(resp.StatusCode))
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
	default:
		if resp.StatusCode < http.StatusInternalServerError {
			return 0, task.Permanent(err)
		}
	}
	return retryAfter(resp.Header.Get("Retry-After"), time.Now()), err
}

// retryAfter returns the wait that a Retry-After header asks for, in seconds or as a
// date (RFC 9110, 10.2.3), and 0 for none, or one that is too long.
func retryAfter(header string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 16); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	if wait < 0 || wait > webhookRetryAfter {
		return 0
	}
	return wait
}

// errNotPublic is an address that is refused.
var errNotPublic = errors.New("the address is not the public internet's")

// special are the addresses of the public internet's range that are not its own, by
// the IANA special-purpose address registries.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// publicIPv6 is all of IPv6 that is the public internet's.
var publicIPv6 = netip.MustParsePrefix("2000::/3")

func prefixes(all ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(all))
	for i, s := range all {
		parsed[i] = netip.MustParsePrefix(s)
	}
	return parsed
}

// checkAddress refuses an address, with its port, that is not the public internet's.
func checkAddress(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotPublic, err)
	}
	addr := ap.Addr().Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Is6() && !publicIPv6.Contains(addr) ||
		slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return errNotPublic
	}
	return nil
}
