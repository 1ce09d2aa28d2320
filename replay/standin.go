package replay

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// play is a stand-in's answer to one request.
type play struct {
	status  int
	headers map[string]string
	body    []byte
	wait    time.Duration // before answering
	// fault is a transport error instead of an answer: "refused" and "reset" end the connection,
	// "timeout" never answers.
	fault string
	// route is the recorded route the request was recognised as.
	route string
	// unknown says that nothing recorded resembles the request.
	unknown bool
	// after is called when the call is over; may be nil.
	after func()
}

// actor decides what a dependency answers.
type actor interface {
	// act is called once per request, from several goroutines.
	act(peer string, x *tapped) play
}

// servedCall is a call that a stand-in answered.
type servedCall struct {
	tapped
	peer    string
	route   string
	unknown bool
}

// stage runs the stand-ins of all dependencies of one service under test.
type stage struct {
	actor   actor
	now     func() time.Time
	maxBody int64
	maxLog  int

	listeners map[string]net.Listener
	servers   []*http.Server
	ended     chan struct{}
	wg        sync.WaitGroup

	mu      sync.Mutex
	calls   []servedCall
	dropped int
	active  int        // handlers under way
	quiet   *sync.Cond // active became 0
	shut    bool
}

// maxStandInCalls bounds the log of a service that calls without end.
const maxStandInCalls = 200_000

// newStage listens for each dependency and starts to answer.
func newStage(peers []string, a actor, listen func() (net.Listener, error), now func() time.Time) (*stage, error) {
	s := &stage{actor: a, now: now, maxBody: 4 << 20, maxLog: maxStandInCalls, listeners: map[string]net.Listener{}, ended: make(chan struct{})}
	s.quiet = sync.NewCond(&s.mu)
	for _, peer := range peers {
		l, err := listen()
		if err != nil {
			s.close()
			return nil, fmt.Errorf("stand-in for %s: %w", peer, err)
		}
		s.listeners[peer] = l
		srv := &http.Server{Handler: s.handler(peer), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		s.servers = append(s.servers, srv)
		s.wg.Go(func() { _ = srv.Serve(l) })
	}
	return s, nil
}

// close ends the stand-ins; calls that hang are cut. After it the log is complete: an answer reaches the service before its
// handler writes the log, so a busy machine would lose the last calls.
func (s *stage) close() {
	s.mu.Lock()
	if !s.shut {
		s.shut = true
		close(s.ended)
	}
	s.mu.Unlock()
	for _, srv := range s.servers {
		_ = srv.Close()
	}
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.active > 0 {
		s.quiet.Wait()
	}
}

// enter admits a call unless the stand-ins are closed.
func (s *stage) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return false
	}
	s.active++
	return true
}

func (s *stage) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active--; s.active == 0 {
		s.quiet.Broadcast()
	}
}

// log returns the calls answered so far and how many more there were.
func (s *stage) log() ([]servedCall, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]servedCall(nil), s.calls...), s.dropped
}

func (s *stage) handler(peer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			abortConnection(w)
			return
		}
		defer s.leave()
		x := tapped{start: s.now(), method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, header: r.Header}
		if x.path == "" || r.Method == http.MethodConnect {
			x.path = "/"
		}
		x.context, x.hasContext = parseTraceparent(r.Header.Get("Traceparent"))
		var err error
		if x.body, x.truncated, _, err = readBounded(r.Body, s.maxBody); err != nil {
			return // the caller went away while sending
		}
		p := s.actor.act(peer, &x)
		if p.after != nil {
			defer p.after()
		}
		s.perform(r.Context(), w, &x, p)
		x.latency = s.now().Sub(x.start)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.calls) >= s.maxLog {
			s.dropped++
			return
		}
		s.calls = append(s.calls, servedCall{tapped: x, peer: peer, route: p.route, unknown: p.unknown})
	})
}

func (s *stage) perform(ctx context.Context, w http.ResponseWriter, x *tapped, p play) {
	if p.fault == "timeout" {
		x.err = "timeout"
		select {
		case <-ctx.Done():
		case <-s.ended:
		}
		abortConnection(w)
		return
	}
	if p.wait > 0 {
		timer := time.NewTimer(p.wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			x.err = "timeout" // the caller gave up
			return
		case <-s.ended:
			abortConnection(w)
			return
		}
	}
	if p.fault != "" {
		x.err = p.fault
		abortConnection(w)
		return
	}
	for k, v := range p.headers {
		w.Header().Set(k, v)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	x.status, x.respBody = p.status, p.body
	w.WriteHeader(p.status)
	_, _ = w.Write(p.body)
}

// playOf turns a recorded call into an answer.
func playOf(d *Downstream) play {
	p := play{status: d.Response.Status, wait: time.Duration(d.Latency), fault: d.Error, route: callRoute(d), headers: map[string]string{}}
	for k, v := range d.Response.Headers {
		if !responseNoise[k] && k != "content-encoding" {
			p.headers[k] = v
		}
	}
	p.body = wireBody(d.Response.Body, header(d.Response.Headers, "Content-Type"))
	return p
}

// strange is the answer to a request nothing recorded resembles.
func strange(peer string, x *tapped) play {
	path, err := url.PathUnescape(x.path)
	if err != nil {
		path = x.path
	}
	return play{status: http.StatusNotImplemented, unknown: true, headers: map[string]string{"content-type": "text/plain; charset=utf-8"},
		body: fmt.Appendf(nil, "the stand-in for %s has no recorded answer to %s %s; record a golden case that makes this call\n", peer, clip(x.method, 20), clip(path, 200))}
}
