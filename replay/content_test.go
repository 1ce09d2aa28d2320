package replay

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTextThatLooksLikeAMarkSurvives(t *testing.T) {
	tests := []struct{ name, contentType, wire, kept string }{
		{"JSON that is cut off", "application/json", `{"amount":`, `"data:text/plain,{\"amount\":"`},
		{"no JSON at all", "application/json; charset=utf-8", `amount=1`, `"data:text/plain,amount=1"`},
		{"blanks for JSON", "application/problem+json", "  ", `"data:text/plain,  "`},
		{"text with the mark of text", "text/plain", "data:text/plain,x", `"data:text/plain,data:text/plain,x"`},
		{"text with the mark of bytes", "text/plain", "data:application/octet-stream;base64,QQ==", `"data:text/plain,data:application/octet-stream;base64,QQ=="`},
		{"a JSON string with a mark", "application/json", `"data:text/plain,x"`, `"data:text/plain,\"data:text/plain,x\""`},
		{"a JSON string", "application/json", `"x"`, `"x"`},
		{"JSON null", "application/json", `null`, `null`},
		{"a number as text", "text/plain", `17`, `"17"`},
		{"a number as JSON", "application/json", `17`, `17`},
		{"lines of JSON", "application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n", `"{\"a\":1}\n{\"a\":2}\n"`},
		{"bytes", "image/png", "\x89PNG\xff", `"data:application/octet-stream;base64,iVBOR/8="`},
		{"empty", "application/json", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kept := keepBody([]byte(tt.wire), tt.contentType)
			if string(kept) != tt.kept {
				t.Errorf("kept as %s, want %s", kept, tt.kept)
			}
			if got := wireBody(kept, tt.contentType); string(got) != tt.wire {
				t.Errorf("sent as %q", got)
			}
		})
	}
}

// What is sent is what was received, whatever it was; JSON up to form.
func TestAnyBodySurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contentType := rapid.SampledFrom([]string{"", "application/json", "text/plain", "application/vnd.x+json", "application/octet-stream"}).Draw(t, "content type")
		var wire []byte
		switch rapid.SampledFrom([]string{"bytes", "text", "json", "mark"}).Draw(t, "kind") {
		case "bytes":
			wire = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
		case "text":
			wire = []byte(rapid.String().Draw(t, "text"))
		case "json":
			raw, err := canonicalJSON(drawValue(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			wire = raw
		case "mark":
			wire = []byte(rapid.SampledFrom([]string{binaryPrefix, textPrefix}).Draw(t, "mark") + rapid.String().Draw(t, "rest"))
		}
		kept := keepBody(wire, contentType)
		if len(kept) > 0 && !json.Valid(kept) {
			t.Fatalf("%q is kept as %q, which is no JSON", wire, kept)
		}
		back := wireBody(kept, contentType)
		if bytes.Equal(back, wire) {
			return
		}
		a, errA := decodeJSON(bytes.TrimSpace(wire))
		b, errB := decodeJSON(back)
		if errA != nil || errB != nil || !equalJSON(a, b) {
			t.Fatalf("%q is sent as %q", wire, back)
		}
		if again := keepBody(back, contentType); !bytes.Equal(again, kept) {
			t.Fatalf("%s is kept as %s the second time", kept, again)
		}
	})
}

func TestContentTypesOfJSON(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/json":                true,
		"Application/JSON ; charset=utf8": true,
		"application/problem+json":        true,
		"application/vnd.api+json;v=1":    true,
		"application/x-ndjson":            false,
		"text/json-like":                  false,
		"json":                            false,
		"":                                false,
	} {
		if got := isJSON(contentType); got != want {
			t.Errorf("%q: %v", contentType, got)
		}
	}
}

func TestHeadersAreFoundInAnyCase(t *testing.T) {
	h := map[string]string{"Content-Type": "a", "x-b": "b"}
	for name, want := range map[string]string{"content-type": "a", "CONTENT-TYPE": "a", "Content-Type": "a", "X-B": "b", "x-c": ""} {
		if got := header(h, name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if header(nil, "x") != "" {
		t.Error("found in nothing")
	}
}

func TestShapesNameTypes(t *testing.T) {
	for doc, want := range map[string]string{
		`{"a":1,"b":"x","c":null,"d":true,"e":[1,"x",{}]}`: `{"a":"number","b":"string","c":"null","d":"boolean","e":["number","string",{}]}`,
		`[]`:      `[]`,
		`"text"`:  `"string"`,
		`1.5e3`:   `"number"`,
		`null`:    `"null"`,
		`false`:   `"boolean"`,
		`[[[1]]]`: `[[["number"]]]`,
	} {
		v, err := decodeJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if got := show(shapeOf(v)); got != want {
			t.Errorf("%s has the shape %s, want %s", doc, got, want)
		}
	}
	if typeName(3.5) != "unknown" {
		t.Error("a type that no document has is given a name")
	}
}

// Ten megabytes are kept, compared and sent without a quadratic step; the test would not end otherwise.
func TestLargeBodies(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for i := 0; b.Len() < 10<<20; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":"` + strings.Repeat("x", 1000) + `","n":17}`)
	}
	b.WriteString(`]}`)
	kept := keepBody([]byte(b.String()), "application/json")
	if len(kept) < 10<<20 || len(wireBody(kept, "application/json")) != len(kept) {
		t.Fatalf("%d bytes of %d are kept", len(kept), b.Len())
	}
	c := &Case{ID: "c", Response: Response{Status: 200, Body: kept}}
	o := observedAs(c)
	o.Response.Body = bytes.Replace(bytes.Clone(kept), []byte(`"n":17`), []byte(`"n":18`), 1)
	ds := Compare(c, o)
	if len(ds) != 1 || ds[0].Pointer != "/items/0/n" {
		t.Errorf("%v", lines(ds))
	}
	text := keepBody([]byte(strings.Repeat("line of text\n", 1<<20)), "text/plain")
	o.Response.Body = text
	ds = Compare(c, o)
	if len(ds) != 1 || len(ds[0].Recorded) > 300 || len(ds[0].Replayed) > 300 {
		t.Errorf("a report of %d bytes", len(ds[0].Recorded)+len(ds[0].Replayed))
	}
}

func TestClippingNeverCutsARune(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "bytes")
		got := clip(s, n)
		if !utf8.ValidString(got) || len(got) > n+len("…") {
			t.Fatalf("%q became %q", s, got)
		}
		if len(s) <= n && got != s {
			t.Fatalf("%q was short enough and became %q", s, got)
		}
	})
}

func TestDurationsAreText(t *testing.T) {
	for text, want := range map[string]string{`"1.5ms"`: "1.5ms", `"0s"`: "0s", `"90s"`: "1m30s", `"-3s"`: "-3s"} {
		var d Duration
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.String() != want {
			t.Errorf("%s: %v %s", text, err, d)
		}
	}
	for _, bad := range []string{`""`, `"3"`, `"3 ms"`, `"NaNs"`, `"1e9s"`, `"` + strings.Repeat("9", 400) + `s"`} {
		var d Duration
		if err := json.Unmarshal([]byte(bad), &d); err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: %v", clip(bad, 20), err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64().Draw(t, "nanoseconds"))
		text, err := d.MarshalText()
		var back Duration
		if err != nil || back.UnmarshalText(text) != nil || back != d {
			t.Fatalf("%d became %s and then %d", d, text, back)
		}
	})
}
