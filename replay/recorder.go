package replay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// RecorderOptions say what is recorded.
type RecorderOptions struct {
	// ID and Service go into the header; Service is also the service.name whose spans are the
	// tree, unless SpanService names another.
	ID, Service, SpanService string
	// Target is the base URL of the service, Dependencies the base URLs of what it calls, by
	// the names the configuration gives them.
	Target       string
	Dependencies map[string]string
	// Commit, Env and ToolVersion go into the header.
	Commit, Env, ToolVersion string
	// Redactor is applied before anything is kept; nil means NewRedactor().
	Redactor *Redactor
	// Effects classifies a request; nil calls GET, HEAD and OPTIONS reads and the rest
	// sandboxed writes.
	Effects func(Request) string
	// Rounds is how often Record sends each case; 0 means 3. One is refused: noise is found by
	// repetition only.
	Rounds int
	// BeforeRound brings the system back to the state in which the cases start; may be nil.
	BeforeRound func(ctx context.Context, round int) error
	// Quiet is how long a trace has to be silent to count as complete (0: 300 ms);
	// TraceTimeout how long to wait for that (0: 15 s, above the SDKs' export interval of 5 s).
	Quiet, TraceTimeout time.Duration
	// MaxBody bounds bodies that are kept (0: 1 MiB); an exchange with a larger one is left out.
	MaxBody int64
	// Transport forwards requests; nil means one of its own.
	Transport http.RoundTripper
	Now       func() time.Time
}

// Recorder sits in front of a service and of each of its dependencies, takes in the
// service's spans, and makes a golden set of what it saw.
type Recorder struct {
	opts     RecorderOptions
	receiver *Receiver
	inbound  *tap
	outbound map[string]*tap

	mu        sync.Mutex
	exchanges []recorded
	calls     []recordedCall
	stamps    int
	flying    int
	peak      int
	round     int
	pending   map[telemetry.TraceID]string // case ids of requests Record has in flight
}

type recorded struct {
	tapped
	seq   int
	round int
	id    string // case id given to Record, "" for traffic that came by itself
}

type recordedCall struct {
	tapped
	peer string
}

// NewRecorder checks the options and returns a Recorder. Serve Inbound in front of the
// service, Outbound(name) in front of each dependency, and OTLP where the service exports to.
func NewRecorder(opts RecorderOptions) (*Recorder, error) {
	if opts.ID == "" || opts.Service == "" {
		return nil, errors.New("a recording needs an id and the name of the service")
	}
	if opts.Rounds == 0 {
		opts.Rounds = 3
	}
	if opts.Rounds < 2 {
		return nil, errors.New("record at least two rounds: what differs between them is how noise is found")
	}
	setDefault(&opts.SpanService, opts.Service)
	setDefault(&opts.Quiet, 300*time.Millisecond)
	setDefault(&opts.TraceTimeout, 15*time.Second)
	setDefault(&opts.MaxBody, 1<<20)
	if opts.Redactor == nil {
		opts.Redactor = NewRedactor()
	}
	if opts.Effects == nil {
		opts.Effects = effectsByMethod
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Transport == nil {
		opts.Transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	}
	r := &Recorder{opts: opts, receiver: &Receiver{Now: opts.Now}, outbound: map[string]*tap{}, pending: map[telemetry.TraceID]string{}}
	target, err := baseURL(opts.Target)
	if err != nil {
		return nil, fmt.Errorf("target of %s: %w", opts.Service, err)
	}
	r.inbound = &tap{target: target, transport: opts.Transport, maxBody: opts.MaxBody, now: opts.Now, stamp: r.stamp, report: r.sawExchange}
	for name, base := range opts.Dependencies {
		target, err := baseURL(base)
		if err != nil {
			return nil, fmt.Errorf("dependency %s: %w", name, err)
		}
		r.outbound[name] = &tap{target: target, transport: opts.Transport, maxBody: opts.MaxBody, now: opts.Now, abort: true,
			report: func(x tapped) { r.sawCall(name, x) }}
	}
	return r, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func baseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a base URL (as in http://127.0.0.1:8080)", clip(s, 60))
	}
	return u, nil
}

func effectsByMethod(r Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return "read"
	}
	return "sandboxed_write"
}

