package githubtest

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// FaultKind is a way in which GitHub fails.
type FaultKind int

// The kinds of faults.
const (
	BadGateway     FaultKind = iota + 1 // 502 without an effect
	TooMany                             // 429 with Retry-After
	SecondaryLimit                      // 403 of the secondary rate limit with Retry-After
	LostResponse                        // the effect happens, then the connection is cut
	CutBefore                           // the connection is cut and nothing happens
	StaleRef                            // refs are read as before their last change; writing one fails with 422
	Unprocessable                       // 422 without an effect
	Slow                                // the answer waits for Fault.Delay
	Exhausted                           // 403 of the primary rate limit, reset after Fault.RetryAfter
)

// Fault makes requests fail.
type Fault struct {
	Match func(*http.Request) bool // nil matches all
	Nth   int                      // which of the matching requests fails, from 1; 0 for all
	Kind  FaultKind
	// RetryAfter of TooMany and SecondaryLimit; one second when zero.
	RetryAfter time.Duration
	Delay      time.Duration
}

type fault struct {
	Fault
	seen int
}

// Phase says when a hook is called.
type Phase int

// The phases of a request.
const (
	Before Phase = iota // nothing has happened yet
	After               // the effect is there, the answer is not yet sent
)

type watchers struct {
	mu     sync.Mutex
	faults []*fault
	hooks  []func(Phase, *http.Request)
}

// Inject adds faults to the schedule.
func (s *Server) Inject(faults ...Fault) {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	for _, f := range faults {
		s.watch.faults = append(s.watch.faults, &fault{Fault: f})
	}
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	s.watch.faults = nil
}

// OnRequest calls a hook before and after the effect of every request. A hook that blocks holds the request up, but no
// other; a hook may read the body and must not keep the request.
func (s *Server) OnRequest(hook func(Phase, *http.Request)) {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	s.watch.hooks = append(s.watch.hooks, hook)
}

// strike says which fault hits a request.
func (w *watchers) strike(r *http.Request) *Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	var hit *Fault
	for _, f := range w.faults {
		if f.Match != nil && !f.Match(r) {
			continue
		}
		f.seen++
		if hit == nil && (f.Nth == 0 || f.seen == f.Nth) {
			hit = &f.Fault
		}
	}
	return hit
}

func (w *watchers) call(p Phase, r *http.Request) {
	w.mu.Lock()
	hooks := append([]func(Phase, *http.Request){}, w.hooks...)
	w.mu.Unlock()
	for _, h := range hooks {
		h(p, r)
	}
}

// refusal is the answer of a fault that answers in place of the handler; ok is false for the others.
func (f *Fault) refusal(now time.Time) (a answer, ok bool) {
	after := f.RetryAfter
	if after == 0 {
		after = time.Second
	}
	wait := http.Header{"Retry-After": {strconv.Itoa(int((after + time.Second - 1) / time.Second))}}
	switch f.Kind {
	case BadGateway:
		return answer{status: http.StatusBadGateway, raw: []byte("<html><body><h1>502 Bad Gateway</h1></body></html>\n"), media: "text/html"}, true
	case TooMany:
		a = failure(http.StatusTooManyRequests, "Too many requests")
		a.header = wait
		return a, true
	case SecondaryLimit:
		a = failure(http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		a.body.(object)["documentation_url"] = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
		a.header = wait
		return a, true
	case Exhausted:
		a = failure(http.StatusForbidden, "API rate limit exceeded for installation ID 0.")
		a.header = http.Header{
			"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(now.Add(after).Unix(), 10)},
		}
		return a, true
	case Unprocessable:
		return invalid(fieldError{"Resource", "field", "custom", "the stand-in refuses this call"}), true
	}
	return answer{}, false
}
