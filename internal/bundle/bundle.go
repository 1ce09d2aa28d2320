package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Limits bound what is read, and say how. The zero value of each field means its default.
type Limits struct {
	Alert     int64 // bytes of alert.json. Default 4 MiB.
	Context   int64 // bytes of each file under context/. Default 64 MiB.
	Telemetry int64 // bytes of the files of one signal and window after decompression. Default 4 GiB.
	Profile   int64 // bytes of one profile as it lies there. Default 32 MiB.
	Reader    telemetry.Limits
}

func (l Limits) withDefaults() Limits {
	if l.Alert <= 0 {
		l.Alert = 4 << 20
	}
	if l.Context <= 0 {
		l.Context = 64 << 20
	}
	if l.Telemetry <= 0 {
		l.Telemetry = 4 << 30
	}
	if l.Profile <= 0 {
		l.Profile = 32 << 20
	}
	return l
}

// Bundle is a loaded incident bundle.
type Bundle struct {
	// Alert is the webhook body as it arrived; nil when the bundle has none.
	Alert    []byte
	Evidence localize.Evidence
}

// Correlate names keys that tie log records to requests, beside those that are found.
func (b *Bundle) Correlate(keys []string) {
	b.Evidence.Incident.CorrelationKeys, b.Evidence.Baseline.CorrelationKeys = keys, keys
}

// windows and signals are the parts of a bundle, in the order they are read.
var (
	windows = []string{"incident", "baseline"}
	signals = []telemetry.Signal{telemetry.Traces, telemetry.Logs, telemetry.Metrics}
)

// Load reads the bundle in dir. Absent files are named in Evidence.Missing; an incident
// without any telemetry is an error.
func Load(dir string, limits Limits) (*Bundle, error) {
	limits = limits.withDefaults()
	// Looked at before it is opened: a pipe would keep the program waiting.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory; give the directory that holds alert.json and incident/ (an archive has to be unpacked)", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no incident bundle at %s; give a directory with alert.json and incident/", dir)
		}
		return nil, fmt.Errorf("open incident bundle: %w%s", err, letRead(err))
	}
	defer root.Close()
	b := &Bundle{}
	if b.Alert, err = readSmall(root, "alert.json", limits.Alert); err != nil {
		return nil, err
	}
	if b.Alert == nil {
		b.Evidence.Missing = append(b.Evidence.Missing, "alert.json")
	}
	for _, w := range windows {
		ds, missing, err := readWindow(root, w, limits)
		if err != nil {
			return nil, err
		}
		b.Evidence.Missing = append(b.Evidence.Missing, missing...)
		if w == "incident" {
			b.Evidence.Incident = ds
		} else {
			b.Evidence.Baseline = ds
		}
	}
	if names, _ := listDir(root, "incident"); empty(&b.Evidence.Incident) && len(names) > 0 {
		return nil, unusable(dir, names, b.Evidence.Incident.Notes)
	}
	if empty(&b.Evidence.Incident) {
		return nil, fmt.Errorf("%s has no telemetry in incident/; record incident/traces.jsonl, logs.jsonl or metrics.jsonl "+
			"(OTLP/JSON lines, plain, .gz or .zst) with the collector's file exporter, or put traces.json from Jaeger or Zipkin there", dir)
	}
	if err := readContext(root, limits.Context, &b.Evidence); err != nil {
		return nil, err
	}
	return b, nil
}

// unusable says why files that are there hold nothing to go by.
func unusable(dir string, names []string, notes []telemetry.Note) error {
	const most = 5
	shown := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		shown += ", ..."
	}
	why := "they are empty, or named otherwise"
	if len(notes) > 0 {
		var said []string
		for _, n := range notes {
			said = append(said, fmt.Sprintf("%s (%d)", n.Text, n.Count))
		}
		why = strings.Join(said, "; ")
	}
	return fmt.Errorf("%s/incident holds no telemetry that can be used: %.500q: %s; name files traces, logs or metrics with .jsonl, .json or .pb "+
		"(plain, .gz or .zst), put profiles into profiles/ by the name of their service, and export OTLP into them with the collector's file exporter, or Jaeger or Zipkin JSON", dir, shown, why)
}

func empty(ds *telemetry.Dataset) bool {
	return len(ds.Spans) == 0 && len(ds.Logs) == 0 && len(ds.Metrics) == 0 && len(ds.Profiles) == 0
}

// readWindow reads the telemetry files of one window.
func readWindow(root *os.Root, window string, limits Limits) (telemetry.Dataset, []string, error) {
	r := telemetry.NewReader(telemetry.Options{Limits: limits.Reader})
	files, err := listWindow(root, window)
	if err != nil {
		return telemetry.Dataset{}, nil, err
	}
	var missing []string
	for _, sig := range signals {
		left := limits.Telemetry
		for _, name := range files[sig] {
			in, err := open(root, name, left)
			if err != nil {
				return telemetry.Dataset{}, nil, err
			}
			err = r.Read(in, sig)
			left = in.left
			in.Close()
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return telemetry.Dataset{}, nil, fmt.Errorf("%s is cut short: %w; copy or export it again", name, err)
			}
			if err != nil {
				return telemetry.Dataset{}, nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		if len(files[sig]) == 0 {
			missing = append(missing, window+"/"+string(sig))
		}
	}
	if err := readProfiles(root, window, limits, r); err != nil {
		return telemetry.Dataset{}, nil, err
	}
	return r.Dataset(), missing, nil
}

// openFile opens a regular file of the bundle, nil when there is none. Links are refused,
// wherever they lead: a bundle is data from elsewhere.
func openFile(root *os.Root, name string) (*os.File, error) {
	for i, c := range name {
		if c == '/' {
			if err := notLink(root, name[:i]); err != nil {
				return nil, err
			}
		}
	}
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // absence is not an error here
	}
	if err != nil {
		return nil, fmt.Errorf("read incident bundle: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file; bundles hold neither links nor devices, so put the file itself there", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read incident bundle: %w%s", err, letRead(err))
	}
	return f, nil
}

// letRead is the next step where a file may not be read.
func letRead(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "; let this user read it, or copy the bundle"
	}
	return ""
}

func notLink(root *os.Root, dir string) error {
	info, err := root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read incident bundle: %w", err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a symbolic link; bundles hold neither links nor devices, so put the directory itself there", dir)
	}
	return nil
}

// readSmall reads a whole file, nil when there is none.
func readSmall(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := openFile(root, name)
	if f == nil || err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d MiB; put in its place what the bundle format has there (docs/telemetry.md)", name, max(1, limit>>20))
	}
	if strings.TrimSpace(string(data)) == "" {
		return nil, nil
	}
	return data, nil
}
