package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxInput bounds a file that somebody names on the command line.
const maxInput = 256 << 20

// readInput reads a regular file. A pipe or a device under the name of a file would keep the program waiting
// for ever.
func readInput(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: let this user read it", err)
	} else if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory: name a file", name)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file: name one, or - for standard input where that is allowed", name)
	}
	if info.Size() > maxInput {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxInput>>20)
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: let this user read it", err)
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxInput))
}
