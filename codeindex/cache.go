package codeindex

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/remediator/remediator/codeindex/facts"
)

// cacheName carries the version, so that another version of the tool finds nothing.
const cacheName = "codeindex-v%d.bin"

// maxCache bounds how large a cache file is read.
const maxCache = 2 << 30

// store holds facts of earlier builds: of the previous index and of the cache on disk.
type store struct {
	path     string
	previous *Index // may be nil
	byPath   map[string]*entry
}

func newStore(o Options) *store {
	s := &store{previous: o.Previous, byPath: map[string]*entry{}}
	if o.Cache != "" {
		s.path = filepath.Join(o.Cache, fmt.Sprintf(cacheName, facts.Version))
		if s.previous == nil {
			s.load() // a cache that cannot be read is built again
		}
	}
	return s
}

func (s *store) add(e *entry) { s.byPath[e.path] = e }

func (s *store) entry(path string) *entry {
	if s.previous != nil {
		if i, ok := s.previous.byPath[path]; ok {
			return s.previous.entries[i]
		}
	}
	return s.byPath[path]
}

// unchanged is the entry of a file whose blob hash, or else size and time of modification, are what
// they were: the rule by which git itself decides whether to read a file again.
func (s *store) unchanged(f *found) *entry {
	e := s.entry(f.path)
	if e == nil {
		return nil
	}
	if f.hash != "" {
		if f.hash == e.hash {
			return e
		}
		return nil
	}
	if !f.mtime.IsZero() && f.mtime.UnixNano() == e.mtime && f.size == e.size {
		return e
	}
	return nil
}

// sameContent is the record of a file that was touched but still has the content it had. Facts
// depend on the path too (tests are told by it), so that a file that was moved is parsed again.
func (s *store) sameContent(hash, path string) ([]byte, bool) {
	e := s.entry(path)
	if e == nil || e.hash != hash {
		return nil, false
	}
	return e.record, true
}

// The cache file: per entry the path, size, time, hash, kinds of sites and the record, each with its
// length; a CRC of all of it at the end.
func (s *store) load() {
	info, err := os.Lstat(s.path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCache {
		return
	}
	b, err := os.ReadFile(s.path)
	if err != nil || len(b) < 4 {
		return
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return
	}
	for len(body) > 0 {
		var e entry
		var path, hash []byte
		if path, body = cut(body); path == nil {
			return
		}
		var numbers [3]int64
		for i := range numbers {
			n, k := binary.Varint(body)
			if k <= 0 {
				return
			}
			numbers[i], body = n, body[k:]
		}
		if hash, body = cut(body); hash == nil {
			return
		}
		if e.record, body = cut(body); e.record == nil {
			return
		}
		e.path, e.hash = string(path), hex.EncodeToString(hash)
		e.size, e.mtime, e.sites = numbers[0], numbers[1], uint16(numbers[2])
		s.add(&e)
	}
}

func cut(b []byte) (field, rest []byte) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil
	}
	return b[k : k+int(n) : k+int(n)], b[k+int(n):]
}

// save replaces the cache by the facts of an index.
func (s *store) save(x *Index) error {
	size := 4
	for _, e := range x.entries {
		size += len(e.path) + len(e.record) + 64
	}
	b := make([]byte, 0, size)
	for _, e := range x.entries {
		hash, err := hex.DecodeString(e.hash)
		if err != nil {
			continue // a file system of its own with hashes of its own
		}
		b = append(binary.AppendUvarint(b, uint64(len(e.path))), e.path...)
		for _, n := range [...]int64{e.size, e.mtime, int64(e.sites)} {
			b = binary.AppendVarint(b, n)
		}
		b = append(binary.AppendUvarint(b, uint64(len(hash))), hash...)
		b = append(binary.AppendUvarint(b, uint64(len(e.record))), e.record...)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the index cache's directory: %w: name another with --cache", err)
	}
	f, err := os.CreateTemp(dir, "codeindex-*.tmp")
	if err != nil {
		return fmt.Errorf("write the index cache: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write the index cache: %w", err)
	}
	return nil
}
