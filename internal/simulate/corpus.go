package simulate

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/localize"
)

// Sink takes the parts of a bundle; internal/bundle's Writer is one. window is "incident" or "baseline".
type Sink interface {
	io.Closer
	Alert(body []byte) error
	Context(changes []localize.Change, deploys []localize.Deploy, flags []localize.FlagChange) error
	Traces(window string, td ptrace.Traces) error
	Logs(window string, ld plog.Logs) error
	Metrics(window string, md pmetric.Metrics) error
}

// Write hands the bundle to a sink and closes it. The truth is not part of what is handed over.
func (b *Bundle) Write(to Sink) error {
	if err := b.write(to); err != nil {
		return fmt.Errorf("write %s: %w", b.ID, err)
	}
	return to.Close()
}

func (b *Bundle) write(to Sink) error {
	if err := to.Alert(b.Alert); err != nil {
		return err
	}
	if err := to.Context(b.Changes, b.Deploys, b.Flags); err != nil {
		return err
	}
	for i, w := range []*Window{&b.Incident, &b.Baseline} {
		name := [...]string{"incident", "baseline"}[i]
		if w.Traces.SpanCount() > 0 {
			if err := to.Traces(name, w.Traces); err != nil {
				return err
			}
		}
		if w.Logs.LogRecordCount() > 0 {
			if err := to.Logs(name, w.Logs); err != nil {
				return err
			}
		}
		if w.Metrics.DataPointCount() > 0 {
			if err := to.Metrics(name, w.Metrics); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteCorpus makes the incidents of n seeds from first on below dir, which must not be there: one directory each, opened by
// open, with its truth.json, and corpus.json.
func WriteCorpus(dir string, first int64, n int, o Options, open func(dir string) (Sink, error)) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make a corpus: %w; name a directory that is not there yet", err)
	}
	index := struct {
		Name    string   `json:"name"`
		Source  string   `json:"source"`
		Licence string   `json:"licence"`
		Cases   []string `json:"cases"`
	}{Name: filepath.Base(dir), Source: fmt.Sprintf("remediator's simulation, seeds %d to %d", first, first+int64(n)-1), Licence: "none needed: made up"}
	for i := range n {
		b := Case(first+int64(i), o)
		to, err := open(filepath.Join(dir, b.ID))
		if err != nil {
			return err
		}
		if err := b.Write(to); err != nil {
			return err
		}
		if err := writeJSON(filepath.Join(dir, b.ID, "truth.json"), b.Truth); err != nil {
			return err
		}
		index.Cases = append(index.Cases, b.ID)
	}
	return writeJSON(filepath.Join(dir, "corpus.json"), index)
}

func writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o644)
}
