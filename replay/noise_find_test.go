package replay

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func found(t *testing.T, docs ...string) []string {
	t.Helper()
	values := make([]any, len(docs))
	for i, d := range docs {
		values[i] = bodyValue([]byte(d))
	}
	f := newNoiseFinder()
	f.compare("response.body", nil, values)
	var out []string
	for _, n := range f.found() {
		if n.Origin != "recorded twice" || n.Evidence == "" || n.Reason == "" {
			t.Errorf("rule without evidence: %+v", n)
		}
		line := n.Rule + " " + n.Pointer
		if n.Pattern != "" {
			line += " " + n.Pattern
		}
		out = append(out, line)
	}
	return out
}

func TestNoiseIsTheNarrowestRule(t *testing.T) {
	tests := []struct {
		name string
		docs []string
		want []string
	}{
		{"nothing", []string{`{"a":1}`, `{"a":1.0}`}, nil},
		{"uuid", []string{`{"a":"70bf105c-def7-9e91-1ab6-f7d3f91920dc"}`, `{"a":"09b9e071-5d80-c173-b55a-a456005143d2"}`}, []string{"uuid /a"}},
		{"time", []string{`{"a":"2026-01-02T03:04:05Z"}`, `{"a":"2026-01-02T03:04:06.1Z"}`}, []string{"timestamp /a"}},
		{"unix time", []string{`{"a":1767323045}`, `{"a":1767323046}`}, []string{"timestamp /a"}},
		{"number", []string{`{"a":7}`, `{"a":8}`}, []string{"numeric /a"}},
		{"number in text", []string{`{"a":"7"}`, `{"a":"8.5"}`}, []string{"numeric /a"}},
		{"generated id", []string{`{"a":"ord-00a1"}`, `{"a":"ord-00f2"}`, `{"a":"ord-0c33"}`}, []string{"regex /a ord-[0-9a-f]{4}"}},
		{"generated id of any length", []string{`{"a":"r:9.x"}`, `{"a":"r:120.x"}`}, []string{`regex /a r:[0-9]+\.x`}},
		{"free text", []string{`{"a":"good morning"}`, `{"a":"good evening, sir"}`}, []string{"presence /a"}},
		{"sometimes absent", []string{`{"a":1,"b":2}`, `{"a":1}`}, []string{"ignore /b"}},
		{"order", []string{`{"l":["x","y"]}`, `{"l":["y","x"]}`}, []string{"unordered /l"}},
		{"length", []string{`{"l":[1]}`, `{"l":[1,2]}`}, []string{"ignore /l"}},
		{"in elements", []string{`[{"id":1,"k":"a"},{"id":2,"k":"b"}]`, `[{"id":3,"k":"a"},{"id":4,"k":"b"}]`}, []string{"numeric /*/id"}},
		{"elements vary in two ways", []string{`["x y",1]`, `["z w",2]`}, []string{"presence /*"}},
		{"elements vary in type too", []string{`[null,0]`, `[[],1]`}, []string{"ignore /*"}},
		{"type", []string{`{"a":1}`, `{"a":"x"}`}, []string{"ignore /a"}},
		{"same value twice", []string{`{"id":"ab12","self":"ab12"}`, `{"id":"cd34","self":"cd34"}`}, []string{"alias /id", "alias /self"}},
		{"not always the same", []string{`{"id":"ab12","self":"ab12"}`, `{"id":"cd34","self":"ef56"}`}, []string{"regex /id [0-9a-f]{4}", "regex /self [0-9a-f]{4}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := found(t, tt.docs...); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// What was found on some recordings makes the comparison of any two of them empty.
func TestFoundNoiseCoversTheRecordings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := drawValue(t, 3)
		docs := []any{base}
		for range rapid.IntRange(1, 3).Draw(t, "recordings") {
			raw, err := canonicalJSON(base)
			if err != nil {
				t.Fatal(err)
			}
			other := bodyValue(raw)
			var leaves []pointer
			places(other, nil, &leaves)
			for range rapid.IntRange(0, 3).Draw(t, "mutations") {
				if len(leaves) > 0 {
					at := rapid.SampledFrom(leaves).Draw(t, "leaf")
					other, _ = at.replace(other, drawValue(t, 1))
					leaves = nil
					places(other, nil, &leaves)
				}
			}
			docs = append(docs, other)
		}
		f := newNoiseFinder()
		f.compare("response.body", nil, docs)
		noise := f.found()
		for _, d := range docs {
			a, errA := canonicalJSON(docs[0])
			b, errB := canonicalJSON(d)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			c := &Case{ID: "c", Response: Response{Status: 200, Body: a}, Noise: noise}
			o := observedAs(c)
			o.Response.Body = b
			if ds := Compare(c, o); len(ds) != 0 {
				t.Fatalf("%s and %s\nnoise %+v\nleaves %v", a, b, noise, ds)
			}
		}
	})
}

func TestPatternsMatchWhatTheyWereMadeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,4}[-_:]?[0-9a-fA-F]{1,6}(\.x)?`), 2, 5).Draw(t, "values")
		p := commonPattern(values)
		if p == "" {
			return
		}
		re := regexp.MustCompile("^(?:" + p + ")$")
		for _, v := range values {
			if !re.MatchString(v) {
				t.Fatalf("%q is not matched by %s", v, p)
			}
		}
	})
}

func TestTimestamps(t *testing.T) {
	for v, want := range map[any]bool{
		"2026-01-02T03:04:05Z": true, "2026-01-02 03:04:05": true, "Mon, 02 Jan 2006 15:04:05 GMT": true, "2026-01-02": true, "12345678": false, "": false,
		json.Number("1767323045"): true, json.Number("1767323045123"): true, json.Number("1767323045.5"): true, json.Number("42"): false, true: false,
	} {
		if got := isTimestamp(v); got != want {
			t.Errorf("%v: %v", v, got)
		}
	}
}
