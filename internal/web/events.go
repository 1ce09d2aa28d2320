package web

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

const (
	// maxStreams bounds the connections that wait for events.
	maxStreams = 500
	// behind is how many events may wait for one reader. A reader that lags more is cut off; it comes
	// back by itself and reads the list anew.
	behind = 256
	// heartbeat keeps proxies from closing a quiet stream, and is how soon a token that was taken away ends it.
	heartbeat = 15 * time.Second
	// writeWait is how long one event may take to be taken.
	writeWait = 10 * time.Second
)

// hub lets all streams of this process share one watch of the store, which lasts while there is one.
type hub struct {
	watch func(context.Context) (<-chan *docket.Record, error)

	mu   sync.Mutex
	subs map[chan *docket.Record]bool
	stop context.CancelFunc
}

// subscribe returns a channel of changes, closed when the reader lags or the store stops.
func (b *hub) subscribe() (chan *docket.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.subs) >= maxStreams {
		return nil, problem(http.StatusServiceUnavailable, "%d streams are open: ask for /cases now and then instead", maxStreams)
	}
	if len(b.subs) == 0 {
		ctx, stop := context.WithCancel(context.Background())
		changes, err := b.watch(ctx)
		if err != nil {
			stop()
			return nil, fmt.Errorf("watching the cases: %w", err)
		}
		subs := map[chan *docket.Record]bool{}
		b.subs, b.stop = subs, stop
		go b.spread(changes, subs)
	}
	ch := make(chan *docket.Record, behind)
	b.subs[ch] = true
	return ch, nil
}

// spread hands every change to all readers of one watch.
func (b *hub) spread(changes <-chan *docket.Record, subs map[chan *docket.Record]bool) {
	for r := range changes {
		b.mu.Lock()
		for ch := range subs {
			select {
			case ch <- r:
			default:
				b.drop(subs, ch)
			}
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range subs {
		b.drop(subs, ch)
	}
}

func (b *hub) leave(ch chan *docket.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs[ch] {
		b.drop(b.subs, ch)
	}
}

// drop closes a reader's channel, and the watch after the last; b.mu is held.
func (b *hub) drop(subs map[chan *docket.Record]bool, ch chan *docket.Record) {
	delete(subs, ch)
	close(ch)
	if len(b.subs) == 0 && b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// beats is a ticker for one stream; tests bring their own.
func beats() (<-chan time.Time, func()) {
	t := time.NewTicker(heartbeat)
	return t.C, t.Stop
}

// streamEvents sends every change of a record as a server-sent event named "case".
func streamEvents(h *Handler, w http.ResponseWriter, r *http.Request, who caller) error {
	only := r.URL.Query().Get("case")
	ch, err := h.hub.subscribe()
	if err != nil {
		return err
	}
	defer h.hub.leave(ch)
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would collect events
	send := func(format string, args ...any) bool {
		// A server's WriteTimeout counts from the request's start and would end the stream.
		_ = out.SetWriteDeadline(time.Now().Add(writeWait))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && out.Flush() == nil
	}
	if !send("retry: 3000\n: changes of cases follow\n\n") {
		return nil
	}
	tick, stop := h.beats()
	defer stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-h.done:
			return nil
		case <-tick:
			if now, p := h.identify(r); p != nil || now.role < Read || !send(": still there\n\n") {
				return nil
			}
		case rec, ok := <-ch:
			if !ok {
				return nil
			}
			if only != "" && only != rec.Fingerprint {
				continue
			}
			if !send("event: case\ndata: %s\n\n", h.event(rec)) {
				return nil
			}
		}
	}
}
