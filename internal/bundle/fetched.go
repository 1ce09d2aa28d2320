package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/remediator/remediator/localize"
)

// fetchedFile says what was asked where, where a bundle was fetched from servers.
const fetchedFile = "context/fetch.json"

// Fetched writes what was asked where and what is missing.
func (w *Writer) Fetched(summary any) error {
	data, err := json.MarshalIndent(summary, "", " ")
	if err != nil {
		return w.fail(fetchedFile, err)
	}
	return w.whole(fetchedFile, append(data, '\n'))
}

// readFetched names in Evidence.Missing what servers gave a part of only, so that nobody takes it for all. The servers'
// own words stay in the file.
func readFetched(root *os.Root, limit int64, ev *localize.Evidence) error {
	data, err := readSmall(root, fetchedFile, limit)
	if data == nil || err != nil {
		return err
	}
	var summary struct {
		Reports []struct {
			Source  string   `json:"source"`
			Window  string   `json:"window"`
			Partial []string `json:"partial"`
			Error   string   `json:"error"`
		} `json:"reports"`
	}
	if err := json.Unmarshal(data, &summary); err != nil {
		return fmt.Errorf("%s: %w; it is what `remediator fetch` writes", fetchedFile, err)
	}
	for _, r := range summary.Reports {
		signal := "traces"
		switch kind, _, _ := strings.Cut(r.Source, " "); kind {
		case "loki":
			signal = "logs"
		case "prometheus":
			signal = "metrics"
		}
		name := r.Window + "/" + signal
		part := "a part of " + name
		if slices.Contains(windows, r.Window) && (len(r.Partial) > 0 || r.Error != "") && !slices.Contains(ev.Missing, name) && !slices.Contains(ev.Missing, part) {
			ev.Missing = append(ev.Missing, part)
		}
	}
	return nil
}
