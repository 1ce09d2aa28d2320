package replay

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPointerOfTheStandard(t *testing.T) {
	// RFC 6901, section 5.
	doc, err := decodeJSON([]byte(`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"/foo/0": `"bar"`, "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3", "/g|h": "4", `/i\j`: "5", `/k"l`: "6", "/ ": "7", "/m~0n": "8"} {
		p, err := parsePointer(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got, ok := p.lookup(doc)
		if !ok || show(got) != want {
			t.Errorf("%q is %v, want %s", text, show(got), want)
		}
		if p.String() != text {
			t.Errorf("%q is written back as %q", text, p.String())
		}
	}
	for _, text := range []string{"foo", "/a~2", "/a~", strings.Repeat("/x", maxPointerTokens+1)} {
		if _, err := parsePointer(text); err == nil {
			t.Errorf("%q is accepted", clip(text, 20))
		}
	}
	for _, text := range []string{"/foo/2", "/foo/-1", "/foo/01", "/foo/x", "/none", "/foo/0/deeper"} {
		p, err := parsePointer(text)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := p.lookup(doc); ok {
			t.Errorf("%q finds %v", text, v)
		}
	}
}

func TestPointerPatternCoversOneLevel(t *testing.T) {
	p, err := parsePointer("/items/*/id")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{"items 0 id": true, "items 12 id": true, "items 0": false, "items 0 id x": false, "item 0 id": false} {
		if got := p.matches(strings.Fields(at)); got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
}

func TestPointerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.String(), 0, 8).Draw(t, "tokens")
		p, err := parsePointer(pointer(tokens).String())
		if err != nil || !slices.Equal(p, pointer(tokens)) {
			t.Fatalf("%q became %q: %v", tokens, p, err)
		}
	})
}

func TestReplaceChangesOnlyWhatIsThere(t *testing.T) {
	doc, err := decodeJSON([]byte(`{"a":[1,{"b":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{"/a/1/b": true, "/a/2": false, "/c": false, "/a/1/c": false} {
		p, err := parsePointer(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := p.replace(doc, json.Number("9")); got != ok {
			t.Errorf("replace %s: %v", text, got)
		}
	}
	if got := show(doc); got != `{"a":[1,{"b":9}]}` {
		t.Errorf("document is %s", got)
	}
}

func FuzzPointer(f *testing.F) {
	for _, s := range []string{"", "/", "/a~1b/*/0", "/~0~1", "x", "/~"} {
		f.Add(s, `{"a":[1,2,{"b":null}]}`)
	}
	f.Fuzz(func(t *testing.T, text, doc string) {
		p, err := parsePointer(text)
		if err != nil {
			return
		}
		if p.String() != text {
			t.Fatalf("%q is written back as %q", text, p.String())
		}
		v, err := decodeJSON([]byte(doc))
		if err != nil {
			return
		}
		found, ok := p.lookup(v)
		if _, replaced := p.replace(v, found); replaced != ok && len(p) > 0 {
			t.Fatalf("lookup says %v, replace %v", ok, replaced)
		}
	})
}
