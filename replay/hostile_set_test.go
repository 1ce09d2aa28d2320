package replay

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Attacks that a readable set could carry, each with what must become of it.
func TestHostileSetsAreReadOrRefused(t *testing.T) {
	with := func(edit func(s *Set)) []byte {
		s := smallSet()
		edit(s)
		return written(t, s)
	}
	deep := strings.Repeat("[", 90) + strings.Repeat("]", 90)
	tests := []struct {
		name string
		data []byte
		want string // of the error; "" for none
	}{
		{"a body nested to the bound of a document", with(func(s *Set) { s.Cases[0].Response.Body = json.RawMessage(deep) }), ""},
		{"a body of ten megabytes", with(func(s *Set) {
			s.Cases[0].Response.Body = json.RawMessage(`"` + strings.Repeat("x", 10<<20) + `"`)
		}), ""},
		{"bytes that are no text", bytes.Replace(with(func(*Set) {}), []byte(`"desk"`), []byte("\"de\xffsk\""), 1), ""},
		{"NaN as a count", bytes.Replace(with(func(*Set) {}), []byte(`"min": 1`), []byte(`"min": NaN`), 1), "invalid character"},
		{"a count beyond reason", bytes.Replace(with(func(*Set) {}), []byte(`"max": 1`), []byte(`"max": 99999999999999999999`), 1), "not a whole number of reasonable size"},
		{"a repeated case member", bytes.Replace(with(func(*Set) {}), []byte(`"effects": "read"`), []byte(`"effects": "forbidden", "effects": "read"`), 1), "occurs twice"},
		{"cut off", with(func(*Set) {})[:500], "ends too early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadSet(bytes.NewReader(tt.data))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
