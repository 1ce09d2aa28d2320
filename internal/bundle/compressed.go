package bundle

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow bounds the memory one zstd frame may ask for.
const zstdWindow = 128 << 20

// Telemetry packs some thirty times, and what is mostly repetition some hundred times. A file that unpacks beyond that is made to
// keep whoever reads it busy; a small one may, since it cannot.
const (
	mostRatio  = 500
	smallBytes = 16 << 20 // unpacked
)

// content is a decompressed file that stops at its limit with an error.
type content struct {
	io.Reader
	name     string
	left     int64
	packed   *counted // nil where nothing is compressed
	unpacked int64
	closers  []func()
}

// counted counts the bytes that were read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// open opens a file that is there, decompressing what its ending says is compressed.
func open(root *os.Root, name string, limit int64) (*content, error) {
	f, err := openFile(root, name)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fmt.Errorf("%s was there and is gone; load the bundle again", name)
	}
	l := &content{Reader: f, name: name, left: limit, closers: []func(){func() { f.Close() }}}
	packed := &counted{Reader: f}
	switch path.Ext(name) {
	case ".gz":
		z, err := gzip.NewReader(packed)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("%s is not gzip: %w; copy it again, or name it without .gz", l.name, err)
		}
		l.Reader, l.packed = z, packed
		l.closers = append(l.closers, func() { z.Close() })
	case ".zst":
		z, err := zstd.NewReader(packed, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("%s is not zstd: %w; copy it again, or name it without .zst", l.name, err)
		}
		l.Reader, l.packed = z, packed
		l.closers = append(l.closers, z.Close)
	}
	return l, nil
}

func (l *content) Read(p []byte) (int, error) {
	if l.left <= 0 {
		// Whatever is left is more than was allowed, unless nothing is.
		var one [1]byte
		if n, err := io.ReadFull(l.Reader, one[:]); n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("%s holds more data than allowed once decompressed; record a shorter window", l.name)
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.Reader.Read(p)
	l.left -= int64(n)
	l.unpacked += int64(n)
	if l.packed != nil && l.unpacked > smallBytes && l.unpacked > mostRatio*l.packed.n {
		return 0, fmt.Errorf("%s unpacks to more than %d times its size, which telemetry does not; export it again, or unpack it if it is what it should be", l.name, mostRatio)
	}
	return n, err
}

// Close frees the decompressor and the file.
func (l *content) Close() {
	for i := len(l.closers) - 1; i >= 0; i-- {
		l.closers[i]()
	}
}
