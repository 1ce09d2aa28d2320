package otlp

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// logExport is an export of log records.
type logExport struct{ plog.Logs }

func (l *logExport) items() int { return l.LogRecordCount() }

func (l *logExport) sift(b bounds) (s sifted) {
	for _, rl := range l.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			sl.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
				at := record.Timestamp()
				if at == 0 {
					at = record.ObservedTimestamp()
				}
				if at == 0 {
					// Nobody said when: it was observed here and now.
					at = pcommon.Timestamp(b.now)
					record.SetObservedTimestamp(at)
					s.amended = true
				}
				if !b.holds(at) {
					s.rejected++
					s.amended = true
					return true
				}
				s.see(uint64(at), uint64(at))
				return false
			})
		}
	}
	return s
}

func (l *logExport) proto() ([]byte, error) {
	return plogotlp.NewExportRequestFromLogs(l.Logs).MarshalProto()
}

func (l *logExport) size() int {
	var m plog.ProtoMarshaler
	return m.LogsSize(l.Logs)
}

func (l *logExport) fixed() int {
	if l.ResourceLogs().Len() != 1 {
		return 0
	}
	bare := &logExport{plog.NewLogs()}
	from, to := l.ResourceLogs().At(0), bare.ResourceLogs().AppendEmpty()
	from.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(from.SchemaUrl())
	if from.ScopeLogs().Len() == 1 {
		copyScopeLogs(from.ScopeLogs().At(0), to.ScopeLogs().AppendEmpty())
	}
	return bare.size()
}

func (l *logExport) halve() (export, bool) {
	half := plog.NewLogs()
	all := l.ResourceLogs()
	if n := all.Len(); n > 1 {
		second := secondHalf(n)
		all.RemoveIf(func(rl plog.ResourceLogs) bool {
			if !second() {
				return false
			}
			rl.MoveTo(half.ResourceLogs().AppendEmpty())
			return true
		})
		return &logExport{half}, true
	}
	if all.Len() == 0 {
		return nil, false
	}
	from, to := all.At(0), half.ResourceLogs().AppendEmpty()
	from.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(from.SchemaUrl())
	if n := from.ScopeLogs().Len(); n > 1 {
		second := secondHalf(n)
		from.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			if !second() {
				return false
			}
			sl.MoveTo(to.ScopeLogs().AppendEmpty())
			return true
		})
		return &logExport{half}, true
	}
	if from.ScopeLogs().Len() == 0 {
		return nil, false
	}
	one, other := from.ScopeLogs().At(0), to.ScopeLogs().AppendEmpty()
	copyScopeLogs(one, other)
	n := one.LogRecords().Len()
	if n < 2 {
		return nil, false
	}
	second := secondHalf(n)
	one.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
		if !second() {
			return false
		}
		record.MoveTo(other.LogRecords().AppendEmpty())
		return true
	})
	return &logExport{half}, true
}

// copyScopeLogs copies all but the log records.
func copyScopeLogs(from, to plog.ScopeLogs) {
	from.Scope().CopyTo(to.Scope())
	to.SetSchemaUrl(from.SchemaUrl())
}

func (l *logExport) answer(asJSON bool, rejected int, why string) ([]byte, error) {
	r := plogotlp.NewExportResponse()
	if rejected > 0 {
		r.PartialSuccess().SetRejectedLogRecords(int64(rejected))
		r.PartialSuccess().SetErrorMessage(why)
	}
	if asJSON {
		return r.MarshalJSON()
	}
	return r.MarshalProto()
}
