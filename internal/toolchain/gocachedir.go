package toolchain

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// goCache is a build cache in layers, all in the go command's own format on disk
// (cmd/go/internal/cache): it stores in one directory and reads from that one first, then from others.
type goCache struct {
	own  string
	warm []string
	now  func() time.Time
}

// idSize is that of an action's and an output's id, SHA-256.
const idSize = 32

// entrySize is that of an entry: "v1 <action> <output> <size> <time>\n", ids in hex, numbers in 20 columns.
const entrySize = 2 + 1 + 2*idSize + 1 + 2*idSize + 1 + 20 + 1 + 20 + 1

// trimSoon is when the go command is about to delete what nobody used (after five days, see
// cmd/go/internal/cache trimLimit). A file that old is copied first, because it has to stay until the build ends.
const trimSoon = 4 * 24 * time.Hour

type cacheHit struct {
	output []byte
	size   int64
	time   time.Time
	path   string
}

// get finds an action's output. Anything amiss is a miss: entries whose output was pruned, torn
// files, directories where executables are kept.
func (c goCache) get(action []byte) (cacheHit, bool) {
	if len(action) != idSize {
		return cacheHit{}, false
	}
	if hit, _, ok := c.lookup(c.own, action); ok {
		return hit, true
	}
	for _, dir := range c.warm {
		hit, used, ok := c.lookup(dir, action)
		if !ok {
			continue
		}
		if c.now().Sub(used) > trimSoon {
			file, err := os.Open(hit.path)
			if err != nil {
				continue
			}
			path, err := c.put(action, hit.output, hit.size, file)
			file.Close()
			if err != nil {
				continue
			}
			hit.path = path
		}
		return hit, true
	}
	return cacheHit{}, false
}

func (c goCache) lookup(dir string, action []byte) (hit cacheHit, used time.Time, ok bool) {
	hit, err := readEntry(entryPath(dir, action, "a"), action)
	if err != nil {
		return hit, used, false
	}
	hit.path = entryPath(dir, hit.output, "d")
	info, err := os.Lstat(hit.path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != hit.size {
		return hit, used, false
	}
	return hit, info.ModTime(), true
}

func readEntry(path string, action []byte) (cacheHit, error) {
	file, err := os.Open(path)
	if err != nil {
		return cacheHit{}, err
	}
	defer file.Close()
	data := make([]byte, entrySize+1)
	n, err := io.ReadFull(file, data)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return cacheHit{}, fmt.Errorf("entry of the wrong length: %w", err)
	}
	return parseEntry(data[:n], action)
}

// parseEntry reads one entry of the cache.
func parseEntry(data, action []byte) (cacheHit, error) {
	bad := func(what string) (cacheHit, error) { return cacheHit{}, fmt.Errorf("entry: bad %s", what) }
	if len(data) != entrySize || data[entrySize-1] != '\n' {
		return bad("length")
	}
	fields := bytes.Fields(data)
	if len(fields) != 5 || string(fields[0]) != "v1" {
		return bad("version")
	}
	id, err := hex.DecodeString(string(fields[1]))
	if err != nil || !bytes.Equal(id, action) {
		return bad("action")
	}
	output, err := hex.DecodeString(string(fields[2]))
	if err != nil || len(output) != idSize {
		return bad("output")
	}
	size, err := strconv.ParseInt(string(fields[3]), 10, 64)
	if err != nil || size < 0 {
		return bad("size")
	}
	nanos, err := strconv.ParseInt(string(fields[4]), 10, 64)
	if err != nil || nanos < 0 {
		return bad("time")
	}
	return cacheHit{output: output, size: size, time: time.Unix(0, nanos)}, nil
}

func formatEntry(action, output []byte, size int64, at time.Time) []byte {
	return fmt.Appendf(nil, "v1 %x %x %20d %20d\n", action, output, size, at.UnixNano())
}

// put stores an output and returns where. Both files appear whole or not at all, because several
// builds of a case may share the directory.
func (c goCache) put(action, output []byte, size int64, body io.Reader) (string, error) {
	if len(action) != idSize || len(output) != idSize {
		return "", fmt.Errorf("ids of %d and %d bytes instead of %d", len(action), len(output), idSize)
	}
	path := entryPath(c.own, output, "d")
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() != size {
		err := writeWhole(path, func(w io.Writer) error {
			n, err := io.Copy(w, body)
			if err == nil && n != size {
				err = fmt.Errorf("body of %d bytes instead of %d", n, size)
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	err := writeWhole(entryPath(c.own, action, "a"), func(w io.Writer) error {
		_, err := w.Write(formatEntry(action, output, size, c.now()))
		return err
	})
	if err != nil {
		return "", err
	}
	return path, nil
}

func writeWhole(path string, fill func(io.Writer) error) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".new-*")
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		file, err = os.CreateTemp(dir, ".new-*")
	}
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails once it is renamed
	if err := fill(file); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Chmod(file.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
