package sources

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/remediator/remediator/telemetry"
)

// lokiAnswer is the answer to a query for records.
type lokiAnswer struct {
	Data struct {
		ResultType string `json:"resultType"`
		Result     []struct {
			Stream map[string]string `json:"stream"`
			Values []lokiEntry       `json:"values"`
		} `json:"result"`
	} `json:"data"`
	Warnings []string `json:"warnings"`
}

// lokiEntry is one record: its time in nanoseconds, its line, and what belongs to it alone.
type lokiEntry struct {
	at       int64
	line     string
	metadata map[string]string
}

// UnmarshalJSON reads ["nanoseconds", "line", {...}]. The third is the structured metadata, or holds it
// where the labels were asked for by category.
func (e *lokiEntry) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) < 2 || len(parts) > 3 {
		return errors.New("a record is not a time and a line")
	}
	var at string
	if err := json.Unmarshal(parts[0], &at); err != nil {
		return err
	}
	var err error
	if e.at, err = strconv.ParseInt(at, 10, 64); err != nil {
		return errors.New("a record's time is not in nanoseconds")
	}
	if err := json.Unmarshal(parts[1], &e.line); err != nil {
		return err
	}
	if len(parts) < 3 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(parts[2], &fields); err != nil {
		return err
	}
	e.metadata = map[string]string{}
	for name, raw := range fields {
		var value string
		if json.Unmarshal(raw, &value) == nil {
			e.metadata[name] = value
			continue
		}
		var nested map[string]string
		if json.Unmarshal(raw, &nested) == nil {
			maps.Copy(e.metadata, nested)
		}
	}
	return nil
}

// lokiPage is the records of one answer, by stream.
type lokiPage struct {
	streams []lokiStream
	n       int
	warning string
}

type lokiStream struct {
	labels  map[string]string
	key     string
	entries []lokiEntry
}

func (a *lokiAnswer) page() (lokiPage, error) {
	if a.Data.ResultType != "streams" {
		return lokiPage{}, fmt.Errorf("the answer holds %q where streams of records were asked for; sources.logs.selector must not aggregate", clip(a.Data.ResultType, 30))
	}
	p := lokiPage{}
	for _, r := range a.Data.Result {
		var key strings.Builder
		for _, name := range slices.Sorted(maps.Keys(r.Stream)) {
			key.WriteString(strconv.Quote(name) + strconv.Quote(r.Stream[name]))
		}
		p.streams = append(p.streams, lokiStream{r.Stream, key.String(), r.Values})
		p.n += len(r.Values)
	}
	if len(a.Warnings) > 0 {
		p.warning = clip(strings.Join(a.Warnings, "; "), excerpt)
	}
	return p, nil
}

// last is the time of the record that was read last.
func (p *lokiPage) last(dir direction) (int64, bool) {
	at, ok := int64(0), false
	for _, s := range p.streams {
		for _, e := range s.entries {
			if !ok || dir == forward && e.at > at || dir == backward && e.at < at {
				at, ok = e.at, true
			}
		}
	}
	return at, ok
}

// keep drops records. Their key is what Loki tells them by.
func (p *lokiPage) keep(want func(e *lokiEntry, key string) bool) {
	p.n = 0
	for i := range p.streams {
		s := &p.streams[i]
		kept := s.entries[:0]
		for j := range s.entries {
			e := &s.entries[j]
			if want(e, s.key+"\x00"+strconv.FormatInt(e.at, 10)+"\x00"+e.line) {
				kept = append(kept, *e)
			}
		}
		s.entries = kept
		p.n += len(kept)
	}
}

