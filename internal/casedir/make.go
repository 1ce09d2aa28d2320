package casedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeAll makes a directory with its parents. undo removes of those that were made what is still empty, so that work
// that came to nothing leaves nothing behind.
func MakeAll(path string) (undo func(), err error) {
	var absent []string // the deepest first
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		absent = append(absent, at)
	}
	undo = func() {
		for _, dir := range absent {
			if os.Remove(dir) != nil {
				return
			}
		}
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}
