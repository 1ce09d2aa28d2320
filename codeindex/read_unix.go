//go:build unix

package codeindex

import (
	"io/fs"
	"slices"
	"syscall"
)

// rawReads says whether readRaw works here.
const rawReads = true

// readRaw reads a file of a directory without package os, which would ask for the file's kind and try
// to register it with the poller. A symbolic link is refused even if it took a file's place since the
// directory was listed.
func (r *reads) readRaw(name string) ([]byte, error) {
	path := r.root + "/" + name
	fd, err := again(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer syscall.Close(fd)
	if r.raw == nil {
		r.raw = make([]byte, 64<<10)
	}
	n := 0
	for {
		got, err := again(func() (int, error) { return syscall.Read(fd, r.raw[n:]) })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		room := len(r.raw) - n
		if n += got; got == 0 || r.hasty && got < room {
			return r.raw[:n], nil
		}
		if int64(n) > r.limit {
			return nil, r.tooLarge()
		}
		if n == len(r.raw) {
			r.raw = slices.Grow(r.raw, len(r.raw))
			r.raw = r.raw[:cap(r.raw)]
		}
	}
}

// again repeats a system call that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}