// cut leaves the first n records in the order of reading.
func (p *lokiPage) cut(n int, dir direction) {
	if p.n <= n {
		return
	}
	times := make([]int64, 0, p.n)
	for _, s := range p.streams {
		for _, e := range s.entries {
			times = append(times, e.at)
		}
	}
	slices.Sort(times)
	if dir == backward {
		slices.Reverse(times)
	}
	bound := times[n-1]
	at := 0 // how many at the bound are left
	for _, t := range times[:n] {
		if t == bound {
			at++
		}
	}
	p.keep(func(e *lokiEntry, _ string) bool {
		switch {
		case e.at == bound:
			at--
			return at >= 0
		case dir == forward:
			return e.at < bound
		}
		return e.at > bound
	})
}

// hand turns a page into OTLP and passes it on.
func (f *lokiFetch) hand(p lokiPage) error {
	if p.n == 0 {
		return nil
	}
	ld, size := plog.NewLogs(), 0
	for _, s := range p.streams {
		if len(s.entries) == 0 {
			continue
		}
		rl := ld.ResourceLogs().AppendEmpty()
		service := serviceOf(f.l.o.ServiceLabels, func(l string) string { return s.labels[l] })
		resource := rl.Resource().Attributes()
		if service != "" {
			resource.PutStr("service.name", service)
		}
		level := ""
		for _, name := range slices.Sorted(maps.Keys(s.labels)) {
			value := clip(s.labels[name], 1000)
			switch target := resourceLabels[name]; {
			case slices.Contains(severityNames, name):
				level = value
			case target != "":
				if _, there := resource.Get(target); !there {
					resource.PutStr(target, value)
				}
			case value != "" && !(slices.Contains(f.l.o.ServiceLabels, name) && value == service):
				resource.PutStr(name, value)
			}
		}
		sl := rl.ScopeLogs().AppendEmpty()
		for i := range s.entries {
			if size += len(s.entries[i].line) + 500; size > sinkBytes {
				if err := f.pass(ld); err != nil {
					return err
				}
				next := plog.NewLogs()
				again := next.ResourceLogs().AppendEmpty()
				rl.Resource().CopyTo(again.Resource())
				ld, rl, sl, size = next, again, again.ScopeLogs().AppendEmpty(), len(s.entries[i].line)
			}
			f.record(&s.entries[i], level, sl.LogRecords().AppendEmpty())
		}
	}
	return f.pass(ld)
}

// sinkBytes is about how much text a Sink is handed at once, so that no line of a bundle grows without bound.
const sinkBytes = 4 << 20

func (f *lokiFetch) pass(ld plog.Logs) error {
	n := ld.LogRecordCount()
	if n == 0 {
		return nil
	}
	f.report.Logs += n
	return f.to.Logs(f.q.Name, ld)
}

// record turns one record into OTLP. Whatever the line says in JSON or logfmt counts where the metadata is silent.
func (f *lokiFetch) record(e *lokiEntry, level string, r plog.LogRecord) {
	r.SetTimestamp(pcommon.Timestamp(max(e.at, 0)))
	body := parseLine(e.line)
	r.Body().SetStr(body.message)
	fields := func(names []string) string {
		for _, from := range []map[string]string{e.metadata, body.fields} {
			for _, n := range names {
				if v := from[n]; v != "" {
					return v
				}
			}
		}
		return ""
	}
	number, text := plog.SeverityNumberUnspecified, ""
	if n, err := strconv.Atoi(e.metadata["severity_number"]); err == nil && n > 0 && n <= 24 {
		number, text = plog.SeverityNumber(n), e.metadata["severity_text"]
	} else {
		// What the record says of itself before what Loki detected, and before what the whole stream is labelled.
		for _, said := range []string{fields(severityNames), level, fields([]string{"detected_level"})} {
			if number = severityNumber(said); number != plog.SeverityNumberUnspecified {
				text = said
				break
			}
		}
	}
	r.SetSeverityNumber(number)
	r.SetSeverityText(clip(text, 40))
	id := strings.ToLower(fields(traceNames))
	if traceID(id) {
		var t pcommon.TraceID
		if raw, err := hex.DecodeString(id); err == nil {
			copy(t[16-len(raw):], raw)
			r.SetTraceID(t)
		}
		if number >= plog.SeverityNumberError && !f.ids[id] && len(f.report.TraceIDs) < f.l.o.TraceIDs {
			f.ids[id] = true
			f.report.TraceIDs = append(f.report.TraceIDs, id)
		}
	}
	if raw, err := hex.DecodeString(fields(spanNames)); err == nil && len(raw) == 8 {
		r.SetSpanID(pcommon.SpanID(raw))
	}
	known := func(name string) bool {
		return slices.Contains(severityNames, name) || slices.Contains(traceNames, name) || slices.Contains(spanNames, name) ||
			slices.Contains([]string{"detected_level", "severity_number", "severity_text", "observed_timestamp", "flags"}, name)
	}
	for _, from := range []map[string]string{body.fields, e.metadata} {
		for _, name := range slices.Sorted(maps.Keys(from)) {
			if !known(name) && r.Attributes().Len() < maxFields {
				r.Attributes().PutStr(conventional(name), from[name])
			}
		}
	}
}

