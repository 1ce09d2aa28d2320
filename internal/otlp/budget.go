package otlp

import (
	"io"
	"sync/atomic"
)

// budget bounds what all requests together may hold: requests at a time, and bytes of their bodies.
type budget struct {
	requests, bytes       atomic.Int64
	maxRequests, maxBytes int64
}

// share is what one request took from the budget. It is not safe for concurrent use.
type share struct {
	of    *budget
	bytes int64
}

// enter takes a place for a request, or returns nil when there is none.
func (b *budget) enter() *share {
	if b.requests.Add(1) > b.maxRequests {
		b.requests.Add(-1)
		return nil
	}
	return &share{of: b}
}

// take takes bytes, or says that there are not so many.
func (s *share) take(n int64) bool {
	if s.of.bytes.Add(n) > s.of.maxBytes {
		s.of.bytes.Add(-n)
		return false
	}
	s.bytes += n
	return true
}

// leave gives everything back.
func (s *share) leave() {
	s.of.bytes.Add(-s.bytes)
	s.of.requests.Add(-1)
	s.bytes = 0
}

// reader takes what it reads from the share, and refuses when that is used up or the limit is passed.
type reader struct {
	io.Reader
	share *share
	left  int64 // bytes that may still come
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		if r.left -= int64(n); r.left < 0 {
			return 0, tooLarge()
		}
		if !r.share.take(int64(n)) {
			return 0, busy()
		}
	}
	return n, err
}
