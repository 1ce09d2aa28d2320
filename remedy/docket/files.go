package docket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// TelemetryFile is the telemetry that a case drew, as it came in. It stays with the service: nothing raw goes to a forge.
const TelemetryFile = "telemetry.tar.zst"

// maxFile bounds one archived file of a case, so that a case cannot fill the store.
const maxFile = 64 << 20

// CaseFile reads one file of the last finished run of a case, such as "case.json". It returns
// [ErrNotFound] when there is none.
func CaseFile(ctx context.Context, blobs Blobs, r *Record, name string) ([]byte, error) {
	if r.Files == "" || name == "" || path.Clean("/"+name) != "/"+name {
		return nil, fmt.Errorf("file %q of case %s: %w", name, r.Fingerprint, ErrNotFound)
	}
	return readBlob(ctx, blobs, r.Files+name)
}

// CaseFiles lists the files of the last finished run of a case.
func CaseFiles(ctx context.Context, blobs Blobs, r *Record) ([]string, error) {
	if r.Files == "" {
		return nil, nil
	}
	names, err := blobs.BlobNames(ctx, r.Files)
	if err != nil {
		return nil, err
	}
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], r.Files)
	}
	return names, nil
}

func readBlob(ctx context.Context, blobs Blobs, name string) ([]byte, error) {
	b, err := blobs.Blob(ctx, name)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	data, err := io.ReadAll(io.LimitReader(b, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("reading %s: it is larger than %d MB", name, maxFile>>20)
	}
	return data, nil
}

// archive copies the files of a case's directory. Directories stay behind: the clone is not
// needed, since the change holds what was committed.
func archive(ctx context.Context, blobs Blobs, dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("archiving the case: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := archiveFile(ctx, blobs, filepath.Join(dir, e.Name()), prefix+e.Name()); err != nil {
			return fmt.Errorf("archiving %s of the case: %w", e.Name(), err)
		}
	}
	return nil
}

func archiveFile(ctx context.Context, blobs Blobs, from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() > maxFile:
		return fmt.Errorf("it has %d MB, and %d are kept", info.Size()>>20, maxFile>>20)
	}
	return blobs.PutBlob(ctx, to, f)
}

// deleteBlobs removes everything below a prefix.
func deleteBlobs(ctx context.Context, blobs Blobs, prefix string) error {
	names, err := blobs.BlobNames(ctx, prefix)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := blobs.DeleteBlob(ctx, n); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
