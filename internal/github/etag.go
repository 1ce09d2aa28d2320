package github

import (
	"bytes"
	"container/list"
	"io"
	"net/http"
	"sync"
)

const (
	// An answer that was not changed costs nothing of the rate limit; these bound what is kept for it.
	maxKept      = 8 << 20
	maxKeptEntry = 1 << 20
)

// etags keeps answers with the tag under which GitHub knows them, least recently used ones go first.
// Every use asks GitHub whether the answer still holds, so nothing stale is ever seen.
type etags struct {
	mu    sync.Mutex
	size  int
	order *list.List // of *kept, newest first
	byKey map[string]*list.Element
}

type kept struct {
	key    string
	etag   string
	header http.Header
	body   []byte
}

func newETags() *etags { return &etags{order: list.New(), byKey: map[string]*list.Element{}} }

func keyOf(r *http.Request) string { return r.Header.Get("Accept") + " " + r.URL.String() }

func (e *etags) get(r *http.Request) *kept {
	if r.Method != http.MethodGet {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.byKey[keyOf(r)]
	if at == nil {
		return nil
	}
	e.order.MoveToFront(at)
	return at.Value.(*kept)
}

func (e *etags) put(r *http.Request, header http.Header, body []byte) {
	etag := header.Get("ETag")
	if r.Method != http.MethodGet || etag == "" || len(body) > maxKeptEntry {
		return
	}
	k := &kept{key: keyOf(r), etag: etag, header: header.Clone(), body: body}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old := e.byKey[k.key]; old != nil {
		e.drop(old)
	}
	e.byKey[k.key] = e.order.PushFront(k)
	e.size += len(body)
	for e.size > maxKept {
		e.drop(e.order.Back())
	}
}

func (e *etags) drop(at *list.Element) {
	k := e.order.Remove(at).(*kept)
	delete(e.byKey, k.key)
	e.size -= len(k.body)
}

// response is the kept answer as if it had just come.
func (k *kept) response(r *http.Request) *http.Response {
	h := k.header.Clone()
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Used"} {
		h.Del(name)
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)), Request: r,
	}
}
