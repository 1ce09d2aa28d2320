package telemetry

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry/nesting"
)

// attribute reads a key and its value and appends them, up to the limit.
func (l *wireLane) attribute(to []rawAttr, msg string) []rawAttr {
	var attr rawAttr
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 {
			l.strange = true
			return to
		}
		switch {
		case f.number == 1 && f.kind == wireBytes && f.plain():
			attr.key = f.body
			continue
		case f.number == 2 && f.kind == wireBytes && attr.value(f.body):
			continue
		}
		attr = l.nested(msg)
		break
	}
	if len(to) < l.limits.Attributes {
		to = append(to, attr)
	}
	return to
}

// value reads a plain value; false when it is a list, a map or strange.
func (v *rawValue) value(msg string) bool {
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 || !f.plain() {
			return false
		}
		switch {
		case f.number == 1 && f.kind == wireBytes:
			*v = rawValue{kind: pcommon.ValueTypeStr, text: f.body}
		case f.number == 2 && f.kind == wireVarint:
			*v = rawValue{kind: pcommon.ValueTypeBool, bits: min(f.bits, 1)}
		case f.number == 3 && f.kind == wireVarint:
			*v = rawValue{kind: pcommon.ValueTypeInt, bits: f.bits}
		case f.number == 4 && f.kind == wire64:
			*v = rawValue{kind: pcommon.ValueTypeDouble, bits: f.bits}
		case f.number == 7 && f.kind == wireBytes:
			*v = rawValue{kind: pcommon.ValueTypeBytes, text: f.body}
		default:
			return false
		}
	}
	return true
}

// nested has pdata decode an attribute whose value is a list, a map or strange: an export with this attribute alone.
func (l *wireLane) nested(msg string) (out rawAttr) {
	if nesting.Nested(msg, wireDepth) {
		l.strange = true
		return out
	}
	whole := []byte(msg)
	for range 3 { // an attribute of a resource of spans of an export
		whole = append(protoHeader(len(whole)), whole...)
	}
	var u ptrace.ProtoUnmarshaler
	td, err := u.UnmarshalTraces(whole)
	if err != nil || td.ResourceSpans().Len() != 1 {
		l.strange = true
		return out
	}
	for k, v := range td.ResourceSpans().At(0).Resource().Attributes().All() {
		out = rawAttr{k, rawOf(v)}
	}
	return out
}

// protoHeader begins field 1 of a length.
func protoHeader(n int) []byte {
	out := []byte{otlpField1}
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}
