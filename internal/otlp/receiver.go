package otlp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/remediator/remediator/telemetry"
)

// Options configure a Receiver. The zero value of each field but Now means its default.
type Options struct {
	// TLS makes both ports speak TLS.
	TLS *tls.Config
	// Token returns the bearer token that senders have to show; it is asked for every request, so that a token may change. nil
	// means that everybody may send; a token that is empty lets nobody in.
	Token func() string
	// MaxRequest bounds one export after decompression. Default 8 MiB: the SDKs send well under 4.
	MaxRequest int64
	// MaxInFlight bounds the bytes of all exports that are not yet answered. Default 64 MiB.
	MaxInFlight int64
	// MaxRequests bounds the exports under way, and the connections of each port. Default 1024.
	MaxRequests int
	// ReadTimeout bounds how long an export may take to arrive. Default 30 s.
	ReadTimeout time.Duration
	// AppendTimeout bounds how long the log may take. Default 10 s.
	AppendTimeout time.Duration
	// StopTimeout bounds how long a stop waits for exports under way. Default 10 s.
	StopTimeout time.Duration
	// Keep is the age of the oldest telemetry that is taken. Default 3 h.
	Keep  time.Duration
	Watch Watcher
	Log   *slog.Logger
	// Now is the clock, required.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	o.MaxRequest = cmp.Or(o.MaxRequest, 8<<20)
	o.MaxInFlight = cmp.Or(o.MaxInFlight, 64<<20)
	o.MaxRequests = cmp.Or(o.MaxRequests, 1024)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 30*time.Second)
	o.AppendTimeout = cmp.Or(o.AppendTimeout, 10*time.Second)
	o.StopTimeout = cmp.Or(o.StopTimeout, 10*time.Second)
	o.Keep = cmp.Or(o.Keep, 3*time.Hour)
	if o.Watch == nil {
		o.Watch = noWatcher{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Receiver takes OTLP exports and keeps them in a log.
type Receiver struct {
	o       Options
	batch   map[telemetry.Signal]*batcher
	budget  *budget
	decodes chan struct{} // a place for each export that is being decoded
	reads   chan struct{} // a place for each gRPC message that is arriving
	bodies  decompressors
}

// NewReceiver returns a receiver that keeps what it takes in a log.
func NewReceiver(log Log, o Options) (*Receiver, error) {
	if o.Now == nil {
		return nil, errors.New("the OTLP receiver needs a clock")
	}
	o = o.withDefaults()
	pack, err := newPacker()
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		o: o, batch: map[telemetry.Signal]*batcher{},
		budget:  &budget{maxRequests: int64(o.MaxRequests), maxBytes: o.MaxInFlight},
		decodes: make(chan struct{}, runtime.GOMAXPROCS(0)),
		reads:   make(chan struct{}, 4*max(o.MaxInFlight/o.MaxRequest, 1)),
	}
	for _, s := range []telemetry.Signal{telemetry.Traces, telemetry.Logs, telemetry.Metrics} {
		r.batch[s] = newBatcher(s, log, pack, &o)
	}
	return r, nil
}

// Serve answers on the listeners, of which either may be nil, until ctx ends; exports under way are then finished, for
// a while. It returns the first error of a listener.
func (r *Receiver) Serve(ctx context.Context, grpc, http net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, 2)
	start := func(i int, l net.Listener, serve func(context.Context, net.Listener) error) {
		if l == nil {
			return
		}
		wg.Go(func() {
			if errs[i] = serve(ctx, netutil.LimitListener(l, r.o.MaxRequests)); errs[i] != nil {
				cancel()
			}
		})
	}
	start(0, grpc, r.serveGRPC)
	start(1, http, r.serveHTTP)
	<-ctx.Done()
	wg.Wait()
	for _, b := range r.batch {
		b.drain()
	}
	return errors.Join(errs...)
}

// allowed compares the Authorization header with the token, in a time that does not depend on either.
func (r *Receiver) allowed(header string) bool {
	if r.o.Token == nil {
		return true
	}
	scheme, given, _ := strings.Cut(header, " ")
	token := r.o.Token()
	a, b := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && strings.EqualFold(scheme, "Bearer") && token != ""
}

// accept decodes and keeps one export, and returns the answer in the encoding of the request. Errors are refusals, or
// of ctx.
func (r *Receiver) accept(ctx context.Context, signal telemetry.Signal, transport string, body []byte, asJSON bool) ([]byte, error) {
	select {
	case r.decodes <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	e, ps, left, err := r.prepare(signal, body, asJSON)
	<-r.decodes
	if err != nil {
		return nil, err
	}
	if len(ps) > 0 {
		if err := r.batch[signal].add(ctx, ps); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, unavailable()
		}
	}
	kept := 0
	for _, p := range ps {
		kept += p.items
	}
	r.o.Watch.Received(string(signal), transport, kept)
	var why []string
	for _, w := range left {
		if w.items > 0 {
			r.o.Watch.Refused(string(signal), transport, w.reason, w.items)
			why = append(why, w.text)
		}
	}
	rejected := left[0].items + left[1].items
	return e.answer(asJSON, rejected, strings.Join(why, "; "))
}

// leftOut is what was left out of an export.
type leftOut struct {
	reason, text string
	items        int
}

// prepare turns a body into pieces.
func (r *Receiver) prepare(signal telemetry.Signal, body []byte, asJSON bool) (export, []piece, [2]leftOut, error) {
	left := [2]leftOut{
		{reason: ReasonTime, text: "items are older than what is kept, or from the future; set the sender's clock"},
		{reason: ReasonTooLarge, text: "items, or their resource, are too large; shorten their attributes"},
	}
	e, err := decode(signal, body, asJSON)
	if err != nil {
		return nil, nil, left, err
	}
	s := e.sift(boundsAt(r.o.Now(), r.o.Keep))
	left[0].items = s.rejected
	if asJSON {
		body = nil
	}
	ps, large, err := pieces(e, body, s)
	if err != nil {
		return nil, nil, left, malformed("the export cannot be encoded again")
	}
	left[1].items = large
	return e, ps, left, nil
}
