package replay

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestHostileDocumentsAreRefusedWithThePlace(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"empty", ``, "the document: the document ends too early"},
		{"blank", "  \n", "the document: the document ends too early"},
		{"cut in an object", `{"a":{"b":1`, "/a: the document ends too early"},
		{"cut in a list", `{"a":[1,2`, "/a: the document ends too early"},
		{"cut in a string", `{"a":"x`, "ends too early"},
		{"cut after a key", `{"a"`, "ends too early"},
		{"the same key twice", `{"a":1,"a":1}`, `the document: key "a" occurs twice`},
		{"the same key twice below", `{"x":[{"k":1,"k":2}]}`, `/x/0: key "k" occurs twice`},
		{"the same key in other letters", `{"k":1,"\u006b":2}`, `key "k" occurs twice`},
		{"keys that decode to the same", "{\"\xff\":1,\"\xfe\":2}", "occurs twice"},
		{"the empty key twice", `{"":1,"":2}`, `key "" occurs twice`},
		{"two documents", `{} {}`, "more than one JSON document"},
		{"rubbish after it", `[] x`, "more than one JSON document"},
		{"NaN", `{"a":NaN}`, "/a: invalid character"},
		{"Infinity", `[Infinity]`, "invalid character"},
		{"plus sign", `[+1]`, "invalid character"},
		{"leading zero", `[01]`, "invalid character"},
		{"single quotes", `{'a':1}`, "invalid character"},
		{"comment", `/* x */ {}`, "invalid character"},
		{"trailing comma", `[1,]`, "invalid character"},
		{"control character", "\"a\x01b\"", "invalid character"},
		{"byte order mark", "\ufeff{}", "invalid character"},
		{"deep list", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested deeper than 100"},
		{"deep object", strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), "nested deeper than 100"},
		{"endless list", strings.Repeat("[", 1_000_000), "nested deeper than 100"},
		{"a closing bracket too much", `[1]]`, "more than one JSON document"},
		{"brackets that do not match", `[1}`, "invalid character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := decodeJSON([]byte(tt.doc))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, error %v, want %q", show(v), err, tt.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestNestingUpToTheBoundIsRead(t *testing.T) {
	doc := strings.Repeat("[", maxJSONDepth) + strings.Repeat("]", maxJSONDepth)
	if _, err := decodeJSON([]byte(doc)); err != nil {
		t.Error(err)
	}
}

func TestCanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":2}`:                  `{"a":2,"b":1}`,
		" [ 1 , 2 ] ":                    `[1,2]`,
		`"<&>"`:                          `"<&>"`,
		`"\u0041\/"`:                     `"A/"`,
		`1.0`:                            `1.0`,
		`1e2`:                            `1e2`,
		`-0`:                             `-0`,
		`12345678901234567890.123456789`: `12345678901234567890.123456789`,
		`{"":{"":null}}`:                 `{"":{"":null}}`,
		`"\ud800"`:                       `"` + "\ufffd" + `"`,
		"\"\xff\"":                       `"` + "\ufffd" + `"`,
		`"\u2028"`:                       `"\u2028"`,
	} {
		v, err := decodeJSON([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		got, err := canonicalJSON(v)
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, want %s (%v)", in, got, want, err)
		}
	}
	if _, err := canonicalJSON(json.Number("NaN")); err == nil {
		t.Error("NaN is written")
	}
}

func TestCanonicalFormIsAFixedPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, err := canonicalJSON(drawValue(t, 4))
		if err != nil {
			t.Fatal(err)
		}
		v, err := decodeJSON(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, first, "\t", "    "); err != nil {
			t.Fatal(err)
		}
		w, err := decodeJSON(indented.Bytes())
		if err != nil || !equalJSON(v, w) {
			t.Fatalf("indented it is another document: %s (%v)", indented.Bytes(), err)
		}
		again, err := canonicalJSON(w)
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%s became %s (%v)", first, again, err)
		}
	})
}

func TestDigestFollowsTheCases(t *testing.T) {
	base, err := smallSet().Digest()
	if err != nil || !strings.HasPrefix(base, "sha256:") || len(base) != len("sha256:")+64 {
		t.Fatalf("%q %v", base, err)
	}
	tests := []struct {
		name string
		edit func(s *Set)
		same bool
	}{
		{"nothing", func(*Set) {}, true},
		{"header", func(s *Set) { s.Recorded.Env, s.Semconv = "other", "2" }, true},
		{"form of a body", func(s *Set) { s.Cases[0].Request.Body = json.RawMessage(`{ "a":"<b>", "z":1 }`) }, true},
		{"body", func(s *Set) { s.Cases[0].Request.Body = json.RawMessage(`{"a":"<b>","z":2}`) }, false},
		{"a number's form", func(s *Set) { s.Cases[0].Request.Body = json.RawMessage(`{"a":"<b>","z":1.0}`) }, false},
		{"order of cases", func(s *Set) { s.Cases[0], s.Cases[1] = s.Cases[1], s.Cases[0] }, false},
		{"effects", func(s *Set) { s.Cases[1].Effects = "sandboxed_write" }, false},
		{"noise", func(s *Set) { s.Cases[0].Noise = nil }, false},
		{"a header", func(s *Set) { s.Cases[0].Request.Headers = map[string]string{"content-type": "text/plain"} }, false},
		{"latency", func(s *Set) { s.Cases[0].Latency[0]++ }, false},
	}
	for _, tt := range tests {
		s := smallSet()
		tt.edit(s)
		got, err := s.Digest()
		if err != nil || (got == base) != tt.same {
			t.Errorf("%s: %v, the digest stays: %v", tt.name, err, got == base)
		}
	}
	broken := smallSet()
	broken.Cases[0].Request.Body = json.RawMessage(`{"a":`)
	if _, err := broken.Digest(); err == nil {
		t.Error("a body that is no JSON has a digest")
	}
}

func TestEqualDocuments(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`100`, `1e2`, true}, {`-0`, `0`, true}, {`0.1`, `0.10`, true},
		{`1`, `"1"`, false}, {`1`, `true`, false}, {`null`, `0`, false}, {`null`, `null`, true},
		{`1e400`, `1e401`, false}, {`1e400`, `1e400`, true},
		{`0.1000000000000000055`, `0.1`, false}, {`9007199254740993`, `9007199254740992`, false},
		{`{"a":1,"b":2}`, `{"b":2.0,"a":1}`, true}, {`{"a":1}`, `{"a":1,"b":null}`, false}, {`{"a":null}`, `{"b":null}`, false},
		{`[1,2]`, `[2,1]`, false}, {`[1,[2]]`, `[1,[2.0]]`, true}, {`[]`, `{}`, false}, {`""`, `null`, false}, {`[]`, `[null]`, false},
	}
	for _, tt := range tests {
		a, errA := decodeJSON([]byte(tt.a))
		b, errB := decodeJSON([]byte(tt.b))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if equalJSON(a, b) != tt.want || equalJSON(b, a) != tt.want {
			t.Errorf("%s and %s: %v, want %v", tt.a, tt.b, equalJSON(a, b), tt.want)
		}
	}
}
