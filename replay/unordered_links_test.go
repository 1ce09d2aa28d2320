package replay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/remediator/remediator/telemetry"
)

func list(n int, element func(i int) string) json.RawMessage {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = element(i)
	}
	return json.RawMessage("[" + strings.Join(parts, ",") + "]")
}

func TestUnorderedArrays(t *testing.T) {
	plain := func(i int) string { return fmt.Sprint(i) }
	with := func(id string) func(int) string {
		return func(i int) string { return fmt.Sprintf(`{"id":"%s-%d","n":%d}`, id, i, i) }
	}
	reversed := func(n int, element func(int) string) json.RawMessage {
		return list(n, func(i int) string { return element(n - 1 - i) })
	}
	unordered := Noise{Target: "response.body", Pointer: "", Rule: "unordered"}
	ids := Noise{Target: "response.body", Pointer: "/*/id", Rule: "presence"}
	tests := []struct {
		name               string
		recorded, replayed json.RawMessage
		noise              []Noise
		want               int // differences; -1 for some
	}{
		{"reversed", list(50, plain), reversed(50, plain), []Noise{unordered}, 0},
		{"reversed without the rule", list(50, plain), reversed(50, plain), nil, -1},
		{"one more", list(50, plain), list(51, plain), []Noise{unordered}, 1},
		{"one other", list(50, plain), list(50, func(i int) string { return fmt.Sprint(i + 1) }), []Noise{unordered}, 2},
		{"how often counts", json.RawMessage(`[1,1,2]`), json.RawMessage(`[1,2,2]`), []Noise{unordered}, 2},
		{"numbers by value", json.RawMessage(`[1,2]`), json.RawMessage(`[2.0,1.0]`), []Noise{unordered}, 0},
		{"same up to noise", list(50, with("a")), reversed(50, with("b")), []Noise{unordered, ids}, 0},
		{"too large to be compared by pairs", list(5000, plain), reversed(5000, plain), []Noise{unordered}, 0},
		{"too large and one other", list(5000, plain), list(5000, func(i int) string { return fmt.Sprint(max(i, 1)) }), []Noise{unordered}, 2},
		{"an exact one is not taken by one that would do", json.RawMessage(`[{"id":"a","n":1},{"id":"b"}]`), json.RawMessage(`[{"id":"b"},{"id":"z","n":1}]`), []Noise{unordered, ids}, 0},
		{"empty", json.RawMessage(`[]`), json.RawMessage(`[]`), []Noise{unordered}, 0},
		{"emptied", json.RawMessage(`[1]`), json.RawMessage(`[]`), []Noise{unordered}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Case{ID: "c", Response: Response{Status: 200, Body: tt.recorded}, Noise: tt.noise}
			o := observedAs(c)
			o.Response.Body = tt.replayed
			ds := Compare(c, o)
			if tt.want >= 0 && len(ds) != tt.want || tt.want < 0 && len(ds) == 0 {
				t.Errorf("%d differences: %.300v", len(ds), ds)
			}
		})
	}
}

func TestLinksOfASpan(t *testing.T) {
	linked := func(id uint64, links int) telemetry.Span {
		s := node(id, 1000, "desk", "consume")
		s.Links = make([]telemetry.Link, links)
		return s
	}
	fold := func(spans ...telemetry.Span) Trace {
		return treeOf(groupByTrace(spans)[telemetry.TraceID{1}].exchange("", outside), nil)
	}
	one, other := fold(linked(1, 1), linked(2, 3)), fold(linked(2, 3), linked(1, 1))
	if one.Tree[0].Links != 3 || other.Tree[0].Links != 3 {
		t.Errorf("%d and %d links: the order of arrival decides", one.Tree[0].Links, other.Tree[0].Links)
	}
	steady := varyingLinks([]Trace{fold(linked(1, 2)), fold(linked(1, 2))})
	if len(steady) != 0 {
		t.Errorf("%v", steady)
	}
	recordings := []Trace{fold(linked(1, 1)), fold(linked(1, 2)), fold(linked(1, 4))}
	noise := varyingLinks(recordings)
	if len(noise) != 1 || noise[0].Evidence == "" || noise[0].validate() != nil {
		t.Fatalf("%+v", noise)
	}
	c := &Case{ID: "c", Response: Response{Status: 200}, Trace: mergeTrees(recordings), Noise: noise}
	for i, trace := range recordings {
		o := observedAs(c)
		o.Trace = trace
		if ds := Compare(c, o); len(ds) != 0 {
			t.Errorf("recording %d differs from what was made of it: %v", i, ds)
		}
	}
	c.Noise = nil
	o := observedAs(c)
	o.Trace = recordings[0]
	if ds := Compare(c, o); len(ds) != 1 {
		t.Errorf("without the rule: %v", ds)
	}
}
