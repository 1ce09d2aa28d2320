package sandbox

import (
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// diskUse measures how much the writable directories have grown. Reading the file system's own counter
// is cheap but counts what others write too, so it only says when to look at the files.
type diskUse struct {
	dirs  []string
	free  []uint64
	start int64
}

func newDiskUse(dirs []string) *diskUse {
	u := &diskUse{dirs: dirs}
	for _, dir := range dirs {
		u.free = append(u.free, freeBytes(dir))
	}
	u.start = allocated(dirs)
	return u
}

// suspicious is how far a file system's counter moves before the files are looked at.
const suspicious = 64 << 20

func (u *diskUse) grown() int64 {
	look := false
	for i, dir := range u.dirs {
		if now := freeBytes(dir); now+suspicious < u.free[i] {
			look = true
		}
	}
	if !look {
		return 0
	}
	for i, dir := range u.dirs {
		u.free[i] = freeBytes(dir)
	}
	return allocated(u.dirs) - u.start
}

func freeBytes(dir string) uint64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0
	}
	return fs.Bfree * uint64(fs.Bsize)
}

// allocated is what the files below dirs take on disk. Links are not followed.
func allocated(dirs []string) int64 {
	var sum int64
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // changes while it is read
			}
			if info, err := d.Info(); err == nil {
				if st, ok := info.Sys().(*syscall.Stat_t); ok {
					sum += st.Blocks * 512 / int64(max(st.Nlink, 1))
				}
			}
			return nil
		})
	}
	return sum
}
