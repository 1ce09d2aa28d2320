package evaluate

import (
	"encoding/json"
	"testing"
)

func rankOf(t *testing.T, entries, name string) int {
	t.Helper()
	var list []Entry
	if err := json.Unmarshal([]byte(entries), &list); err != nil {
		t.Fatal(err)
	}
	return strictRank(list, func(s string) bool { return s == name })
}

func TestTiesTakeTheWorstRank(t *testing.T) {
	for entries, want := range map[string]int{
		`["x"]`:        1,
		`["a", "x"]`:   2,
		`[["x", "a"]]`: 2,
		`["a", "b"]`:   0,
		`[]`:           0,
		`[{"name":"x","score":1},{"name":"a","score":1},{"name":"b","score":0.5}]`: 2,
		`[{"name":"x","score":1},{"name":"a","score":0.9}]`:                        1,
		`[{"name":"x"},{"name":"a"}]`:                                              1,
		`["a", "a", "x"]`:                                                          2,
		`[["a", "x"], "x"]`:                                                        2,
	} {
		if got := rankOf(t, entries, "x"); got != want {
			t.Errorf("%s: rank %d, want %d", entries, got, want)
		}
	}
}

func TestSameFile(t *testing.T) {
	tests := []struct {
		predicted, truth string
		want             bool
	}{
		{"svc/a/handler.go", "svc/a/handler.go", true},
		{"/src/svc/a/handler.go", "svc/a/handler.go", true},
		{"a/handler.go:12", "svc/a/handler.go", true},
		{"handler.go", "svc/a/handler.go", false}, // too many files are called so
		{"handler.go", "handler.go", true},
		{"b/handler.go", "a/handler.go", false},
		{"a/handler.py", "a/handler.go", false},
		{"org.shop.Handler", "Handler.java", true},
		{"Handler", "src/org/shop/Handler.java", true},
		{"org.shop.Other", "Handler.java", false},
		{"", "a.go", false},
	}
	for _, tt := range tests {
		if got := sameFile(tt.predicted, tt.truth); got != tt.want {
			t.Errorf("%q for %q: %v, want %v", tt.predicted, tt.truth, got, tt.want)
		}
	}
}

func TestRegion(t *testing.T) {
	within := Truth{File: "Store.java", Lines: []int{10, 20}}
	method := Truth{File: "Store.java", Lines: []int{0, 20}, Region: "shop.Store.load start to 20"}
	tests := []struct {
		name  string
		truth Truth
		place Place
		want  bool
	}{
		{"inside", within, Place{Name: "shop.Store", Line: 15}, true},
		{"at its start", within, Place{Name: "shop.Store", Line: 10}, true},
		{"at its end", within, Place{Name: "shop.Store", Line: 20}, true},
		{"before it", within, Place{Name: "shop.Store", Line: 9}, false},
		{"behind it", within, Place{Name: "shop.Store", Line: 21}, false},
		{"in another file", within, Place{Name: "shop.Cart", Line: 15}, false},
		{"in the named method", method, Place{Name: "shop.Store", Line: 12, Function: "shop.Store.load"}, true},
		{"in another method above it", method, Place{Name: "shop.Store", Line: 12, Function: "shop.Store.save"}, false},
		{"above it, in no known method", method, Place{Name: "shop.Store", Line: 12}, false},
		{"at the end of the method's start", method, Place{Name: "shop.Store", Line: 20}, true},
	}
	for _, tt := range tests {
		tt.place.Rank = 1
		if got := regionRank([]Place{tt.place}, &tt.truth) == 1; got != tt.want {
			t.Errorf("a line %s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func FuzzEntry(f *testing.F) {
	for _, s := range []string{`"a"`, `["a","b"]`, `{"name":"a","score":1}`, `{"score":1}`, `null`, `[1]`, `{"name":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Entry
		if json.Unmarshal(data, &e) != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back Entry
		if err := json.Unmarshal(again, &back); err != nil {
			t.Errorf("%s was read, %s is not: %v", data, again, err)
		}
	})
}

func FuzzTruth(f *testing.F) {
	f.Add([]byte(`{"kind":"code","service":"a","lines":[0,3],"scope_span":null}`))
	f.Add([]byte(`{"kind":"change","commit":"none","decoys":["a"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		truth, err := parseTruth(data, "truth.json")
		if err != nil {
			return
		}
		Score(map[string]Truth{"a": truth}, map[string]Prediction{"a": {Places: []Place{{Name: "x", Line: 1, Rank: 1}}}})
	})
}
