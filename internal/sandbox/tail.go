package sandbox

import (
	"strings"
	"sync"
)

// tail keeps the last bytes written to it and counts the rest. It is what stands between an
// output flood and the tool's memory.
type tail struct {
	mu    sync.Mutex
	max   int
	buf   []byte // ring once full
	start int    // of the oldest byte, once full
	total int64
}

func newTail(max int) *tail { return &tail{max: max} }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	t.total += int64(n)
	if len(p) > t.max {
		p = p[len(p)-t.max:]
	}
	if room := t.max - len(t.buf); room > 0 {
		k := min(room, len(p))
		t.buf = append(t.buf, p[:k]...)
		p = p[k:]
	}
	for len(p) > 0 {
		k := copy(t.buf[t.start:], p)
		t.start = (t.start + k) % t.max
		p = p[k:]
	}
	return n, nil
}

// String is what was kept, valid UTF-8 whatever the command wrote.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := string(t.buf[t.start:]) + string(t.buf[:t.start])
	return strings.ToValidUTF8(kept, "\uFFFD")
}

// Dropped is the number of bytes that were not kept.
func (t *tail) Dropped() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total - int64(len(t.buf))
}
