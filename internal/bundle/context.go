package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/remediator/remediator/localize"
)

// readContext reads what was changed before the alert. Each file is optional.
func readContext(root *os.Root, limit int64, ev *localize.Evidence) error {
	if err := readList(root, "context/changes.json", limit, &ev.Changes, &ev.Missing); err != nil {
		return err
	}
	if err := readList(root, "context/deploys.json", limit, &ev.Deploys, &ev.Missing); err != nil {
		return err
	}
	if err := readList(root, "context/flags.json", limit, &ev.Flags, &ev.Missing); err != nil {
		return err
	}
	if err := readFetched(root, limit, ev); err != nil {
		return err
	}
	byTime := func(a, b time.Time) int { return a.Compare(b) }
	slices.SortStableFunc(ev.Changes, func(a, b localize.Change) int { return byTime(a.Time, b.Time) })
	slices.SortStableFunc(ev.Deploys, func(a, b localize.Deploy) int { return byTime(a.Time, b.Time) })
	slices.SortStableFunc(ev.Flags, func(a, b localize.FlagChange) int { return byTime(a.Time, b.Time) })
	return nil
}

func readList[T any](root *os.Root, name string, limit int64, into *[]T, missing *[]string) error {
	data, err := readSmall(root, name, limit)
	if err != nil {
		return err
	}
	if data == nil {
		*missing = append(*missing, name[:len(name)-len(".json")])
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w; it holds one JSON list, see the bundle format", name, err)
	}
	return nil
}
