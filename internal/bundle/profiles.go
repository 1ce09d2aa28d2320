package bundle

import (
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// profileTypes are the names that Go's runtime, and most profilers after it, give their profiles. In a file's name they end
// the service.
var profileTypes = []string{"cpu", "heap", "allocs", "block", "mutex", "goroutine", "threadcreate", "wall", "profile"}

// readProfiles reads the profiles of one window: <window>/profiles/<service>[.<type>[.<anything>]].<ending>, the
// ending pb or pprof, plain or with .gz or .zst behind. They may lie beside the other telemetry too, where a .pb that is
// named after a signal is that signal.
func readProfiles(root *os.Root, window string, limits Limits, r *telemetry.Reader) error {
	left := limits.Telemetry
	for _, dir := range []string{window, path.Join(window, "profiles")} {
		names, err := listDir(root, dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			service, ok := profiledService(name)
			if !ok || dir == window && isSignal(name) {
				continue
			}
			if err := readProfile(root, path.Join(dir, name), service, &left, limits.Profile, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// isSignal says whether a file is named after one of the other signals, see listWindow.
func isSignal(name string) bool {
	return slices.ContainsFunc(signals, func(s telemetry.Signal) bool {
		rest, ok := strings.CutPrefix(name, string(s))
		return ok && rest != "" && (rest[0] == '.' || rest[0] == '-')
	})
}

// readProfile reads one profile of what is left of the window's limit.
func readProfile(root *os.Root, name, service string, left *int64, limit int64, r *telemetry.Reader) error {
	in, err := open(root, name, *left)
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	*left = in.left
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case int64(len(data)) > limit:
		return fmt.Errorf("%s: the profile is larger than %d bytes; record a shorter one", name, limit)
	}
	if err := r.AddProfile(data, service); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// profiledService is the service that the name of a profile's file names.
func profiledService(name string) (string, bool) {
	stem, _ := cutEnding(name, ".gz", ".zst")
	stem, ok := cutEnding(stem, ".pb", ".pprof")
	if !ok || stem == "" {
		return "", false
	}
	parts := strings.Split(stem, ".")
	for i, part := range parts[1:] {
		for _, t := range profileTypes {
			if part == t {
				return strings.Join(parts[:i+1], "."), true
			}
		}
	}
	return stem, true
}
