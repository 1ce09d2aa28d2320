package replay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func fetch(t *testing.T, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

// Answers without a body, as HTTP has them, and large ones.
func TestStageAnswersEveryStatus(t *testing.T) {
	tests := []struct {
		method string
		play   play
		body   string
	}{
		{"GET", play{status: 200, body: []byte("x")}, "x"},
		{"HEAD", play{status: 200, body: []byte("x")}, ""},
		{"GET", play{status: 204, body: []byte("never sent")}, ""},
		{"GET", play{status: 304, body: []byte("never sent")}, ""},
		{"DELETE", play{status: 404}, ""},
		{"POST", play{status: 500, body: []byte(strings.Repeat("x", 1<<20))}, strings.Repeat("x", 1<<20)},
		{"GET", play{status: 200, headers: map[string]string{"content-type": "text/csv", "x-a": "b"}, body: []byte("1,2")}, "1,2"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %d", tt.method, tt.play.status), func(t *testing.T) {
			_, base := newTestStage(t, scripted(func(string, *tapped) play { return tt.play }))
			resp, body := fetch(t, tt.method, base, "")
			if resp.StatusCode != tt.play.status || body != tt.body {
				t.Errorf("%d with %d bytes", resp.StatusCode, len(body))
			}
			for k, v := range tt.play.headers {
				if resp.Header.Get(k) != v {
					t.Errorf("%s: %q", k, resp.Header.Get(k))
				}
			}
		})
	}
}

func TestStageBoundsBodiesAndItsLog(t *testing.T) {
	var seen sync.Map
	s, base := newTestStage(t, scripted(func(_ string, x *tapped) play {
		seen.Store(x.path, len(x.body))
		return play{status: 200}
	}))
	s.maxBody, s.maxLog = 100, 3
	fetch(t, "POST", base+"/large", strings.Repeat("x", 1000))
	for range 4 {
		fetch(t, "POST", base+"/small", "x")
	}
	s.close()
	calls, dropped := s.log()
	if len(calls) != 3 || dropped != 2 || !calls[0].truncated || calls[1].truncated {
		t.Errorf("%d calls, %d dropped, first truncated %v", len(calls), dropped, calls[0].truncated)
	}
	if n, _ := seen.Load("/large"); n.(int) > 101 {
		t.Errorf("%d bytes were taken in", n)
	}
}

// The answer arrives before the log is written; after close the log has every call all the same.
func TestTheLogIsCompleteWhenTheStageIsClosed(t *testing.T) {
	for range 20 {
		s, base := newTestStage(t, scripted(func(string, *tapped) play { return play{status: 200} }))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				resp, err := http.Get(base)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		}
		wg.Wait()
		s.close()
		if calls, _ := s.log(); len(calls) != 8 {
			t.Fatalf("%d of 8 calls are in the log", len(calls))
		}
	}
}

func TestStageCanBeClosedTwiceAndAnswersNobodyAfter(t *testing.T) {
	s, base := newTestStage(t, scripted(func(string, *tapped) play { return play{status: 200} }))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(s.close)
	}
	wg.Wait()
	if resp, err := http.Get(base); err == nil {
		resp.Body.Close()
		t.Error("it answers after it was closed")
	}
	if s.enter() {
		t.Error("it lets a call in after it was closed")
	}
}

// A caller that gives up is seen as one that gave up, and what the call held is given back.
func TestStageNoticesCallersThatGiveUp(t *testing.T) {
	arrived, over := make(chan struct{}), make(chan struct{})
	s, base := newTestStage(t, scripted(func(string, *tapped) play {
		close(arrived)
		return play{status: 200, wait: time.Hour, after: func() { close(over) }}
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	conn.Close()
	<-over
	s.close()
	if calls, _ := s.log(); len(calls) != 1 || calls[0].err != "timeout" || calls[0].status != 0 {
		t.Errorf("%+v", calls)
	}
}

func TestListenersAreClosedWhenOneFails(t *testing.T) {
	var opened []net.Listener
	_, err := newStage([]string{"a", "b"}, scripted(nil), func() (net.Listener, error) {
		if len(opened) == 1 {
			return nil, errors.New("no more ports")
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		opened = append(opened, l)
		return l, err
	}, time.Now)
	if err == nil || !strings.Contains(err.Error(), "stand-in for b: no more ports") {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", opened[0].Addr().String()); err == nil {
		conn.Close()
		t.Error("the first listener is still open")
	}
}

func TestLikenessOfRequests(t *testing.T) {
	recorded := &Downstream{Peer: "p", Request: Request{Method: "GET", Route: "/a/{id}", Path: "/a/1", Query: "q=1", Body: []byte(`{"n":1}`)}}
	order := []Request{
		{Path: "/a/1", Query: "q=1", Body: []byte(`{"n":1}`)},
		{Path: "/a/1", Query: "q=2", Body: []byte(`{"n":1}`)},
		{Path: "/a/1", Query: "q=1", Body: []byte(`{"n":2}`)},
		{Path: "/a/1", Query: "q=2", Body: []byte(`{"n":2}`)},
		{Path: "/a/2", Query: "q=1", Body: []byte(`{"n":1}`)},
		{Path: "/a/2", Query: "q=2", Body: []byte(`{"n":2}`)},
		{Path: "/b/1", Query: "q=1", Body: []byte(`{"n":1}`)},
	}
	last := 1 << 30
	for i := range order {
		score := likeness(recorded, &order[i])
		if score >= last {
			t.Errorf("%+v is as like as the one before: %d", order[i], score)
		}
		last = score
	}
	if last != 0 {
		t.Error("another route is like it")
	}
}

func TestTheLibraryPrefersSuccess(t *testing.T) {
	set := smallSet()
	set.Cases[0].Downstream = []Downstream{answered("POST", "/b", 503, `"busy"`), answered("POST", "/b", 200, `"fine"`), answered("POST", "/b", 404, `"gone"`)}
	d := newLibrary([]*Set{set}).find("ledger", &tapped{method: "POST", path: "/b", header: http.Header{}})
	if d == nil || d.Response.Status != 200 {
		t.Errorf("%+v", d)
	}
	if got := newLibrary(nil).find("ledger", &tapped{method: "POST", path: "/b"}); got != nil {
		t.Errorf("%+v", got)
	}
}

func TestTraceparentVersions(t *testing.T) {
	for _, tt := range []struct {
		version, rest string
		ok            bool
	}{{"00", "", true}, {"01", "", true}, {"01", "-more", true}, {"00", "-more", false}, {"01", "more", false}, {"ff", "", false}, {"0g", "", false}} {
		tp := newTraceparent("v", 1)
		text := tt.version + tp.String()[2:] + tt.rest
		if got, ok := parseTraceparent(text); ok != tt.ok || ok && got != tp {
			t.Errorf("%s: %v", text, ok)
		}
		if _, ok := parseTraceparent(strings.ToUpper(text)); ok && strings.ToUpper(text) != text {
			t.Errorf("%s is accepted in upper case", text)
		}
	}
}
