package replay

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	oneUUID   = "70bf105c-def7-9e91-1ab6-f7d3f91920dc"
	otherUUID = "09b9e071-5d80-c173-b55a-a456005143d2"
)

func TestEveryRuleToleratesWhatItSays(t *testing.T) {
	num := func(s string) json.Number { return json.Number(s) }
	tests := []struct {
		rule               string
		recorded, replayed any
		want               bool
	}{
		{"ignore", "a", nil, true},
		{"ignore", num("1"), map[string]any{}, true},

		{"presence", "a", "b", true},
		{"presence", "a", "", true},
		{"presence", "a", num("1"), false},
		{"presence", "a", nil, false},
		{"presence", nil, nil, true},
		{"presence", true, false, true},
		{"presence", []any{}, []any{"x"}, true},
		{"presence", []any{}, map[string]any{}, false},

		{"uuid", oneUUID, otherUUID, true},
		{"uuid", oneUUID, strings.ToUpper(otherUUID), true},
		{"uuid", oneUUID, strings.ReplaceAll(otherUUID, "-", ""), false},
		{"uuid", oneUUID, otherUUID + "0", false},
		{"uuid", oneUUID, "g" + otherUUID[1:], false},
		{"uuid", oneUUID, strings.Replace(otherUUID, "-", "_", 1), false},
		{"uuid", oneUUID, num("7"), false},
		{"uuid", oneUUID, nil, false},

		{"timestamp", "2026-01-02T03:04:05Z", "2027-11-12T13:14:15.123456789+05:30", true},
		{"timestamp", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05", true},
		{"timestamp", "2026-01-02", "2026-02-30", false},
		{"timestamp", "2026-01-02T03:04:05Z", "never", false},
		{"timestamp", "2026-01-02T03:04:05Z", num("1767323045"), false},
		{"timestamp", num("1767323045"), num("1767323045123"), true},
		{"timestamp", num("1767323045"), num("1767323045123456789"), true},
		{"timestamp", num("1767323045"), num("0"), false},
		{"timestamp", num("1767323045"), num("-1767323045"), false},
		{"timestamp", num("1767323045"), num("1e400"), false},

		{"numeric", num("1"), num("-2.5e3"), true},
		{"numeric", num("1"), "2", false},
		{"numeric", "1", "2.5", true},
		{"numeric", "1", " 2 ", true},
		{"numeric", "1", num("2"), false},
		{"numeric", "1", "two", false},
		{"numeric", "1", "", false},
		{"numeric", "1", "NaN", false},
		{"numeric", "1", "Infinity", false},
		{"numeric", "1", "-inf", false},
		{"numeric", num("1"), nil, false},

		{"unordered", []any{"a"}, []any{"b"}, false}, // what an array holds is compared elsewhere
		{"no such rule", "a", "a", false},
	}
	for _, tt := range tests {
		r := noiseRule{rule: tt.rule}
		if got := r.tolerates(tt.recorded, tt.replayed, newAliases()); got != tt.want {
			t.Errorf("%s: %v for %v: %v, want %v", tt.rule, tt.replayed, tt.recorded, got, tt.want)
		}
	}
}

func TestRegexRuleCoversTheWholeValueOfAnyLeaf(t *testing.T) {
	tests := []struct {
		pattern  string
		replayed any
		want     bool
	}{
		{"ord-[0-9]+", "ord-12", true},
		{"ord-[0-9]+", "xord-12", false},
		{"ord-[0-9]+", "ord-12x", false},
		{"ord-[0-9]+", "ord-12\n", false},
		{"a|b", "b", true},
		{"a|b", "ab", false}, // the alternatives are grouped before they are anchored
		{"[0-9]+", json.Number("17"), true},
		{"[0-9]+", json.Number("1.7"), false},
		{"true|false", true, true},
		{".*", nil, false},
		{".*", map[string]any{}, false},
		{"", "", true},
		{"", "x", false},
	}
	for _, tt := range tests {
		idx := newNoiseIndex([]Noise{{Target: "response.body", Pointer: "/x", Rule: "regex", Pattern: tt.pattern}})
		rules := idx.at("response.body", []string{"x"})
		if len(rules) != 1 {
			t.Fatalf("%q: %d rules", tt.pattern, len(rules))
		}
		if got := rules[0].tolerates("recorded", tt.replayed, nil); got != tt.want {
			t.Errorf("%q on %v: %v", tt.pattern, tt.replayed, got)
		}
	}
}

func TestAliasRule(t *testing.T) {
	type pair struct{ recorded, replayed any }
	tests := []struct {
		name  string
		pairs []pair
		want  []bool
	}{
		{"one to one", []pair{{"a", "x"}, {"b", "y"}, {"a", "x"}}, []bool{true, true, true}},
		{"one becomes two", []pair{{"a", "x"}, {"a", "y"}}, []bool{true, false}},
		{"two become one", []pair{{"a", "x"}, {"b", "x"}}, []bool{true, false}},
		{"a refused pair binds nothing", []pair{{"a", "x"}, {"b", "x"}, {"b", "y"}}, []bool{true, false, true}},
		{"swapped", []pair{{"a", "b"}, {"b", "a"}}, []bool{true, true}},
		{"itself", []pair{{"a", "a"}, {"a", "b"}}, []bool{true, false}},
		{"numbers", []pair{{json.Number("1"), json.Number("7")}, {json.Number("1"), json.Number("7")}}, []bool{true, true}},
		{"another type", []pair{{"1", json.Number("7")}}, []bool{false}},
		{"a UUID stays one", []pair{{oneUUID, "x"}, {oneUUID, otherUUID}}, []bool{false, true}},
		{"no leaf", []pair{{"a", nil}, {[]any{}, []any{}}}, []bool{false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names, rule := newAliases(), noiseRule{rule: "alias"}
			for i, p := range tt.pairs {
				if got := rule.tolerates(p.recorded, p.replayed, names); got != tt.want[i] {
					t.Errorf("pair %d: %v", i, got)
				}
			}
		})
	}
}

// However pairs arrive, the accepted ones are a bijection.
func TestAliasesStayOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := newAliases()
		to, from := map[string]string{}, map[string]string{}
		for range rapid.IntRange(1, 40).Draw(t, "pairs") {
			a := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "recorded")
			b := rapid.SampledFrom([]string{"w", "x", "y", "z"}).Draw(t, "replayed")
			clone := names.clone()
			if clone.same(a, b) != names.same(a, b) {
				t.Fatal("a clone decides otherwise")
			}
			if !names.clone().same(a, b) {
				continue
			}
			if v, ok := to[a]; ok && v != b {
				t.Fatalf("%s is %s and %s", a, v, b)
			}
			if v, ok := from[b]; ok && v != a {
				t.Fatalf("%s and %s are both %s", a, v, b)
			}
			to[a], from[b] = b, a
		}
	})
}

