package llm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// recorded is a server that answers from a file of testdata/servers. A file holds exchanges:
//
//	> METHOD /path [text that the request's body holds]
//	< STATUS content/type
//	the body
//
// The first exchange whose request fits answers, so that narrower ones come first. The forms follow the documentation
// of the servers. "\e" at the end of a line of an event stream stands for the empty line.
type recorded struct {
	*httptest.Server
	mu       sync.Mutex
	requests []recordedRequest
}

type recordedRequest struct {
	path, body string
	header     http.Header
}

type exchange struct {
	method, path, holds string
	status              int
	kind, body          string
}

func loadExchanges(t testing.TB, name string) []exchange {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "servers", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []exchange
	s := bufio.NewScanner(f)
	for s.Scan() {
		line := s.Text()
		if rest, ok := strings.CutPrefix(line, "> "); ok {
			method, rest, _ := strings.Cut(rest, " ")
			path, holds, _ := strings.Cut(rest, " ")
			out = append(out, exchange{method: method, path: path, holds: holds})
			continue
		}
		if len(out) == 0 {
			continue // a comment
		}
		e := &out[len(out)-1]
		if rest, ok := strings.CutPrefix(line, "< "); ok {
			if _, err := fmt.Sscanf(rest, "%d %s", &e.status, &e.kind); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			continue
		}
		e.body += line + "\n"
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no exchange", name)
	}
	return out
}

func serve(t testing.TB, name string) *recorded {
	t.Helper()
	exchanges := loadExchanges(t, name)
	r := &recorded{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body strings.Builder
		b := bufio.NewReader(req.Body)
		if _, err := b.WriteTo(&body); err != nil {
			return
		}
		r.mu.Lock()
		r.requests = append(r.requests, recordedRequest{req.URL.Path, body.String(), req.Header.Clone()})
		r.mu.Unlock()
		for _, e := range exchanges {
			if e.method == req.Method && e.path == req.URL.Path && strings.Contains(body.String(), e.holds) {
				w.Header().Set("Content-Type", e.kind)
				w.WriteHeader(e.status)
				_, _ = w.Write([]byte(e.body))
				return
			}
		}
		http.NotFound(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// asked counts the requests to a path.
func (r *recorded) asked(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, q := range r.requests {
		if q.path == path {
			n++
		}
	}
	return n
}

// last is the body of the last request to a path, decoded.
func (r *recorded) last(t testing.TB, path string) map[string]any {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.requests) - 1; i >= 0; i-- {
		if r.requests[i].path == path {
			var v map[string]any
			if err := json.Unmarshal([]byte(r.requests[i].body), &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("nothing was sent to %s", path)
	return nil
}

func connect(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
