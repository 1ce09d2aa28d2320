package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plainCase is a valid case without anything particular.
func plainCase(id string, dependsOn ...string) Case {
	return Case{ID: id, Kind: "http", Effects: "read", DependsOn: dependsOn, Request: Request{Method: "GET", Path: "/" + id}, Response: Response{Status: 200}}
}

func setOf(cases ...Case) *Set {
	return &Set{Schema: Schema, ID: "s", Service: "desk", Cases: cases}
}

func scheduled(s *Set) (order, skipped []string) {
	cases, left := schedule(s)
	for _, c := range cases {
		order = append(order, c.ID)
	}
	for _, l := range left {
		skipped = append(skipped, l.Case)
	}
	return order, skipped
}

func TestScheduleOrdersByDependency(t *testing.T) {
	forbidden := func(c Case) Case { c.Effects = "forbidden"; return c }
	message := func(c Case) Case { c.Kind = "message"; return c }
	tests := []struct {
		name           string
		cases          []Case
		order, skipped []string
	}{
		{"as recorded", []Case{plainCase("b"), plainCase("a"), plainCase("c")}, []string{"b", "a", "c"}, nil},
		{"a later one first", []Case{plainCase("a", "c"), plainCase("b"), plainCase("c")}, []string{"c", "a", "b"}, nil},
		{"a chain backwards", []Case{plainCase("a", "b"), plainCase("b", "c"), plainCase("c")}, []string{"c", "b", "a"}, nil},
		{"a diamond", []Case{plainCase("d", "b", "c"), plainCase("b", "a"), plainCase("c", "a"), plainCase("a")}, []string{"a", "b", "c", "d"}, nil},
		{"named twice", []Case{plainCase("a", "b", "b"), plainCase("b")}, []string{"b", "a"}, nil},
		{"effects that must not be repeated", []Case{forbidden(plainCase("a")), plainCase("b")}, []string{"b"}, []string{"a"}},
		{"what needs it goes too", []Case{plainCase("c", "b"), plainCase("b", "a"), forbidden(plainCase("a")), plainCase("d")}, []string{"d"}, []string{"c", "b", "a"}},
		{"another kind", []Case{message(plainCase("a")), plainCase("b", "a"), plainCase("c")}, []string{"c"}, []string{"a", "b"}},
		{"one good and one bad dependency", []Case{plainCase("a", "b", "c"), plainCase("b"), forbidden(plainCase("c"))}, []string{"b"}, []string{"a", "c"}},
		{"nothing left", []Case{forbidden(plainCase("a")), message(plainCase("b"))}, nil, []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := setOf(tt.cases...)
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			order, skipped := scheduled(s)
			if !slices.Equal(order, tt.order) || !slices.Equal(skipped, tt.skipped) {
				t.Errorf("order %q, skipped %q", order, skipped)
			}
		})
	}
}

func TestSkippedCasesSayWhy(t *testing.T) {
	a, b := plainCase("a"), plainCase("b")
	a.Effects, b.Kind = "forbidden", "grpc"
	_, skipped := schedule(setOf(a, b, plainCase("c", "a"), plainCase("d", "c")))
	want := []string{"case a has effects that must not be repeated", "case b is of kind grpc, which is not replayed yet", "case c needs case a, which is skipped", "case d needs case c, which is skipped"}
	if len(skipped) != len(want) {
		t.Fatalf("%+v", skipped)
	}
	for i, s := range skipped {
		if s.Why != want[i] || s.Set != "s" {
			t.Errorf("%+v, want %q", s, want[i])
		}
	}
}

func TestCirclesAreFound(t *testing.T) {
	tests := []struct {
		name   string
		cases  []Case
		circle bool
	}{
		{"itself", []Case{plainCase("a", "a")}, true},
		{"two", []Case{plainCase("a", "b"), plainCase("b", "a")}, true},
		{"behind a tail", []Case{plainCase("x", "a"), plainCase("a", "b"), plainCase("b", "c"), plainCase("c", "a")}, true},
		{"after a branch without one", []Case{plainCase("x", "y", "a"), plainCase("y"), plainCase("a", "b"), plainCase("b", "a")}, true},
		{"a diamond is none", []Case{plainCase("d", "b", "c"), plainCase("b", "a"), plainCase("c", "a"), plainCase("a")}, false},
		{"two ways to one are none", []Case{plainCase("a", "b", "c"), plainCase("b", "c"), plainCase("c")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := setOf(tt.cases...).Validate()
			if tt.circle != (err != nil && strings.Contains(err.Error(), "goes round in a circle")) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestLongChainsAreNoTrouble(t *testing.T) {
	cases := make([]Case, maxCases)
	for i := range cases {
		cases[i] = plainCase(fmt.Sprint(i))
		if i+1 < len(cases) {
			cases[i].DependsOn = []string{fmt.Sprint(i + 1)}
		}
	}
	s := setOf(cases...)
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	order, skipped := scheduled(s)
	if len(order) != maxCases || len(skipped) != 0 || order[0] != fmt.Sprint(maxCases-1) || order[maxCases-1] != "0" {
		t.Errorf("%d in order, %d skipped", len(order), len(skipped))
	}
	s.Cases[maxCases-1].DependsOn = []string{"0"}
	if err := s.Validate(); err == nil {
		t.Error("the circle of all cases is not found")
	}
	s.Cases = append(s.Cases, plainCase("more"))
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "split the set") {
		t.Errorf("%v", err)
	}
}

// Every case is scheduled or skipped once, none before what it needs, none that needs a skipped one.
func TestScheduleOfAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 15).Draw(t, "cases")
		place := rapid.Permutation(rangeOf(n)).Draw(t, "places")
		cases := make([]Case, n)
		for rank, at := range place {
			c := plainCase(fmt.Sprint(rank))
			for d := range rank { // only on lower ranks: no circle
				if rapid.IntRange(0, 3).Draw(t, "depends") == 0 {
					c.DependsOn = append(c.DependsOn, fmt.Sprint(d))
				}
			}
			if rapid.IntRange(0, 7).Draw(t, "forbidden") == 0 {
				c.Effects = "forbidden"
			}
			cases[at] = c
		}
		s := setOf(cases...)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		order, skipped := scheduled(s)
		if len(order)+len(skipped) != n {
			t.Fatalf("%q and %q of %d", order, skipped, n)
		}
		for i := range cases {
			at := slices.Index(order, cases[i].ID)
			needsSkipped := slices.ContainsFunc(cases[i].DependsOn, func(d string) bool { return slices.Contains(skipped, d) })
			if want := cases[i].Effects == "forbidden" || needsSkipped; want != (at < 0) {
				t.Fatalf("case %s: at %d, forbidden %v, needs a skipped one %v", cases[i].ID, at, cases[i].Effects, needsSkipped)
			}
			for _, d := range cases[i].DependsOn {
				if at >= 0 && slices.Index(order, d) > at {
					t.Fatalf("%s comes before %s: %q", cases[i].ID, d, order)
				}
			}
		}
	})
}

func rangeOf(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestPrerequisitesComeInOrderAndOnce(t *testing.T) {
	cases := []Case{plainCase("d", "b", "c"), plainCase("b", "a"), plainCase("c", "a", "gone"), plainCase("a")}
	byID := map[string]*Case{}
	for i := range cases {
		byID[cases[i].ID] = &cases[i]
	}
	var got []string
	for _, c := range prerequisites(&cases[0], byID) {
		got = append(got, c.ID)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
	if got := prerequisites(&cases[3], byID); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
