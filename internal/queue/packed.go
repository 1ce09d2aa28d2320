package queue

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// packFrom is the size above which stored values are compressed: small ones stay legible to
	// the operator's own tools.
	packFrom = 16 << 10
	// unpackMost bounds what a stored value may grow to, since others may write into a shared cluster.
	unpackMost = 64 << 20
)

// zstdMagic begins every zstd frame. No value of ours begins so, as they are JSON.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// packer compresses stored values.
type packer struct {
	once sync.Once
	enc  *zstd.Encoder
	dec  *zstd.Decoder
	err  error
}

func (p *packer) init() error {
	p.once.Do(func() {
		p.enc, p.err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if p.err == nil {
			p.dec, p.err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(unpackMost), zstd.WithDecoderConcurrency(1))
		}
	})
	return p.err
}

func (p *packer) pack(b []byte) ([]byte, error) {
	if len(b) < packFrom && !bytes.HasPrefix(b, zstdMagic) {
		return b, nil
	}
	if err := p.init(); err != nil {
		return nil, err
	}
	return p.enc.EncodeAll(b, nil), nil
}

func (p *packer) unpack(b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, zstdMagic) {
		return b, nil
	}
	if err := p.init(); err != nil {
		return nil, err
	}
	out, err := p.dec.DecodeAll(b, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return nil, fmt.Errorf("the stored value is larger than %d bytes", unpackMost)
	}
	return out, err
}