func TestNoiseIndexSelectsByTargetAndPlace(t *testing.T) {
	idx := newNoiseIndex([]Noise{
		{Target: "response.body", Pointer: "/items/*/id", Rule: "uuid"},
		{Target: "response.body", Pointer: "/items/0/id", Rule: "presence"},
		{Target: "response.header", Pointer: "/items/0/id", Rule: "ignore"},
		{Target: "response.body", Pointer: "bad pointer", Rule: "ignore"},
		{Target: "response.body", Pointer: "", Rule: "regex", Pattern: "("},
		{Target: "response.body", Pointer: "/a~1b", Rule: "ignore"},
	})
	rules := func(target string, place ...string) []string {
		var out []string
		for _, r := range idx.at(target, place) {
			out = append(out, r.rule)
		}
		return out
	}
	tests := []struct {
		target string
		place  []string
		want   []string
	}{
		{"response.body", []string{"items", "0", "id"}, []string{"uuid", "presence"}},
		{"response.body", []string{"items", "1", "id"}, []string{"uuid"}},
		{"response.body", []string{"items", "1"}, nil},
		{"response.body", []string{"a/b"}, []string{"ignore"}},
		{"response.body", nil, nil}, // the pattern that does not compile is no rule
		{"response.header", []string{"items", "0", "id"}, []string{"ignore"}},
		{"span", []string{"items", "0", "id"}, nil},
	}
	for _, tt := range tests {
		if got := rules(tt.target, tt.place...); !slices.Equal(got, tt.want) {
			t.Errorf("%s %q: %q, want %q", tt.target, tt.place, got, tt.want)
		}
	}
}