// severityNames are under which names records carry how bad they are; traceNames and spanNames their context.
var (
	severityNames = []string{"level", "severity", "severity_text", "lvl", "loglevel", "log_level", "log.level", "levelname"}
	traceNames    = []string{"trace_id", "traceid", "traceID", "traceId", "trace.id", "TraceId", "TraceID", "dd.trace_id", "otelTraceID"}
	spanNames     = []string{"span_id", "spanid", "spanID", "spanId", "span.id", "SpanId", "SpanID", "otelSpanID"}
	messageNames  = []string{"msg", "message", "event", "body", "@message", "log"}
)

// severityNumber is the number of a word for a level, in OTLP's scale.
func severityNumber(word string) plog.SeverityNumber {
	switch strings.ToLower(word) {
	case "trace", "trc":
		return plog.SeverityNumberTrace
	case "debug", "dbg", "d", "verbose", "fine":
		return plog.SeverityNumberDebug
	case "info", "inf", "i", "information", "informational", "notice":
		return plog.SeverityNumberInfo
	case "warn", "warning", "wrn", "w":
		return plog.SeverityNumberWarn
	case "error", "err", "eror", "e", "severe":
		return plog.SeverityNumberError
	case "fatal", "critical", "crit", "panic", "alert", "emerg", "emergency", "f":
		return plog.SeverityNumberFatal
	}
	return plog.SeverityNumberUnspecified
}

// underscored finds the name of a convention by what Loki made of it: it has no dots in names.
var underscored = func() map[string]string {
	out := map[string]string{}
	for _, name := range []string{
		telemetry.AttrHTTPMethod, telemetry.AttrHTTPStatus, telemetry.AttrHTTPRoute, telemetry.AttrURLFull, telemetry.AttrURLPath, telemetry.AttrServerAddress,
		telemetry.AttrServerPort, telemetry.AttrClientAddress, telemetry.AttrPeerService, telemetry.AttrRPCSystem, telemetry.AttrRPCService, telemetry.AttrRPCMethod,
		telemetry.AttrDBSystem, telemetry.AttrDBOperation, telemetry.AttrDBCollection, telemetry.AttrDBNamespace, telemetry.AttrDBQuery, telemetry.AttrMsgSystem,
		telemetry.AttrMsgDestination, telemetry.AttrMsgOpName, telemetry.AttrCodeFile, telemetry.AttrCodeLine, telemetry.AttrCodeFunction, telemetry.AttrCodeNamespace,
		telemetry.AttrCodeStack, telemetry.AttrErrorType, telemetry.AttrExceptionType, telemetry.AttrExceptionMsg, telemetry.AttrExceptionStack, telemetry.AttrFlagKey,
		telemetry.AttrFlagVariant, "code.filepath", "code.lineno", "http.method", "http.status_code", "event.name",
	} {
		out[strings.ReplaceAll(name, ".", "_")] = name
	}
	return out
}()

func conventional(name string) string {
	if full, ok := underscored[name]; ok {
		return full
	}
	return name
}
