package sources

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// exchange is one request with its answer, as it is kept in testdata. The host is not part of it.
type exchange struct {
	Request string `json:"request"` // method, path and query
	Sent    string `json:"sent,omitempty"`
	Status  int    `json:"status"`
	Type    string `json:"type,omitempty"`
	Answer  string `json:"answer,omitempty"`
	Bytes   []byte `json:"bytes,omitempty"` // the answer where it is no text
}

// recorder is a transport that keeps what goes over it.
type recorder struct {
	next http.RoundTripper
	mu   sync.Mutex
	kept []exchange
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	e := exchange{Request: req.Method + " " + req.URL.RequestURI()}
	if req.Body != nil {
		sent, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		e.Sent = string(sent)
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	e.Status, e.Type = resp.StatusCode, resp.Header.Get("Content-Type")
	if utf8.Valid(body) {
		e.Answer = string(body)
	} else {
		e.Bytes = body
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, e)
	return resp, nil
}

// save writes the exchanges into testdata where REMEDIATOR_RECORD is set, after scrub has gone over each.
func (r *recorder) save(t *testing.T, name string, scrub func(string) string) {
	t.Helper()
	if os.Getenv("REMEDIATOR_RECORD") == "" {
		return
	}
	var out bytes.Buffer
	for _, e := range r.kept {
		e.Request, e.Sent, e.Answer = scrub(e.Request), scrub(e.Sent), scrub(e.Answer)
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // without a time, so that the same exchanges give the same bytes
		if _, err := z.Write(out.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		out = packed
	}
	if err := os.WriteFile(filepath.Join("testdata", name), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replayed is a transport that answers from a file of exchanges. A request that was not recorded is an error.
func replayed(t *testing.T, name string) http.RoundTripper {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if text, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	known := map[string]exchange{}
	for line := range strings.Lines(string(text)) {
		var e exchange
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		known[e.Request+"\n"+e.Sent] = e
	}
	if len(known) == 0 {
		t.Fatalf("%s holds no exchange", name)
	}
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		sent := ""
		if req.Body != nil {
			data, err := io.ReadAll(req.Body)
			if err != nil {
				return nil, err
			}
			sent = string(data)
		}
		e, ok := known[req.Method+" "+req.URL.RequestURI()+"\n"+sent]
		if !ok {
			return nil, fmt.Errorf("%s %s was not recorded", req.Method, req.URL.RequestURI())
		}
		body := e.Bytes
		if body == nil {
			body = []byte(e.Answer)
		}
		return &http.Response{StatusCode: e.Status, Header: http.Header{"Content-Type": {e.Type}}, Body: io.NopCloser(bytes.NewReader(body)), Request: req}, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
