package codeindex

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
)

// reads hands out the contents of files, one after the other.
type reads struct {
	fsys   fs.FS
	limit  int64
	root   string // directory of an os.DirFS, "" for other file systems
	hasty  bool   // a short read is taken for the end: a search may, what is kept may not
	buffer bytes.Buffer
	raw    []byte
}

func newReads(fsys fs.FS, limit int64) reads {
	return reads{fsys: fsys, limit: limit, root: directory(fsys)}
}

// directory is the directory behind an os.DirFS, "" for everything else. Reading files there takes
// three system calls each; through package os it takes seven, which is what a search of a hundred
// thousand files spends most of its time on.
func directory(fsys fs.FS) string {
	v := reflect.ValueOf(fsys)
	if !v.IsValid() || v.Type() != reflect.TypeOf(os.DirFS(".")) || v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

// read is the content of a file. It is valid until the next read.
func (r *reads) read(name string) ([]byte, error) {
	if r.root != "" && rawReads && fs.ValidPath(name) {
		return r.readRaw(name)
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r.buffer.Reset()
	n, err := r.buffer.ReadFrom(io.LimitReader(f, r.limit+1))
	if err != nil {
		return nil, err
	}
	if n > r.limit {
		return nil, r.tooLarge()
	}
	return r.buffer.Bytes(), nil
}

func (r *reads) tooLarge() error {
	return fmt.Errorf("larger than %d bytes: raise the limit to index it", r.limit)
}