// Inbound is the proxy in front of the service.
func (r *Recorder) Inbound() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.flying++
		r.peak = max(r.peak, r.flying)
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			r.flying--
			r.mu.Unlock()
		}()
		r.inbound.ServeHTTP(w, req)
	})
}

// Outbound is the proxy in front of a dependency; a name that was not configured
// answers 502 and says so.
func (r *Recorder) Outbound(name string) http.Handler {
	if t, ok := r.outbound[name]; ok {
		return t
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, fmt.Sprintf("the recorder knows no dependency %q", name), http.StatusBadGateway)
	})
}

// OTLP is where the service's telemetry goes.
func (r *Recorder) OTLP() http.Handler { return r.receiver }

func (r *Recorder) stamp(*http.Request) traceparent {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stamps++
	return newTraceparent("record\x00"+r.opts.ID+"\x00"+r.opts.Now().String(), r.stamps)
}

func (r *Recorder) sawExchange(x tapped) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, recorded{tapped: x, seq: len(r.exchanges), round: r.round, id: r.pending[x.context.trace]})
}

func (r *Recorder) sawCall(peer string, x tapped) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, recordedCall{tapped: x, peer: peer})
}

// Record sends the cases one after another, each round from the start, through Inbound. Of a
// case its id, request, vars, depends_on and effects are used; the rest is what is recorded.
func (r *Recorder) Record(ctx context.Context, cases []Case) error {
	if len(cases) == 0 {
		return errors.New("nothing to record: no cases given")
	}
	for round := range r.opts.Rounds {
		r.mu.Lock()
		r.round = round
		r.mu.Unlock()
		if r.opts.BeforeRound != nil {
			if err := r.opts.BeforeRound(ctx, round); err != nil {
				return fmt.Errorf("preparing round %d: %w", round+1, err)
			}
		}
		vars := map[string]string{}
		for i := range cases {
			if err := r.recordOne(ctx, &cases[i], vars); err != nil {
				return fmt.Errorf("case %s, round %d: %w", cases[i].ID, round+1, err)
			}
		}
	}
	return nil
}

func (r *Recorder) recordOne(ctx context.Context, c *Case, vars map[string]string) error {
	req, err := inject(c.Request, c.Vars.Inject, vars)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.stamps++
	tp := newTraceparent("record\x00"+r.opts.ID+"\x00"+r.opts.Now().String(), r.stamps)
	r.pending[tp.trace] = c.ID
	r.mu.Unlock()
	hr, err := http.NewRequestWithContext(ctx, req.Method, "http://service"+target(req), strings.NewReader(string(wireBody(req.Body, header(req.Headers, "Content-Type")))))
	if err != nil {
		return err
	}
	for k, v := range req.Headers {
		hr.Header.Set(k, v)
	}
	hr.Header.Set("Traceparent", tp.String())
	w := &answer{header: http.Header{}}
	r.Inbound().ServeHTTP(w, hr)
	if w.status == 0 || w.status == http.StatusBadGateway && r.lastError(tp.trace) != "" {
		return fmt.Errorf("the service did not answer: %s", r.lastError(tp.trace))
	}
	extract(vars, c.Vars.Extract, keepBody(w.body, w.header.Get("Content-Type")))
	return nil
}

func (r *Recorder) lastError(trace telemetry.TraceID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.exchanges) - 1; i >= 0; i-- {
		if r.exchanges[i].context.trace == trace {
			return r.exchanges[i].err
		}
	}
	return "it was never reached"
}

// answer is an in-memory http.ResponseWriter.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(s int) {
	if a.status == 0 {
		a.status = s
	}
}
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

// target is the request target of a recorded request.
func target(r Request) string {
	if r.Query == "" {
		return r.Path
	}
	return r.Path + "?" + r.Query
}
