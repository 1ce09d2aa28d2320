package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/localize"
)

// Writer writes an incident bundle as telemetry for it comes, so that a case of the service can be worked out
// again from files. Errors stay: after the first one nothing more is written, and Close returns it.
type Writer struct {
	root  *os.Root
	files map[string]*written
	err   error
}

// written is one file of lines.
type written struct {
	file *os.File
	zstd *zstd.Encoder
}

// Create makes a bundle in dir, which may be there and must be empty of what is to be written: nothing is overwritten.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create incident bundle: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("create incident bundle: %w", err)
	}
	return &Writer{root: root, files: map[string]*written{}}, nil
}

// Alert writes the webhook body as it arrived.
func (w *Writer) Alert(body []byte) error { return w.whole("alert.json", body) }

// Context writes what was changed before the alert; lists that are empty are left absent.
func (w *Writer) Context(changes []localize.Change, deploys []localize.Deploy, flags []localize.FlagChange) error {
	for name, list := range map[string]any{"changes": changes, "deploys": deploys, "flags": flags} {
		data, err := json.MarshalIndent(list, "", " ")
		if err != nil {
			return w.fail(name, err)
		}
		if string(data) == "null" || string(data) == "[]" {
			continue
		}
		if err := w.whole("context/"+name+".json", append(data, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// Traces adds spans to a window, "incident" or "baseline".
func (w *Writer) Traces(window string, td ptrace.Traces) error {
	var m ptrace.JSONMarshaler
	line, err := m.MarshalTraces(td)
	return w.line(window+"/traces.jsonl.zst", line, err)
}

// Logs adds log records to a window.
func (w *Writer) Logs(window string, ld plog.Logs) error {
	var m plog.JSONMarshaler
	line, err := m.MarshalLogs(ld)
	return w.line(window+"/logs.jsonl.zst", line, err)
}

// Metrics adds metric points to a window.
func (w *Writer) Metrics(window string, md pmetric.Metrics) error {
	var m pmetric.JSONMarshaler
	line, err := m.MarshalMetrics(md)
	return w.line(window+"/metrics.jsonl.zst", line, err)
}

// Close finishes the files. The bundle is good only when it returns nil.
func (w *Writer) Close() error {
	errs := []error{w.err}
	for _, f := range w.files {
		errs = append(errs, f.zstd.Close(), f.file.Close())
	}
	w.files = nil
	if w.err == nil {
		w.err = errors.New("the bundle is closed")
	}
	return errors.Join(append(errs, w.root.Close())...)
}

func (w *Writer) line(name string, line []byte, err error) error {
	if err != nil {
		return w.fail(name, err)
	}
	if w.err != nil {
		return w.err
	}
	f := w.files[name]
	if f == nil {
		file, err := w.create(name)
		if err != nil {
			return w.fail(name, err)
		}
		z, err := zstd.NewWriter(file, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return w.fail(name, errors.Join(err, file.Close()))
		}
		f = &written{file, z}
		w.files[name] = f
	}
	if _, err := f.zstd.Write(append(line, '\n')); err != nil {
		return w.fail(name, err)
	}
	return nil
}

func (w *Writer) whole(name string, data []byte) error {
	if w.err != nil {
		return w.err
	}
	f, err := w.create(name)
	if err != nil {
		return w.fail(name, err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return w.fail(name, err)
	}
	return nil
}

// create makes a file of its own, with its directory.
func (w *Writer) create(name string) (*os.File, error) {
	for i, c := range name {
		if c == '/' {
			if err := w.root.Mkdir(name[:i], 0o700); err != nil && !errors.Is(err, os.ErrExist) {
				return nil, err
			}
		}
	}
	return w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (w *Writer) fail(name string, err error) error {
	if w.err == nil {
		w.err = fmt.Errorf("write %s of the incident bundle: %w", name, err)
	}
	return w.err
}
