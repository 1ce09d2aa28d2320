package replay

import (
	"encoding/binary"
	"errors"
)

// maxExportDepth bounds nesting in an export. The decoders recurse without a bound of their own, and a stack that
// overflows ends the whole process: no recover catches it. A real export is ten messages deep, and each level of
// a nested attribute adds two.
const maxExportDepth = 100

var errTooDeep = errors.New("the export is nested too deeply; send flat attributes")

// jsonTooDeep reports whether brackets outside strings nest deeper than twice the bound: JSON needs a
// bracket for each message and one for each list.
func jsonTooDeep(data []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > 2*maxExportDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// protoTooDeep reports whether the length-delimited fields of a protobuf message nest deeper than left. Without
// the schema a string looks like a message until its bytes stop making sense; no text keeps
// making sense for a hundred levels. Each byte is looked at about once, since a field's content is
// passed over on the level above.
func protoTooDeep(data []byte, left int) bool {
	if left == 0 {
		return true
	}
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 {
			return false
		}
		data = data[n:]
		size := 0
		switch tag & 7 {
		case 0: // varint
			if _, size = binary.Uvarint(data); size <= 0 {
				return false
			}
		case 1: // 64 bits
			size = 8
		case 5: // 32 bits
			size = 4
		case 2: // length-delimited
			length, n := binary.Uvarint(data)
			if n <= 0 || length > uint64(len(data)-n) {
				return false
			}
			data = data[n:]
			size = int(length) //nolint:gosec // at most len(data)
			if protoTooDeep(data[:size], left-1) {
				return true
			}
		default: // groups, which OTLP has none of
			return false
		}
		if size > len(data) {
			return false
		}
		data = data[size:]
	}
	return false
}
