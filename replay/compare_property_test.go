package replay

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// drawValue makes arbitrary JSON.
func drawValue(t *rapid.T, depth int) any {
	kinds := []string{"null", "bool", "number", "string", "list", "object"}
	if depth == 0 {
		kinds = kinds[:4]
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "bool":
		return rapid.Bool().Draw(t, "bool")
	case "number":
		return json.Number(strconv.Itoa(rapid.IntRange(-1000, 1000).Draw(t, "number")))
	case "string":
		return rapid.StringMatching(`[a-z0-9/~]{0,8}`).Draw(t, "string")
	case "list":
		out := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "length") {
			out = append(out, drawValue(t, depth-1))
		}
		return out
	case "object":
		out := map[string]any{}
		for range rapid.IntRange(0, 4).Draw(t, "size") {
			out[rapid.StringMatching(`[a-z/~]{1,4}`).Draw(t, "key")] = drawValue(t, depth-1)
		}
		return out
	}
	return nil
}

func drawCase(t *rapid.T) *Case {
	raw, err := canonicalJSON(map[string]any{"doc": drawValue(t, 3)})
	if err != nil {
		t.Fatal(err)
	}
	c := &Case{ID: "c", Kind: "http", Effects: "read", Request: Request{Method: "GET", Path: "/"}, Response: Response{Status: 200, Body: raw}}
	parents := []string{""}
	seen := map[string]bool{}
	for range rapid.IntRange(1, 12).Draw(t, "spans") {
		s := span(rapid.SampledFrom(parents).Draw(t, "parent"), rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "name"), rapid.IntRange(1, 3).Draw(t, "count"))
		if !seen[s.path()] {
			seen[s.path()] = true
			c.Trace.Tree = append(c.Trace.Tree, s)
			parents = append(parents, s.path())
		}
	}
	return c
}

func TestACaseComparedWithItselfHasNoDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		if ds := Compare(c, observedAs(c)); len(ds) != 0 {
			t.Fatalf("%v", ds)
		}
	})
}

// places lists the pointers of all leaves.
func places(v any, at pointer, out *[]pointer) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			places(v[k], at.child(k), out)
		}
	case []any:
		for i, e := range v {
			places(e, at.child(strconv.Itoa(i)), out)
		}
	default:
		*out = append(*out, at)
	}
}

func TestEverySingleMutationIsFoundUnlessNoiseCoversIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		o := observedAs(c)
		doc := bodyValue(c.Response.Body)
		var leaves []pointer
		places(doc, nil, &leaves)
		kinds := []string{"status", "span"}
		if len(leaves) > 0 {
			kinds = append(kinds, "leaf")
		}
		var noise Noise
		switch kind := rapid.SampledFrom(kinds).Draw(t, "mutation"); kind {
		case "status":
			o.Response.Status = 500
		case "leaf":
			at := rapid.SampledFrom(leaves).Draw(t, "leaf")
			changed, _ := at.replace(doc, "mutated!")
			raw, err := canonicalJSON(changed)
			if err != nil {
				t.Fatal(err)
			}
			o.Response.Body = raw
			noise = Noise{Target: "response.body", Pointer: at.String(), Rule: "ignore"}
		case "span":
			tree := slices.Clone(c.Trace.Tree)
			i := rapid.IntRange(0, len(tree)-1).Draw(t, "span")
			noise = Noise{Target: "span", Pointer: "/" + escapeToken(tree[i].path()), Rule: "ignore"}
			switch rapid.SampledFrom([]string{"drop", "count", "status", "attribute"}).Draw(t, "how") {
			case "drop":
				tree = slices.Delete(tree, i, i+1)
			case "count":
				tree[i].Count.Min++
				tree[i].Count.Max++
			case "status":
				tree[i].Status = "error"
			case "attribute":
				tree[i].Attributes = map[string]string{"error.type": "X"}
			}
			o.Trace = Trace{Tree: tree}
		}
		if ds := Compare(c, o); len(ds) == 0 {
			t.Fatal("the mutation was not found")
		}
		if noise.Target != "" {
			c.Noise = []Noise{noise}
			if ds := Compare(c, o); len(ds) != 0 {
				t.Fatalf("noise at %s does not cover %v", noise.Pointer, ds)
			}
		}
	})
}
