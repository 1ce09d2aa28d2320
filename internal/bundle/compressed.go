package bundle

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow bounds the memory one zstd frame may ask for.
const zstdWindow = 128 << 20

// lines is a decompressed file that stops at its limit with an error.
type lines struct {
	io.Reader
	name    string
	left    int64
	closers []func()
}

// openLines opens name plain, or compressed with the ending that says how; nil when none of
// them is there.
func openLines(root *os.Root, name string, limit int64) (*lines, error) {
	for _, ending := range []string{"", ".gz", ".zst"} {
		f, err := openFile(root, name+ending)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		l := &lines{Reader: f, name: name + ending, left: limit, closers: []func(){func() { f.Close() }}}
		switch ending {
		case ".gz":
			z, err := gzip.NewReader(f)
			if err != nil {
				l.Close()
				return nil, fmt.Errorf("%s is not gzip: %w", l.name, err)
			}
			l.Reader = z
			l.closers = append(l.closers, func() { z.Close() })
		case ".zst":
			z, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
			if err != nil {
				l.Close()
				return nil, fmt.Errorf("%s is not zstd: %w", l.name, err)
			}
			l.Reader = z
			l.closers = append(l.closers, z.Close)
		}
		return l, nil
	}
	return nil, nil // absence is not an error here
}

func (l *lines) Read(p []byte) (int, error) {
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
func (l *lines) Close() {
	for i := len(l.closers) - 1; i >= 0; i-- {
		l.closers[i]()
	}
}
