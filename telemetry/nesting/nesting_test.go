package nesting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"pgregory.net/rapid"
)

// noise is what an attacker may put before the field that leads deeper: the decoder steps over it. The fields
// are number 100, which no message of OTLP has.
var noise = map[string][]byte{
	"nothing":             nil,
	"unknown varint":      {0xa0, 6, 1},
	"unknown group":       {0xa3, 6, 0xa0, 6, 1}, // the decoder takes the first field for the whole group
	"unknown empty group": {0xa3, 6, 0xa4, 6},
	"groups in groups":    {0xa3, 6, 0xa3, 6, 0xa4, 6, 0xa4, 6},
	"a number of 70 bits": {0xa0, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, // the decoder drops what does not fit
	"a tag of 70 bits":    {0xa0, 0x86, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 1},
	"unknown fixed":       {0xa1, 6, 1, 2, 3, 4, 5, 6, 7, 8, 0xa5, 6, 1, 2, 3, 4},
	"unknown bytes":       {0xa2, 6, 3, 0xff, 0xff, 0xff},
}

// export is an export with one span whose one attribute is an array in an array and so on, with noise
// before each step. It is written from the inside out, since each length has to be known before what
// stands around it.
func export(levels int, noise []byte) []byte {
	var back []byte // reversed
	prepend := func(b []byte) {
		b = slices.Clone(b)
		slices.Reverse(b)
		back = append(back, b...)
	}
	wrap := func(field byte) {
		prepend(append([]byte{field<<3 | 2}, binary.AppendUvarint(nil, uint64(len(back)))...))
		prepend(noise)
	}
	for range levels {
		wrap(1) // ArrayValue.values
		wrap(5) // AnyValue.array_value
	}
	wrap(2) // KeyValue.value
	prepend([]byte{1<<3 | 2, 1, 'k'})
	wrap(9) // Span.attributes
	wrap(2) // ScopeSpans.spans
	wrap(2) // ResourceSpans.scope_spans
	wrap(1) // ExportTraceServiceRequest.resource_spans
	slices.Reverse(back)
	return back
}

// decoded is how deep the decoder finds the attribute of an export to be, -1 when it refuses the export.
func decoded(data []byte) int {
	in := ptraceotlp.NewExportRequest()
	if in.UnmarshalProto(data) != nil {
		return -1
	}
	for _, rs := range in.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				v, ok := s.Attributes().Get("k")
				for n := 0; ok; n++ {
					if v.Type() != pcommon.ValueTypeSlice || v.Slice().Len() == 0 {
						return n
					}
					v = v.Slice().At(0)
				}
			}
		}
	}
	return 0
}

// TestNoiseDoesNotHideNesting: whatever the decoder steps over, the guard has to step over too, else the bomb behind it
// is let in.
func TestNoiseDoesNotHideNesting(t *testing.T) {
	for name, n := range noise {
		if err := Proto(export(20, n)); err != nil {
			t.Errorf("%s: 20 levels: %v", name, err)
		}
		if got := decoded(export(20, n)); got != 20 {
			t.Errorf("%s: the decoder sees %d levels, so it shows nothing", name, got)
		}
		for _, levels := range []int{50, 1000, 100_000} {
			if err := Proto(export(levels, n)); !errors.Is(err, ErrTooDeep) {
				t.Errorf("%s: %d levels: %v", name, levels, err)
			}
		}
	}
}

// TestAnyMixtureOfNoise: the same for random noise that the decoder accepts.
func TestAnyMixtureOfNoise(t *testing.T) {
	names := make([]string, 0, len(noise))
	for name := range noise {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		var mix []byte
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 5).Draw(t, "noise") {
			mix = append(mix, noise[name]...)
		}
		mix = append(mix, rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(t, "bytes")...)
		if decoded(export(20, mix)) != 20 {
			t.Skip("not what the decoder steps over")
		}
		if err := Proto(export(60, mix)); err == nil {
			t.Fatalf("hidden by %x", mix)
		}
	})
}

func TestBracketsAreCountedOutsideStrings(t *testing.T) {
	open := strings.Repeat("[{", 2*Depth)
	for doc, want := range map[string]bool{
		open: true, `"` + open + `"`: false, `"\"` + open + `"`: false, `"\\"` + open: true, `{"a":"` + open + `","b":[]}`: false,
		strings.Repeat("[]", 10_000): false, strings.Repeat("]", 10_000): false, "": false, `"unfinished ` + open: false, `"\`: false,
	} {
		if got := JSON([]byte(doc)) != nil; got != want {
			t.Errorf("%.30s: %v", doc, got)
		}
	}
}

// TestTextIsNotTakenForNesting: no text, however odd, looks like a hundred messages in one another.
func TestTextIsNotTakenForNesting(t *testing.T) {
	for c := range 256 {
		for _, n := range []int{1, 100, 5000} {
			if Proto([]byte(strings.Repeat(string([]byte{byte(c)}), n))) != nil {
				t.Errorf("%d times byte %#x", n, c)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if data := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "data"); Proto(data) != nil {
			t.Fatalf("%x", data)
		}
	})
}

func TestWhatMakesNoSenseIsLeftToTheDecoder(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "tag cut off": {0x80}, "field zero": {0x02, 0x00}, "varint cut off": {0x08, 0x80}, "length cut off": {0x0a, 0x80}, "longer than the rest": {0x0a, 0x05, 0x00}, "huge length": {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"64 bits cut off": {0x09, 1, 2}, "32 bits cut off": {0x0d, 1, 2}, "a group": {0x0b, 0x0c}, "wire type 7": {0x0f}, "overlong tag": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		if err := Proto(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEmptyItemsAreFewOrHaveContent: four million spans of two bytes each would take a gigabyte.
func TestEmptyItemsAreFewOrHaveContent(t *testing.T) {
	wrap := func(field byte, content []byte) []byte {
		return append(binary.AppendUvarint([]byte{field<<3 | 2}, uint64(len(content))), content...)
	}
	spans := func(n int, content ...byte) []byte {
		return wrap(1, wrap(2, bytes.Repeat(wrap(2, content), n)))
	}
	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"a few empty spans": {spans(5_000), nil}, "a million empty spans": {spans(1_000_000), ErrTooMany},
		"a million empty resources": {bytes.Repeat([]byte{0x0a, 0}, 1_000_000), ErrTooMany}, "a million empty scopes": {wrap(1, bytes.Repeat([]byte{0x12, 0}, 1_000_000)), ErrTooMany},
		"many real records": {spans(100_000, append(bytes.Repeat([]byte{0x09, 1, 2, 3, 4, 5, 6, 7, 8}, 1), 0x2a, 3, 0x0a, 1, 'x')...), nil},
	} {
		if got := Proto(tt.data); !errors.Is(got, tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := JSON([]byte(`{"resourceSpans":[` + strings.Repeat("{},", 1_000_000) + `{}]}`)); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if err := JSON([]byte(`[` + strings.Repeat(`{"intValue":"1"},`, 1_000_000) + `{}]`)); err != nil {
		t.Error(err)
	}
}

// FuzzProto: what the guard lets through can be decoded without ending the process.
func FuzzProto(f *testing.F) {
	for _, n := range noise {
		f.Add(export(10, n))
		f.Add(export(100, n))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if Proto(data) == nil {
			_ = ptraceotlp.NewExportRequest().UnmarshalProto(data)
		}
	})
}
