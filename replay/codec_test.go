package replay

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"
)

// smallSet is valid and uses every part of the format.
func smallSet() *Set {
	return &Set{Schema: Schema, ID: "small", Service: "desk", Recorded: Recorded{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Commit: "abc", ToolVersion: "1"}, Redaction: NewRedactor().Redaction(), Semconv: "1.37.0",
		Cases: []Case{
			{ID: "one", Kind: "http", Effects: "sandboxed_write", Request: Request{Method: "POST", Route: "/entries", Path: "/entries", Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(`{"z":1,"a":"<b>"}`)},
				Vars: Vars{Extract: map[string]string{"id": "/id"}}, Response: Response{Status: 201, Body: json.RawMessage(`{"id":"x-1"}`)}, Latency: []Duration{Duration(1500 * time.Microsecond)},
				Trace:      Trace{Tree: []TreeSpan{{Signature: "desk|server|POST /entries|/entries", Kind: "server", Status: "unset", Count: Count{1, 1}}}},
				Downstream: []Downstream{{Peer: "ledger", Request: Request{Method: "POST", Path: "/bookings"}, Response: Response{Status: 200}, Latency: Duration(time.Millisecond)}},
				Noise:      []Noise{{Target: "response.body", Pointer: "/id", Rule: "regex", Pattern: "x-[0-9]+", Origin: "person"}}, Expect: []string{`span[kind="server"] count=1`}},
			{ID: "two", Kind: "http", Effects: "read", DependsOn: []string{"one"}, Request: Request{Method: "GET", Path: "/entries/0"}, Vars: Vars{Inject: map[string]string{"/path/1": "id"}}, Response: Response{Status: 200}},
		}}
}

func written(t testing.TB, set *Set) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSet(&b, set); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriteSetIsCanonical(t *testing.T) {
	first := written(t, smallSet())
	set, err := ReadSet(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if again := written(t, set); !bytes.Equal(first, again) {
		t.Errorf("written, read and written again it is other bytes:\n%s\n%s", first, again)
	}
	other := smallSet()
	other.Cases[0].Request.Body = json.RawMessage("{ \"a\" : \"<b>\",\n\"z\":1 }")
	if !bytes.Equal(first, written(t, other)) {
		t.Error("white space and key order of a body change the bytes")
	}
	if !bytes.HasSuffix(first, []byte("}\n")) || !bytes.Contains(first, []byte(`"<b>"`)) || !bytes.Contains(first, []byte(`"1.5ms"`)) {
		t.Errorf("unexpected form:\n%s", first)
	}
}

func TestReadSetNamesTheMistake(t *testing.T) {
	edit := func(f func(doc map[string]any)) func([]byte) []byte {
		return func(data []byte) []byte {
			var doc map[string]any
			if err := json.Unmarshal(data, &doc); err != nil {
				panic(err)
			}
			f(doc)
			out, _ := json.Marshal(doc)
			return out
		}
	}
	one := func(doc map[string]any) map[string]any { return doc["cases"].([]any)[0].(map[string]any) }
	two := func(doc map[string]any) map[string]any { return doc["cases"].([]any)[1].(map[string]any) }
	tests := []struct {
		name string
		edit func([]byte) []byte
		want string
	}{
		{"not JSON", func([]byte) []byte { return []byte("{") }, "ends too early"},
		{"two documents", func(d []byte) []byte { return append(d, d...) }, "more than one JSON document"},
		{"repeated key", func(d []byte) []byte {
			return bytes.Replace(d, []byte(`"id": "small",`), []byte(`"id": "small", "id": "big",`), 1)
		}, `key "id" occurs twice`},
		{"other schema", edit(func(d map[string]any) { d["schema"] = "v9" }), `/schema: "v9" is not "remediator.golden/v1" (record the set again`},
		{"unknown key", edit(func(d map[string]any) { one(d)["colour"] = 1 }), "/cases/0/colour: unknown key (known here: depends_on"},
		{"wrong type", edit(func(d map[string]any) { one(d)["response"].(map[string]any)["status"] = "201" }), "/cases/0/response/status: string where a whole number belongs"},
		{"fraction", edit(func(d map[string]any) { one(d)["response"].(map[string]any)["status"] = 1.5 }), "/cases/0/response/status: 1.5 is not a whole number"},
		{"bad duration", edit(func(d map[string]any) { one(d)["latency"] = []any{"3 ms"} }), `/cases/0/latency/0: not a duration: "3 ms" (write it as in "250ms"`},
		{"bad time", edit(func(d map[string]any) { d["recorded"].(map[string]any)["at"] = "yesterday" }), "/recorded/at: "},
		{"no cases", edit(func(d map[string]any) { d["cases"] = []any{} }), "/cases: empty"},
		{"same id twice", edit(func(d map[string]any) { two(d)["id"] = "one" }), `/cases/1/id: "one" is also the id of /cases/0`},
		{"unknown kind", edit(func(d map[string]any) { one(d)["kind"] = "smtp" }), `/cases/0/kind: "smtp" is not one of http, grpc, message`},
		{"unknown effects", edit(func(d map[string]any) { one(d)["effects"] = "" }), "/cases/0/effects"},
		{"dangling dependency", edit(func(d map[string]any) { two(d)["depends_on"] = []any{"three"} }), `/cases/1/depends_on/0: there is no case "three"`},
		{"circle", edit(func(d map[string]any) { one(d)["depends_on"] = []any{"two"} }), "goes round in a circle"},
		{"header with a line break", edit(func(d map[string]any) { one(d)["request"].(map[string]any)["headers"].(map[string]any)["x"] = "a\r\nb" }), "/cases/0/request/headers/x: not a header"},
		{"absolute URL", edit(func(d map[string]any) { one(d)["request"].(map[string]any)["path"] = "http://x/" }), "/cases/0/request/path"},
		{"method", edit(func(d map[string]any) { one(d)["request"].(map[string]any)["method"] = "GET /x" }), "/cases/0/request/method"},
		{"bad pointer", edit(func(d map[string]any) { one(d)["noise"].([]any)[0].(map[string]any)["pointer"] = "id" }), "/cases/0/noise/0/pointer: "},
		{"bad pattern", edit(func(d map[string]any) { one(d)["noise"].([]any)[0].(map[string]any)["pattern"] = "(" }), "/cases/0/noise/0/pattern: "},
		{"bad rule", edit(func(d map[string]any) { one(d)["noise"].([]any)[0].(map[string]any)["rule"] = "any" }), "/cases/0/noise/0/rule"},
		{"bad selector", edit(func(d map[string]any) { one(d)["expect"] = []any{"spam"} }), "/cases/0/expect/0: "},
		{"bad error word", edit(func(d map[string]any) { one(d)["downstream"].([]any)[0].(map[string]any)["error"] = "gone" }), "/cases/0/downstream/0/error"},
		{"impossible count", edit(func(d map[string]any) {
			one(d)["trace"].(map[string]any)["tree"].([]any)[0].(map[string]any)["count"] = map[string]any{"min": 3, "max": 2}
		}), "/cases/0/trace/tree/0/count: 3 to 2"},
		{"edited by hand", edit(func(d map[string]any) { one(d)["response"].(map[string]any)["status"] = 200 }), "/integrity: "},
	}
	good := written(t, smallSet())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadSet(bytes.NewReader(tt.edit(bytes.Clone(good))))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
		})
	}
}

