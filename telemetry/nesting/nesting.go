// Package nesting tells whether an OTLP export, as bytes that nobody has decoded yet, is nested too
// deeply or holds too many empty messages to be decoded. The decoders recurse without a bound of their own, and a
// stack that overflows ends the whole process: no recover catches it. They also make some 250 bytes of an empty span that
// took two to send.
//
// It must not decode: whatever is malformed in another way is left to the decoder, which reports
// it. What the decoder would walk into, this package has to walk into too; where the two could read
// the same bytes differently it follows the decoder (pdata's internal/proto), not the specification.
package nesting

import "errors"

// Depth bounds the messages in one another. A real export is ten messages deep, and each level of
// a nested attribute adds two.
const Depth = 100

// ErrTooDeep is the answer to an export beyond Depth.
var ErrTooDeep = errors.New("the export is nested too deeply; send flat attributes")

// ErrTooMany is the answer to an export that is mostly empty messages.
var ErrTooMany = errors.New("the export holds too many empty items; send items with content")

// Some empty messages are in every export, and a record of a few bytes is one; what holds more than free of them has to have so
// many bytes for each: a third of what the smallest real span, record or point takes.
const (
	free       = 10_000
	protoBytes = 12 // for each message of the outer three levels: resources, scopes, items
	jsonBytes  = 8  // for each object
)

// JSON returns ErrTooDeep when brackets outside strings nest deeper than twice the bound: JSON needs a
// bracket for each message and one for each list. It returns ErrTooMany when there are too many objects.
func JSON(data []byte) error {
	objects := 0
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > 2*Depth {
				return ErrTooDeep
			}
			if c == '{' {
				objects++
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if objects > free+len(data)/jsonBytes {
		return ErrTooMany
	}
	return nil
}

// Proto returns ErrTooDeep when the length-delimited fields of a protobuf message nest deeper than
// the bound. Without the schema a string looks like a message until its bytes stop making sense; no
// text keeps making sense for a hundred levels. Each byte is looked at about once, since a field's
// content is passed over on the level above.
func Proto(data []byte) error {
	outer := 0
	if deep(data, Depth, &outer) {
		return ErrTooDeep
	}
	if Crowded(outer, len(data)) {
		return ErrTooMany
	}
	return nil
}

// Crowded is whether so many messages of the outer three levels are more than an export of a size may hold.
func Crowded(outer, size int) bool { return outer > free+size/protoBytes }

// Nested is whether a field's content is itself nested deeper than some levels.
func Nested(content string, levels int) bool {
	return len(content) >= 2*levels && nested(content, levels) // a level takes two bytes at least
}

func nested(content string, levels int) bool {
	outer := 0
	return deep(content, levels, &outer)
}

// deep counts the length-delimited fields of the outer three levels on its way.
func deep[T string | []byte](data T, left int, outer *int) bool {
	if left == 0 {
		return true
	}
	for len(data) > 0 {
		tag, n := varint(data)
		if n == 0 || tag>>3 == 0 {
			return false
		}
		data = data[n:]
		size := 0
		switch tag & 7 {
		case 0: // varint
			if _, size = varint(data); size == 0 {
				return false
			}
		case 1: // 64 bits
			size = 8
		case 5: // 32 bits
			size = 4
		case 2: // length-delimited
			length, n := varint(data)
			if n == 0 || length > uint64(len(data)-n) {
				return false
			}
			data = data[n:]
			size = int(length) // at most len(data)
			if left > Depth-3 {
				*outer++
			}
			if deep(data[:size], left-1, outer) {
				return true
			}
		case 3, 4:
			// OTLP has no groups, but the decoder steps over those it does not know and goes on to what follows. Their
			// brackets are passed over one at a time: that looks into more than the decoder does, never into less.
		default:
			return false
		}
		if size > len(data) {
			return false
		}
		data = data[size:]
	}
	return false
}

// varint reads a number and how many bytes it took, 0 when it is cut off or too long. As in the decoder, what
// does not fit into 64 bits is lost and no error: [encoding/binary.Uvarint] refuses it, and an export
// written so would be passed by the guard and taken by the decoder.
func varint[T string | []byte](data T) (v uint64, n int) {
	for shift := 0; shift < 64; shift += 7 {
		if n >= len(data) {
			return 0, 0
		}
		b := data[n]
		n++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, n
		}
	}
	return 0, 0
}
