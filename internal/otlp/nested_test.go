package otlp

import (
	"encoding/binary"
	"slices"
)

// nested is an export with one span whose one attribute is an array in an array and so on.
func nested(levels int) []byte {
	var back []byte // written from the inside out
	prepend := func(b []byte) {
		b = slices.Clone(b)
		slices.Reverse(b)
		back = append(back, b...)
	}
	wrap := func(field byte) {
		prepend(append([]byte{field<<3 | 2}, binary.AppendUvarint(nil, uint64(len(back)))...))
	}
	for range levels {
		wrap(1) // ArrayValue.values
		wrap(5) // AnyValue.array_value
	}
	wrap(2) // KeyValue.value
	prepend([]byte{1<<3 | 2, 1, 'k'})
	for _, field := range []byte{9, 2, 2, 1} { // attribute, span, scope, resource
		wrap(field)
	}
	slices.Reverse(back)
	return back
}
