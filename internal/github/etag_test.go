package github

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestKeptAnswersAreBounded(t *testing.T) {
	e := newETags()
	request := func(n int) *http.Request { return httptest.NewRequest(http.MethodGet, fmt.Sprintf("/%d", n), nil) }
	header := http.Header{"Etag": {`"x"`}, "Link": {"next"}, "X-Ratelimit-Remaining": {"0"}}
	body := bytes.Repeat([]byte("b"), maxKeptEntry)
	for n := range 3 * maxKept / maxKeptEntry {
		e.put(request(n), header, body)
		e.get(request(0)) // used, so it stays
	}
	if e.size > maxKept || e.order.Len() != len(e.byKey) || e.order.Len() != maxKept/maxKeptEntry {
		t.Errorf("%d bytes in %d answers, %d keys", e.size, e.order.Len(), len(e.byKey))
	}
	if e.get(request(1)) != nil {
		t.Error("the oldest answer is still there")
	}
	k := e.get(request(0))
	if k == nil {
		t.Fatal("the answer that was used is gone")
	}
	res := k.response(request(0))
	if got, _ := io.ReadAll(res.Body); len(got) != len(body) || res.StatusCode != 200 || res.Header.Get("Link") != "next" || res.Header.Get("X-RateLimit-Remaining") != "" {
		t.Errorf("%d bytes, %d, %v", len(got), res.StatusCode, res.Header)
	}
	e.put(request(0), header, []byte("new"))
	if got := e.get(request(0)); string(got.body) != "new" || e.size > maxKept {
		t.Errorf("%s", got.body)
	}
	before := e.size
	e.put(request(99), header, append(body, 'x'))
	e.put(request(98), http.Header{}, []byte("untagged"))
	post := request(97)
	post.Method = http.MethodPost
	e.put(post, header, []byte("written"))
	if e.size != before || e.get(post) != nil {
		t.Error("kept what is too large, untagged or not read")
	}
}

func TestKeptAnswersAreTheKindThatWasAskedFor(t *testing.T) {
	e := newETags()
	r := httptest.NewRequest(http.MethodGet, "/a", nil)
	r.Header.Set("Accept", "application/vnd.github.diff")
	e.put(r, http.Header{"Etag": {`"x"`}}, []byte("a diff"))
	if e.get(httptest.NewRequest(http.MethodGet, "/a", nil)) != nil {
		t.Error("a diff was kept as JSON")
	}
}
