package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A set that is wrong is an answer; a file that is not there, or no file, is a mistake of the caller. Names drive no
// terminal.
func TestGoldenCheckTellsWrongFromUnreadable(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a\x1b[31m.json")
	loop := filepath.Join(dir, "loop")
	if err := errors.Join(os.WriteFile(odd, []byte("\x00junk"), 0o600), os.Symlink("loop", loop)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{odd}, exitNo, "a[31m.json: golden set is not valid JSON"},
		{[]string{filepath.Join(dir, "gone")}, exitInput, "no such file"},
		{[]string{odd, dir}, exitInput, "is a directory: name a file"},
	} {
		code, out, said := remediatorCommand(t, append([]string{"golden", "check"}, c.args...)...)
		if code != c.code || !strings.Contains(said, c.want) || strings.Contains(out+said, "\x1b") {
			t.Errorf("%q: exit code %d, want %d with %q: %q", c.args, code, c.code, c.want, said)
		}
	}
	if code, _, said := remediatorCommand(t, "explain", loop); code != exitInput || !strings.Contains(said, "name the file or directory itself") {
		t.Errorf("a circle of links: exit code %d: %s", code, said)
	}
}

// A full disk is what the machine lacks, whichever program notices it.
func TestAFullDiskIsTold(t *testing.T) {
	for _, c := range []struct {
		err  error
		full bool
	}{
		{inputError(fmt.Errorf("writing: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})), true},
		{fmt.Errorf("git clone: fatal: failed to copy file: No space left on device"), true},
		{io.ErrUnexpectedEOF, false},
	} {
		if got := diskFull(c.err); got != c.full {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// The old file stays whole where the new one cannot take its place, and nothing half-done lies beside it.
func TestReplaceFileLeavesNothingHalfDone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "set.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(dir, "set.json"), []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	noRest(t, dir, "set.json")
	if err := replaceFile(filepath.Join(dir, "other.json"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	noRest(t, dir, "other.json", "set.json")
}
