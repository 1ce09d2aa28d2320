package telemetry

import "github.com/remediator/remediator/telemetry/nesting"

// wireField is a field of a protobuf message: body is what a length-delimited one holds, bits what the others do.
type wireField struct {
	number int32
	kind   uint8
	bits   uint64
	body   string
}

// The wire types of protobuf but groups (https://protobuf.dev/programming-guides/encoding/).
const (
	wireVarint uint8 = 0
	wire64     uint8 = 1
	wireBytes  uint8 = 2
	wire32     uint8 = 5
)

// read reads the field that begins at i and returns where the next one does, -1 when there is none that is plain: it is
// broken, or a group.
func (f *wireField) read(msg string, i int) int {
	var tag uint64
	if tag, i = wireNumber(msg, i); i < 0 {
		return -1
	}
	f.number, f.kind = int32(tag>>3), uint8(tag&7) // as pdata cuts them
	if f.number <= 0 {
		return -1
	}
	switch f.kind {
	case wireVarint:
		f.bits, i = wireNumber(msg, i)
		return i
	case wire64:
		if len(msg)-i < 8 {
			return -1
		}
		b := msg[i : i+8]
		f.bits = uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		return i + 8
	case wireBytes:
		var n uint64
		if n, i = wireNumber(msg, i); i < 0 || n > uint64(len(msg)-i) {
			return -1
		}
		f.body = msg[i : i+int(n)] // at most len(msg)
		return i + len(f.body)
	case wire32:
		if len(msg)-i < 4 {
			return -1
		}
		return i + 4 // flags, which nobody asks for
	}
	return -1
}

// wireNumber reads a varint and returns where it ends, -1 when it is cut off or too long. What does not fit into 64 bits is lost, as
// in pdata.
func wireNumber(msg string, i int) (uint64, int) {
	if i < len(msg) && msg[i] < 0x80 {
		return uint64(msg[i]), i + 1
	}
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		if i >= len(msg) {
			return 0, -1
		}
		b := msg[i]
		i++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, i
		}
	}
	return 0, -1
}

// wireDepth is how deeply what is not looked into may be nested: less than nesting.Depth by the levels around it.
const wireDepth = nesting.Depth - 10

// plain is whether a field that is not looked into, or whose content is text, is none that pdata or its guard would refuse.
func (f *wireField) plain() bool {
	return f.kind != wireBytes || !nesting.Nested(f.body, wireDepth)
}
