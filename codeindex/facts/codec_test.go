package facts

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func sample(t *rapid.T) *File {
	text := rapid.StringN(0, 12, 40)
	line := rapid.Int32Range(0, 100000)
	f := &File{
		Language: text.Draw(t, "language"), Package: text.Draw(t, "package"),
		Generated: rapid.Bool().Draw(t, "generated"), Test: rapid.Bool().Draw(t, "test"), Broken: rapid.Bool().Draw(t, "broken"),
		Symbols: []Symbol{}, Calls: []Call{}, Sites: []Site{}, Consts: []Const{}, Imports: []Import{},
	}
	for range rapid.IntRange(0, 5).Draw(t, "symbols") {
		s := Symbol{
			Name: text.Draw(t, "name"), Kind: SymbolKind(rapid.IntRange(0, int(Closure)).Draw(t, "kind")),
			From: line.Draw(t, "from"), To: line.Draw(t, "to"), Exported: rapid.Bool().Draw(t, "exported"), Test: text.Draw(t, "test"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "bases") {
			s.Bases = append(s.Bases, text.Draw(t, "base"))
		}
		f.Symbols = append(f.Symbols, s)
	}
	fn := rapid.Int32Range(None, int32(len(f.Symbols)-1))
	for range rapid.IntRange(0, 5).Draw(t, "calls") {
		f.Calls = append(f.Calls, Call{text.Draw(t, "callee"), line.Draw(t, "line"), fn.Draw(t, "func")})
	}
	for range rapid.IntRange(0, 5).Draw(t, "sites") {
		f.Sites = append(f.Sites, Site{
			Kind: SiteKind(rapid.IntRange(0, int(Logger)).Draw(t, "kind")), Text: text.Draw(t, "text"), Method: text.Draw(t, "method"),
			Handler: text.Draw(t, "handler"), HandlerFrom: line.Draw(t, "hf"), HandlerTo: line.Draw(t, "ht"),
			Line: line.Draw(t, "line"), Func: fn.Draw(t, "func"), Via: text.Draw(t, "via"),
		})
	}
	for range rapid.IntRange(0, 3).Draw(t, "consts") {
		f.Consts = append(f.Consts, Const{text.Draw(t, "name"), text.Draw(t, "value")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "imports") {
		f.Imports = append(f.Imports, Import{text.Draw(t, "name"), text.Draw(t, "path"), text.Draw(t, "item")})
	}
	return f
}

func TestEncodedFactsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := sample(t)
		got, err := Decode(want.Encode(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}

func TestCutFactsAreMalformed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sample(t).Encode(nil)
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := Decode(b[:cut]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d of %d: got %v, want ErrMalformed", cut, len(b), err)
		}
	})
}

func TestTrailingBytesAreMalformed(t *testing.T) {
	b := (&File{Language: "go"}).Encode(nil)
	if _, err := Decode(append(b, 0)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("got %v, want ErrMalformed", err)
	}
}

func TestFunctionsOutsideOfTheSymbolsAreMalformed(t *testing.T) {
	f := &File{Calls: []Call{{Callee: "x", Func: 3}}}
	if _, err := Decode(f.Encode(nil)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("got %v, want ErrMalformed: no such function", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&File{Language: "go", Symbols: []Symbol{{Name: "A.b", From: 1, To: 2}}, Calls: []Call{{"x.y", 3, 0}}}).Encode(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(file.Encode(nil))
		if err != nil || !reflect.DeepEqual(again, file) {
			t.Fatalf("decoded facts do not survive: %v", err)
		}
	})
}