// Any change of one byte that leaves the set readable is a change of what the digest covers
// or of the header, never an unnoticed change of a case.
func TestIntegrityCoversEveryCase(t *testing.T) {
	good := written(t, smallSet())
	from := bytes.Index(good, []byte(`"cases"`))
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(from, len(good)-1).Draw(t, "at")
		bad := bytes.Clone(good)
		bad[at] ^= byte(rapid.IntRange(1, 127).Draw(t, "flip"))
		set, err := ReadSet(bytes.NewReader(bad))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteSet(&b, set); err != nil || !bytes.Equal(b.Bytes(), good) {
			t.Fatalf("byte %d changed %q into %q unnoticed", at, good[at], bad[at])
		}
	})
}

func TestLoadSets(t *testing.T) {
	other := smallSet()
	other.ID = "other"
	fsys := fstest.MapFS{
		"golden/a.json": {Data: written(t, smallSet())}, "golden/b.json": {Data: written(t, other)}, "golden/README.md": {Data: []byte("x")},
		"copy/a.json": {Data: written(t, smallSet())}, "empty/README.md": {Data: []byte("x")}, "bad/x.json": {Data: []byte("{}")}, "link/a.json": {Data: []byte("../golden/a.json"), Mode: os.ModeSymlink},
	}
	sets, err := LoadSets(fsys, "golden", "./golden/a.json")
	if err != nil || len(sets) != 2 || sets[0].ID != "small" || sets[1].ID != "other" {
		t.Fatalf("%v, %d sets", err, len(sets))
	}
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{nil, "no golden set named"}, {[]string{"empty"}, "no golden set in empty"}, {[]string{"none"}, "golden sets at none"}, {[]string{"../x"}, "leads out of the repository"},
		{[]string{"golden", "copy"}, `set id "small" is also that of`}, {[]string{"bad"}, "bad/x.json: /schema"}, {[]string{"link/a.json"}, "symbolic links are not followed"}, {[]string{"link"}, "no golden set in link"},
	} {
		if _, err := LoadSets(fsys, tt.paths...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: error %v, want %q", tt.paths, err, tt.want)
		}
	}
}

func TestBodiesSurviveTheFormat(t *testing.T) {
	tests := []struct{ contentType, wire, kept string }{
		{"application/json", `{"b": 1.0, "a": 12345678901234567890}`, `{"a":12345678901234567890,"b":1.0}`},
		{"application/json", `"text"`, `"text"`},
		{"text/plain", `plain "text"`, `"plain \"text\""`},
		{"", `[1,2]`, `[1,2]`},
		{"text/html", "<p>&amp;</p>", `"<p>&amp;</p>"`},
		{"application/octet-stream", "\xff\x00\xfe", `"data:application/octet-stream;base64,/wD+"`},
		{"application/json", `{"a":1,"a":2}`, `"data:text/plain,{\"a\":1,\"a\":2}"`},
		{"", "", ""},
	}
	for _, tt := range tests {
		kept := keepBody([]byte(tt.wire), tt.contentType)
		if string(kept) != tt.kept {
			t.Errorf("%q is kept as %s, want %s", tt.wire, kept, tt.kept)
		}
		back := wireBody(kept, tt.contentType)
		if !json.Valid([]byte(tt.wire)) && string(back) != tt.wire {
			t.Errorf("%q is sent as %q", tt.wire, back)
		}
	}
}

func FuzzReadSet(f *testing.F) {
	f.Add(written(f, smallSet()))
	f.Add([]byte(`{"schema":"remediator.golden/v1","cases":[{}]}`))
	f.Add([]byte(`[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ReadSet(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteSet(&b, set); err != nil {
			t.Fatalf("a set that was read cannot be written: %v", err)
		}
		if _, err := ReadSet(&b); err != nil {
			t.Fatalf("a set that was written cannot be read: %v", err)
		}
	})
}
