//go:build unix

package queue

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

var errLocked = errors.New("locked")

// lock holds a file for this process until the function it returns is called or the process ends,
// however it ends.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

// diskFree is how much a user may still write beside dir.
func diskFree(dir string) (int64, error) {
	var fsys unix.Statfs_t
	if err := unix.Statfs(dir, &fsys); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(fsys.Bavail) * int64(fsys.Bsize), nil
}
