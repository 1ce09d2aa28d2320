package bundle

import (
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// profileTypes are the names that Go's runtime, and most profilers after it, give their profiles. In a file's name they end
// the service.
var profileTypes = []string{"cpu", "heap", "allocs", "block", "mutex", "goroutine", "threadcreate", "wall", "profile"}

// readProfiles reads the profiles of one window: <window>/profiles/<service>[.<type>[.<anything>]].<ending>, the
// ending pb or pprof, plain or with .gz or .zst behind.
func readProfiles(root *os.Root, window string, limits Limits, r *telemetry.Reader) error {
	dir := path.Join(window, "profiles")
	names, err := listDir(root, dir)
	if err != nil {
		return err
	}
	left := limits.Telemetry
	for _, name := range names {
		service, ok := profiledService(name)
		if !ok {
			continue
		}
		full := path.Join(dir, name)
		err := func() error {
			in, err := open(root, full, left)
			if err != nil {
				return err
			}
			defer in.Close()
			data, err := io.ReadAll(io.LimitReader(in, limits.Profile+1))
			left = in.left
			if err != nil {
				return err
			}
			if int64(len(data)) > limits.Profile {
				return fmt.Errorf("the profile is larger than %d bytes; record a shorter one", limits.Profile)
			}
			return r.AddProfile(data, service)
		}()
		if err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
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