// Each rule through a whole comparison, on each target that a rule may name.
func TestRulesHoldOnEveryTarget(t *testing.T) {
	values := map[string]struct{ recorded, good, bad, pattern string }{
		"presence":  {recorded: "x", good: "y"},
		"uuid":      {recorded: oneUUID, good: otherUUID, bad: "none"},
		"timestamp": {recorded: "2026-01-02T03:04:05Z", good: "2027-01-02T03:04:05Z", bad: "soon"},
		"numeric":   {recorded: "17", good: "18", bad: "NaN"},
		"regex":     {recorded: "r-1", good: "r-2", bad: "r-x", pattern: "r-[0-9]"},
		"alias":     {recorded: "abc", good: "xyz"},
		"ignore":    {recorded: "abc", good: "anything"},
	}
	quoted := func(s string) json.RawMessage { return json.RawMessage(`{"v":"` + s + `"}`) }
	targets := map[string]struct {
		pointer string
		set     func(c *Case, o *Observed, recorded, replayed string)
	}{
		"response.body": {"/v", func(c *Case, o *Observed, a, b string) { c.Response.Body, o.Response.Body = quoted(a), quoted(b) }},
		"response.header": {"/x-v", func(c *Case, o *Observed, a, b string) {
			c.Response.Headers, o.Response.Headers = map[string]string{"X-V": a}, map[string]string{"x-v": b}
		}},
		"request.downstream": {"/ledger/POST ~1b/body/v", func(c *Case, o *Observed, a, b string) {
			call := func(v string) []Downstream {
				return []Downstream{{Peer: "ledger", Request: Request{Method: "POST", Path: "/b", Body: quoted(v)}, Response: Response{Status: 200}}}
			}
			c.Downstream, o.Downstream = call(a), call(b)
		}},
		"span": {"/desk|internal|work|/attributes/error.type", func(c *Case, o *Observed, a, b string) {
			tree := func(v string) Trace {
				return Trace{Tree: []TreeSpan{span("", "work", 1, func(s *TreeSpan) { s.Attributes = map[string]string{"error.type": v} })}}
			}
			c.Trace, o.Trace, o.Traced = tree(a), tree(b), true
		}},
	}
	for _, target := range sortedKeys(targets) {
		for _, rule := range sortedKeys(values) {
			t.Run(target+" "+rule, func(t *testing.T) {
				v, at := values[rule], targets[target]
				differences := func(replayed string, noise ...Noise) []Difference {
					c := &Case{ID: "c", Response: Response{Status: 200}, Noise: noise}
					o := &Observed{Case: "c", Response: Response{Status: 200}}
					at.set(c, o, v.recorded, replayed)
					return Compare(c, o)
				}
				noise := Noise{Target: target, Pointer: at.pointer, Rule: rule, Pattern: v.pattern}
				if err := noise.validate(); err != nil {
					t.Fatal(err)
				}
				if ds := differences(v.recorded); len(ds) != 0 {
					t.Errorf("the same value differs: %v", ds)
				}
				if ds := differences(v.good); len(ds) != 1 {
					t.Errorf("without the rule: %v", ds)
				}
				if ds := differences(v.good, noise); len(ds) != 0 {
					t.Errorf("with the rule: %v", ds)
				}
				elsewhere := noise
				elsewhere.Pointer += "x"
				if ds := differences(v.good, elsewhere); len(ds) != 1 {
					t.Errorf("with the rule at another place: %v", ds)
				}
				if v.bad != "" {
					if ds := differences(v.bad, noise); len(ds) != 1 {
						t.Errorf("%q passes: %v", v.bad, ds)
					}
				}
			})
		}
	}
}

