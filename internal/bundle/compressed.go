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

// content is a decompressed file that stops at its limit with an error.
type content struct {
	io.Reader
	name    string
	left    int64
	closers []func()
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
	switch path.Ext(name) {
	case ".gz":
		z, err := gzip.NewReader(f)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("%s is not gzip: %w; copy it again, or name it without .gz", l.name, err)
		}
		l.Reader = z
		l.closers = append(l.closers, func() { z.Close() })
	case ".zst":
		z, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("%s is not zstd: %w; copy it again, or name it without .zst", l.name, err)
		}
		l.Reader = z
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
	return n, err
}

// Close frees the decompressor and the file.
func (l *content) Close() {
	for i := len(l.closers) - 1; i >= 0; i-- {
		l.closers[i]()
	}
}
