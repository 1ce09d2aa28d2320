package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// maxFiles bounds the files of one window: some hundred traces saved one by one are plausible.
const maxFiles = 10_000

// listWindow finds the telemetry files of a window, by signal and sorted by name: <signal>.<ending>, or
// <signal>-<anything>.<ending> where there are several, the ending jsonl, json or pb, each plain or with .gz or .zst
// behind. The ending is for people; the content says what a file holds.
func listWindow(root *os.Root, window string) (map[telemetry.Signal][]string, error) {
	names, err := listDir(root, window)
	if err != nil {
		return nil, err
	}
	files := map[telemetry.Signal][]string{}
	whole := map[string]string{}
	for _, name := range names {
		stem, _ := cutEnding(name, ".gz", ".zst")
		stem, ok := cutEnding(stem, ".jsonl", ".json", ".pb")
		if !ok {
			continue
		}
		for _, sig := range signals {
			rest, ok := strings.CutPrefix(stem, string(sig))
			if !ok || rest != "" && rest[0] != '-' {
				continue
			}
			full := path.Join(window, name)
			if other := whole[stem]; other != "" {
				return nil, fmt.Errorf("%s and %s may be the same telemetry twice; keep one of them, or name it %s-2", other, full, sig)
			}
			whole[stem] = full
			files[sig] = append(files[sig], full)
		}
	}
	return files, nil
}

// listDir lists the names in a directory of the bundle, sorted; none when there is no such directory.
func listDir(root *os.Root, dir string) ([]string, error) {
	for i, c := range dir + "/" {
		if c == '/' {
			if err := notLink(root, dir[:i]); err != nil {
				return nil, err
			}
		}
	}
	info, err := root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // absence is not an error here
	}
	if err != nil {
		return nil, fmt.Errorf("read incident bundle: %w%s", err, letRead(err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory; bundles hold neither links nor devices", dir)
	}
	f, err := root.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("read incident bundle: %w%s", err, letRead(err))
	}
	defer f.Close()
	names, err := f.Readdirnames(maxFiles + 1)
	if len(names) > maxFiles {
		return nil, fmt.Errorf("%s holds more than %d files; join them", dir, maxFiles)
	}
	if len(names) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read incident bundle: %w%s", err, letRead(err))
	}
	slices.Sort(names)
	return names, nil
}

func cutEnding(name string, endings ...string) (string, bool) {
	for _, e := range endings {
		if stem, ok := strings.CutSuffix(name, e); ok {
			return stem, true
		}
	}
	return name, false
}
