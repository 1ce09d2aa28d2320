package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/remedy/docket"
)

// maxKept bounds the telemetry kept with a case; of larger incidents the window is all there is.
const maxKept = 48 << 20

// drawn is the bundle of what a case drew, on its way into one file.
type drawn struct {
	dir string
	w   *bundle.Writer
}

// newDrawn begins a bundle in a directory of its own.
func newDrawn(dir string, alert []byte) (*drawn, error) {
	d := &drawn{dir: dir}
	return d, d.renew(alert)
}

// renew begins again with an empty bundle.
func (d *drawn) renew(alert []byte) error {
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	w, err := bundle.Create(d.dir)
	if err != nil {
		return err
	}
	d.w = w
	return w.Alert(alert)
}

// pack writes the bundle as one compressed archive, which `remediator run` takes once it is unpacked. A bundle that is too
// large is left out, and kept says so.
func (d *drawn) pack(to string) (kept bool, err error) {
	f, err := os.Create(to)
	if err != nil {
		return false, err
	}
	z, err := zstd.NewWriter(f)
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	t := tar.NewWriter(z)
	err = filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		return add(t, d.dir, path)
	})
	if err = errors.Join(err, t.Close(), z.Close(), f.Close()); err != nil {
		return false, errors.Join(fmt.Errorf("keeping the telemetry of the case: %w", err), os.Remove(to))
	}
	info, err := os.Stat(to)
	if err != nil || info.Size() <= maxKept {
		return err == nil, err
	}
	return false, os.Remove(to)
}

func add(t *tar.Writer, root, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// keep puts what a case drew among its files.
func (r *caseRunner) keep(d *drawn, dir string) error {
	kept, err := d.pack(filepath.Join(dir, docket.TelemetryFile))
	if err == nil && !kept {
		r.log.Warn("the telemetry of a case is too large to be kept with it", "bytes", maxKept)
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}
