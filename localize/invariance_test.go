package localize_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/simulate"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// recording is an incident as bytes, by file.
type recording map[string][]byte

var recordedSignals = []telemetry.Signal{telemetry.Traces, telemetry.Logs, telemetry.Metrics}

// rank reads the bytes and ranks.
func (r recording) rank(t *testing.T) localize.Result {
	t.Helper()
	var ev localize.Evidence
	for name, ds := range map[string]*telemetry.Dataset{"incident": &ev.Incident, "baseline": &ev.Baseline} {
		reader := telemetry.NewReader(telemetry.Options{})
		for _, s := range recordedSignals {
			if data := r[name+"/"+string(s)]; data != nil {
				if err := reader.Read(bytes.NewReader(data), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		*ds = reader.Dataset()
	}
	for name, into := range map[string]any{"changes": &ev.Changes, "deploys": &ev.Deploys, "flags": &ev.Flags} {
		if data := r[name]; data != nil {
			if err := json.Unmarshal(data, into); err != nil {
				t.Fatal(err)
			}
		}
	}
	in, err := incident.Parse(r["alert"])
	if err != nil {
		t.Fatal(err)
	}
	return localize.Rank(in, ev, localize.Options{})
}

// recordings are one of the recorded incidents and a made-up one.
func recordings(t *testing.T) map[string]recording {
	t.Helper()
	out := map[string]recording{}
	dirs, err := filepath.Glob("../testdata/incidents/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if strings.Contains(dir, "healthy") || len(out) == 1 {
			continue
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		out[filepath.Base(dir)] = recorded(t, dir)
	}
	id, made := madeUp(t, 41)
	out[id] = made
	return out
}

func madeUp(t *testing.T, seed int64) (string, recording) {
	t.Helper()
	b := simulate.Case(seed, simulate.Options{Services: 4, Traffic: 0.1})
	r := recording{"alert": b.Alert, "changes": marshal(t, b.Changes), "deploys": marshal(t, b.Deploys), "flags": marshal(t, b.Flags)}
	for name, w := range map[string]*simulate.Window{"incident": &b.Incident, "baseline": &b.Baseline} {
		var errs [3]error
		r[name+"/traces"], errs[0] = (&ptrace.JSONMarshaler{}).MarshalTraces(w.Traces)
		r[name+"/logs"], errs[1] = (&plog.JSONMarshaler{}).MarshalLogs(w.Logs)
		r[name+"/metrics"], errs[2] = (&pmetric.JSONMarshaler{}).MarshalMetrics(w.Metrics)
		if err := cmp.Or(errs[:]...); err != nil {
			t.Fatal(err)
		}
	}
	return b.ID, r
}

func recorded(t *testing.T, dir string) recording {
	t.Helper()
	r := recording{}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, name := range []string{"alert", "context/changes", "context/deploys", "context/flags"} {
		if data, err := os.ReadFile(filepath.Join(dir, name+".json")); err == nil {
			r[filepath.Base(name)] = data
		}
	}
	for _, w := range []string{"incident", "baseline"} {
		for _, s := range recordedSignals {
			packed, err := os.ReadFile(filepath.Join(dir, w, string(s)+".jsonl.zst"))
			if err != nil {
				continue // none was recorded
			}
			if r[w+"/"+string(s)], err = z.DecodeAll(packed, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	return r
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// disordered is the same incident with all records in random order, each in a document part of its own, some delivered
// twice, in protobuf in place of JSON.
func (r recording) disordered(t *testing.T, rng *rand.Rand) recording {
	t.Helper()
	out := recording{"alert": r["alert"]}
	for _, name := range []string{"changes", "deploys", "flags"} {
		var list []json.RawMessage
		if data := r[name]; data != nil {
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatal(err)
			}
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			out[name] = marshal(t, list)
		}
	}
	// mix puts n records into random order, some twice.
	mix := func(n int, twice func(i int) bool, put func(i int)) {
		var order []int
		for i := range n {
			order = append(order, i)
			if twice(i) && rng.IntN(20) == 0 {
				order = append(order, i)
			}
		}
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			put(i)
		}
	}
	always := func(int) bool { return true }
	for _, w := range []string{"incident", "baseline"} {
		var spans []func(ptrace.Traces)
		eachLine(t, r[w+"/traces"], (&ptrace.JSONUnmarshaler{}).UnmarshalTraces, func(td ptrace.Traces) {
			for _, rs := range td.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						spans = append(spans, func(into ptrace.Traces) {
							to := into.ResourceSpans().AppendEmpty()
							rs.Resource().CopyTo(to.Resource())
							scope := to.ScopeSpans().AppendEmpty()
							ss.Scope().CopyTo(scope.Scope())
							s.CopyTo(scope.Spans().AppendEmpty())
						})
					}
				}
			}
		})
		var logs []func(plog.Logs)
		var fine []bool // the record's clock tells one event from the next
		eachLine(t, r[w+"/logs"], (&plog.JSONUnmarshaler{}).UnmarshalLogs, func(ld plog.Logs) {
			for _, rl := range ld.ResourceLogs().All() {
				for _, sl := range rl.ScopeLogs().All() {
					for _, l := range sl.LogRecords().All() {
						fine = append(fine, l.Timestamp()%1e6 != 0)
						logs = append(logs, func(into plog.Logs) {
							to := into.ResourceLogs().AppendEmpty()
							rl.Resource().CopyTo(to.Resource())
							scope := to.ScopeLogs().AppendEmpty()
							sl.Scope().CopyTo(scope.Scope())
							l.CopyTo(scope.LogRecords().AppendEmpty())
						})
					}
				}
			}
		})
		var series []func(pmetric.Metrics)
		eachLine(t, r[w+"/metrics"], (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics, func(md pmetric.Metrics) {
			for _, rm := range md.ResourceMetrics().All() {
				for _, sm := range rm.ScopeMetrics().All() {
					for _, m := range sm.Metrics().All() {
						series = append(series, func(into pmetric.Metrics) {
							to := into.ResourceMetrics().AppendEmpty()
							rm.Resource().CopyTo(to.Resource())
							m.CopyTo(to.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
						})
					}
				}
			}
		})
		var err [3]error
		td, ld, md := ptrace.NewTraces(), plog.NewLogs(), pmetric.NewMetrics()
		mix(len(spans), always, func(i int) { spans[i](td) })
		mix(len(logs), func(i int) bool { return fine[i] }, func(i int) { logs[i](ld) })
		mix(len(series), always, func(i int) { series[i](md) })
		out[w+"/traces"], err[0] = (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		out[w+"/logs"], err[1] = (&plog.ProtoMarshaler{}).MarshalLogs(ld)
		out[w+"/metrics"], err[2] = (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
		if err := cmp.Or(err[:]...); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func eachLine[T any](t *testing.T, data []byte, decode func([]byte) (T, error), use func(T)) {
	t.Helper()
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		v, err := decode(line)
		if err != nil {
			t.Fatal(err)
		}
		use(v)
	}
}

var (
	nameIn  = regexp.MustCompile(`"service\.name","value":\{"stringValue":"([^"]*)"|"name":"([^"]*)"`)
	literal = regexp.MustCompile("\"[^\"\n]*\"|`[^`]*`")
)

// eachWord visits what a name is made of: lower-case letters with at most one upper-case one before them, else upper-case ones.
func eachWord(text []byte, visit func(from, to int)) {
	upper := func(i int) bool { return i < len(text) && text[i] >= 'A' && text[i] <= 'Z' }
	lower := func(i int) bool { return i < len(text) && text[i] >= 'a' && text[i] <= 'z' }
	for i := 0; i < len(text); {
		from := i
		switch {
		case lower(i) || upper(i) && lower(i+1):
			for i++; lower(i); i++ {
			}
		case upper(i):
			for i++; upper(i); i++ {
			}
		default:
			i++
			continue
		}
		visit(from, i)
	}
}

// stemOf takes endings off that the same name has in other places.
func stemOf(w string) string {
	for _, end := range []string{"ing", "ies", "ed", "es", "er", "s", "y", "e"} {
		if len(w) > len(end)+2 && strings.HasSuffix(w, end) {
			return w[:len(w)-len(end)]
		}
	}
	return w
}

// meaningful are the words that the ranking or the formats know. A word that they do not know is a name, whatever it means to people.
func meaningful(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	learn := func(text string) {
		eachWord([]byte(text), func(from, to int) { out[stemOf(strings.ToLower(text[from:to]))] = true })
	}
	for _, pattern := range []string{"*.go", "../telemetry/*.go", "../incident/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range literal.FindAll(data, -1) {
				learn(string(l))
			}
		}
	}
	learn("resourceSpans resourceLogs resourceMetrics scopeSpans scopeLogs scopeMetrics scope schemaUrl attributes droppedAttributesCount key value stringValue intValue " +
		"doubleValue boolValue arrayValue kvlistValue bytesValue values traceId spanId parentSpanId name kind startTimeUnixNano endTimeUnixNano events links status code message flags " +
		"timeUnixNano observedTimeUnixNano severityNumber severityText body gauge sum histogram dataPoints asDouble asInt count explicitBounds bucketCounts min max " +
		"aggregationTemporality isMonotonic unit description exemplars traceState version sha author service files path patch deploy flag change actor alerts labels annotations")
	return out
}

// renamed gives every word of the names of services and operations another one, wherever it stands, and says how to take that back.
func (r recording) renamed(t *testing.T, rng *rand.Rand) (recording, func(string) string) {
	t.Helper()
	known, to, back := meaningful(t), map[string]string{}, map[string]string{}
	names := map[string]bool{}
	for _, file := range []string{"incident/traces", "baseline/traces"} {
		for _, m := range nameIn.FindAllSubmatch(r[file], -1) {
			names[string(m[1])+string(m[2])] = true
		}
	}
	var words []string
	for n := range names {
		eachWord([]byte(n), func(from, to int) {
			w := stemOf(strings.ToLower(n[from:to]))
			if len(w) > 2 && !known[w] && strings.Trim(w, "abcdef") != "" && !slices.Contains(words, w) {
				words = append(words, w)
			}
		})
	}
	slices.Sort(words)
	for _, w := range words {
		for to[w] == "" {
			var b strings.Builder
			for b.Len() < max(len(w), 5) {
				b.WriteByte("bgjklmnpqvwxz"[rng.IntN(13)])
				b.WriteByte("aou"[rng.IntN(3)])
			}
			if n := b.String(); back[n] == "" && !known[n] && !slices.Contains(words, n) {
				to[w], back[n] = n, w
			}
		}
	}
	with := func(m map[string]string, text []byte) []byte {
		out, done := make([]byte, 0, len(text)+len(text)/8), 0
		eachWord(text, func(from, to int) {
			w := text[from:to]
			lower := strings.ToLower(string(w))
			stem := stemOf(lower)
			n, ok := m[stem]
			if !ok {
				return
			}
			n += lower[len(stem):]
			switch {
			case len(w) > 1 && bytes.Equal(bytes.ToUpper(w), w):
				n = strings.ToUpper(n)
			case w[0] < 'a':
				n = strings.ToUpper(n[:1]) + n[1:]
			}
			out, done = append(append(out, text[done:from]...), n...), to
		})
		return append(out, text[done:]...)
	}
	out := recording{}
	for name, data := range r {
		out[name] = with(to, data)
	}
	if len(words) == 0 || bytes.Equal(out["incident/traces"], r["incident/traces"]) {
		t.Fatal("nothing was renamed")
	}
	return out, func(s string) string { return string(with(back, []byte(s))) }
}

// gist is an answer without what is in order of name.
func gist(r localize.Result, back func(string) string) string {
	var lines []string
	for _, s := range r.Suspects {
		lines = append(lines, fmt.Sprintf("%.4f %.4f %s %.8s", s.Score, s.Confidence, back(s.Service), s.Culprit))
	}
	slices.Sort(lines)
	for _, c := range r.Changes {
		lines = append(lines, fmt.Sprintf("%.8s %.4f", c.SHA, c.Score))
	}
	return fmt.Sprintf("%s %s %.4f %s\n%s", r.Decision, r.Cause, r.Confidence, back(r.Symptom.Service), strings.Join(lines, "\n"))
}

// Records come in any order, twice, and in more than one encoding: that must change no byte of the answer. And what services and
// operations are called must not matter, as long as everybody calls them so.
func TestOrderRepetitionEncodingAndNamesChangeNothing(t *testing.T) {
	for name, r := range recordings(t) {
		as := r.rank(t)
		t.Run(name+"/disordered", func(t *testing.T) {
			want := marshal(t, as)
			if got := marshal(t, r.disordered(t, rand.New(rand.NewPCG(7, 9))).rank(t)); !bytes.Equal(got, want) {
				t.Errorf("in order:\n%s\nin disorder:\n%s", want, got)
			}
		})
		t.Run(name+"/renamed", func(t *testing.T) {
			other, back := r.renamed(t, rand.New(rand.NewPCG(3, 5)))
			want := gist(as, func(s string) string { return s })
			if got := gist(other.rank(t), back); got != want {
				t.Errorf("as it is:\n%s\nrenamed:\n%s", want, got)
			}
		})
	}
}
