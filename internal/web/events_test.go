package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/remedy/docket"
)

// stream reads the events of a service.
type stream struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Scanner
	stop context.CancelFunc
}

func (s *site) stream(path, token string) *stream {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), 30*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.URL+"/api/v1/events"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { stop(); resp.Body.Close() })
	return &stream{t: s.t, resp: resp, in: bufio.NewScanner(resp.Body), stop: stop}
}

// next returns the next event, false when the stream has ended.
func (s *stream) next() (eventData, bool) {
	s.t.Helper()
	kind := ""
	for s.in.Scan() {
		line := s.in.Text()
		if value, ok := strings.CutPrefix(line, "event: "); ok {
			kind = value
		}
		if value, ok := strings.CutPrefix(line, "data: "); ok {
			var e eventData
			if err := json.Unmarshal([]byte(value), &e); err != nil || kind != "case" {
				s.t.Fatalf("event %q: %v in %s", kind, err, value)
			}
			return e, true
		}
	}
	return eventData{}, false
}

func TestEventsTellEveryChange(t *testing.T) {
	s := newSite(t)
	all, one := s.stream("", readToken), s.stream("?case="+fp("22222222"), readToken)
	if ct := all.resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatalf("%s %s", all.resp.Status, ct)
	}
	rec := s.record(fp("11111111"))
	rec.Stage = docket.Running
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	s.record(fp("22222222"), held("severity critical\nevent: forged\ndata: {}"))
	if err := s.memory.Delete(t.Context(), fp("11111111")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"11111111 queued", "11111111 running", "22222222 held", "11111111 deleted"} {
		e, ok := all.next()
		if !ok {
			t.Fatal("the stream ended")
		}
		got := e.Fingerprint[:8] + " deleted"
		if !e.Deleted {
			got = e.Fingerprint[:8] + " " + string(e.Case.Stage)
		}
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if e, ok := one.next(); !ok || e.Fingerprint != fp("22222222") || !e.Case.Waiting {
		t.Errorf("the stream of one case: %+v", e)
	}
}

func TestEventsNeedAToken(t *testing.T) {
	s := newSite(t)
	if r := s.stream("", ""); r.resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s", r.resp.Status)
	}
}

func TestCloseEndsStreamsAndTheirWatch(t *testing.T) {
	ended := make(chan struct{})
	s := newSite(t, func(o *Options) {
		inner := o.Store
		o.Store = watched{inner, func(ctx context.Context) { context.AfterFunc(ctx, func() { close(ended) }) }}
	})
	a, b := s.stream("", readToken), s.stream("", readToken)
	s.handler.Close()
	s.handler.Close()
	for _, one := range []*stream{a, b} {
		if _, ok := one.next(); ok {
			t.Error("an event after the end")
		}
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the store is still watched for nobody")
	}
}

type watched struct {
	docket.Store
	began func(context.Context)
}

func (w watched) Watch(ctx context.Context) (<-chan *docket.Record, error) {
	w.began(ctx)
	return w.Store.Watch(ctx)
}

// One reader that does not read must neither stop the others nor fill the memory.
func TestAttackReaderThatNeverReads(t *testing.T) {
	changes := make(chan *docket.Record)
	b := &hub{watch: func(context.Context) (<-chan *docket.Record, error) { return changes, nil }}
	lazy, err := b.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	quick, err := b.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	var done sync.WaitGroup
	done.Go(func() {
		for range quick {
			got++
		}
	})
	const sent = 3 * behind
	for i := range sent {
		changes <- &docket.Record{Fingerprint: fmt.Sprint(i)}
	}
	close(changes)
	done.Wait()
	if got < behind {
		t.Errorf("the quick reader got %d of %d", got, sent)
	}
	n := 0
	for range lazy {
		n++
	}
	if n != behind {
		t.Errorf("%d events wait for a reader that does not read, want %d", n, behind)
	}
	b.leave(lazy)
	b.leave(quick)
}

func TestAttackTooManyStreams(t *testing.T) {
	b := &hub{watch: func(context.Context) (<-chan *docket.Record, error) {
		return make(chan *docket.Record), nil
	}}
	var open []chan *docket.Record
	for range maxStreams {
		ch, err := b.subscribe()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, ch)
	}
	if _, err := b.subscribe(); err == nil {
		t.Error("one more than there may be")
	}
	for _, ch := range open {
		b.leave(ch)
		b.leave(ch)
	}
	if b.stop != nil || len(b.subs) != 0 {
		t.Error("the watch goes on for nobody")
	}
	if _, err := b.subscribe(); err != nil {
		t.Errorf("after all left: %v", err)
	}
}

func TestTokenTakenAwayEndsItsStream(t *testing.T) {
	s := newSite(t)
	beat := make(chan time.Time)
	s.handler.beats = func() (<-chan time.Time, func()) { return beat, func() {} }
	r := s.stream("", readToken)
	beat <- time.Time{}
	for r.in.Scan() && !strings.Contains(r.in.Text(), "still there") {
	}
	s.mu.Lock()
	s.tokens = []config.Token{}
	s.mu.Unlock()
	beat <- time.Time{}
	if _, ok := r.next(); ok {
		t.Error("an event for a token that is not known any more")
	}
}