func TestPresenceOfStructuresLooksNoDeeper(t *testing.T) {
	tests := []struct {
		name, recorded, replayed, pointer string
		want                              []string
	}{
		{"object", `{"meta":{"a":1}}`, `{"meta":{"b":[2]}}`, "/meta", nil},
		{"array", `{"l":[1,2]}`, `{"l":[]}`, "/l", nil},
		{"gone", `{"meta":{"a":1}}`, `{}`, "/meta", []string{"body missing /meta"}},
		{"another type", `{"meta":{"a":1}}`, `{"meta":[]}`, "/meta", []string{"body changed /meta"}},
		{"the member only", `{"meta":{"a":1,"b":1}}`, `{"meta":{"a":2,"b":2}}`, "/meta/a", []string{"body changed /meta/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Case{ID: "c", Response: Response{Status: 200, Body: json.RawMessage(tt.recorded)}, Noise: []Noise{{Target: "response.body", Pointer: tt.pointer, Rule: "presence"}}}
			o := observedAs(c)
			o.Response.Body = json.RawMessage(tt.replayed)
			if got := lines(Compare(c, o)); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestClassifyNamesTheNarrowestRule(t *testing.T) {
	n := func(s string) any { return json.Number(s) }
	tests := []struct {
		docs          []any
		rule, pattern string
	}{
		{[]any{oneUUID, otherUUID}, "uuid", ""},
		{[]any{oneUUID, "x"}, "regex", "[0-9A-Za-z_-]+"},
		{[]any{"2026-01-02", "2026-01-03"}, "timestamp", ""},
		{[]any{n("1767323045"), n("1767323046")}, "timestamp", ""},
		{[]any{n("1767323045"), n("5")}, "numeric", ""},
		{[]any{n("1"), n("2.5")}, "numeric", ""},
		{[]any{"1", "2.5"}, "numeric", ""},
		{[]any{"1", "NaN"}, "regex", "[0-9A-Za-z]+"},
		{[]any{"1", n("1")}, "ignore", ""},
		{[]any{"job-a1", "job-b2"}, "regex", "job-[0-9a-f]{2}"},
		{[]any{"job-A1", "job-B2"}, "regex", "job-[0-9A-F]{2}"},
		{[]any{"job-Az1", "job-bQ2"}, "regex", "job-[0-9A-Za-z]{3}"},
		{[]any{"a_1-b", "a_2-b"}, "regex", "a_[0-9]{1}-b"},
		{[]any{"hello there", "good bye"}, "presence", ""},
		{[]any{true, false}, "presence", ""},
		{[]any{nil, "x"}, "ignore", ""},
		{[]any{map[string]any{}, "x"}, "ignore", ""},
	}
	for _, tt := range tests {
		rule, pattern, why := classify(tt.docs)
		if rule != tt.rule || pattern != tt.pattern || (why == "") {
			t.Errorf("%v: %s %q (%s), want %s %q", tt.docs, rule, pattern, why, tt.rule, tt.pattern)
		}
		for _, d := range tt.docs {
			noise := newNoiseIndex([]Noise{{Target: "response.body", Pointer: "", Rule: rule, Pattern: pattern}}).at("response.body", nil)
			if !noise[0].tolerates(tt.docs[0], d, newAliases()) {
				t.Errorf("%s does not cover %v, which it was concluded from", rule, d)
			}
		}
	}
}

func TestCommonPatternIsBoundedAndQuoted(t *testing.T) {
	tests := []struct {
		values []string
		want   string
	}{
		{[]string{"a.b+c/1", "a.b+c/2"}, `a\.b\+c/[0-9]{1}`},
		{[]string{"(1)", "(2)"}, ""}, // brackets are no separators, so they would be part of the stretch
		{[]string{"k:1:k", "k:22:k"}, `k:[0-9]+:k`},
		{[]string{"abc", "abd"}, ""},
		{[]string{"1", "1234567890"}, "[0-9]+"},
		{[]string{strings.Repeat("1", 300), strings.Repeat("2", 300)}, ""},
		{[]string{"x-", "x-1"}, ""},
		{[]string{"é1", "é2"}, ""},
	}
	for _, tt := range tests {
		got := commonPattern(tt.values)
		if got != tt.want {
			t.Errorf("%q: %q, want %q", tt.values, got, tt.want)
		}
		if got != "" {
			re := regexp.MustCompile("^(?:" + got + ")$")
			for _, v := range tt.values {
				if !re.MatchString(v) {
					t.Errorf("%s does not match %q", got, v)
				}
			}
		}
	}
}
