package telemetry

import (
	"bytes"
	"compress/gzip"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// profileOf makes a CPU profile of 10 ms per sample: stacks name functions innermost first, "a+b" is one place where a was
// inlined into b.
func profileOf(stacks map[string]int64) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10_000_000,
		TimeNanos: base, DurationNanos: int64(10 * time.Second),
	}
	functions, places := map[string]*profile.Function{}, map[string]*profile.Location{}
	for stack, count := range stacks {
		s := &profile.Sample{Value: []int64{count, count * 10_000_000}}
		for _, place := range strings.Split(stack, ";") {
			l := places[place]
			if l == nil {
				l = &profile.Location{ID: uint64(len(p.Location)) + 1, Address: 0x1000 + uint64(len(p.Location))}
				for i, name := range strings.Split(place, "+") {
					f := functions[name]
					if f == nil {
						f = &profile.Function{ID: uint64(len(p.Function)) + 1, Name: name, Filename: "/src/" + name + ".go"}
						functions[name] = f
						p.Function = append(p.Function, f)
					}
					l.Line = append(l.Line, profile.Line{Function: f, Line: int64(10 + i)})
				}
				places[place] = l
				p.Location = append(p.Location, l)
			}
			s.Location = append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func packProfile(t testing.TB, p *profile.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func profilesOf(t *testing.T, data []byte, service string) Dataset {
	t.Helper()
	r := NewReader(Options{})
	if err := r.AddProfile(data, service); err != nil {
		t.Fatal(err)
	}
	return r.Dataset()
}

func ofType(t *testing.T, ds Dataset, typ string) Profile {
	t.Helper()
	for _, p := range ds.Profiles {
		if p.Type == typ {
			return p
		}
	}
	t.Fatalf("no %s among %d profiles", typ, len(ds.Profiles))
	return Profile{}
}

func frameOf(p Profile, function string) (sum ProfileFrame) {
	for _, f := range p.Frames {
		if f.Function == function {
			sum.Flat += f.Flat
			sum.Cum += f.Cum
			sum.Line, sum.File = f.Line, f.File
		}
	}
	return sum
}

func TestProfilesAreSummedByFunctionAndLine(t *testing.T) {
	ds := profilesOf(t, packProfile(t, profileOf(map[string]int64{
		"leaf;main":              3,
		"inner+outer;main":       5, // inner was inlined into outer
		"leaf;leaf;leaf;main":    2, // recursion counts once
		"sort;inner+outer;main;": 0,
	})), "shop")
	p := ofType(t, ds, "cpu")
	ms := int64(10_000_000)
	if p.Resource.Service != "shop" || p.Unit != "nanoseconds" || p.Total != 10*ms || p.Samples != 10 || p.Duration != 10*time.Second || p.Start != base {
		t.Errorf("%+v", p)
	}
	for name, want := range map[string][2]int64{"leaf": {5, 5}, "inner": {5, 5}, "outer": {0, 5}, "main": {0, 10}} {
		if f := frameOf(p, name); f.Flat != want[0]*ms || f.Cum != want[1]*ms {
			t.Errorf("%s: flat %d cum %d, want %v", name, f.Flat/ms, f.Cum/ms, want)
		}
	}
	if f := frameOf(p, "outer"); f.Line != 11 || f.File != "/src/outer.go" {
		t.Errorf("outer is called from %s:%d", f.File, f.Line)
	}
	if len(p.Stacks) != 3 || p.Stacks[0].Value != 5*ms || p.Frames[p.Stacks[0].Frames[0]].Function != "inner" || p.Frames[p.Stacks[0].Frames[1]].Function != "outer" {
		t.Errorf("stacks %+v", p.Stacks)
	}
	if s := ofType(t, ds, "samples"); s.Total != 10 || s.Samples != 10 {
		t.Errorf("%+v", s)
	}
}

func TestAProfileSaysWhoseItIs(t *testing.T) {
	p := profileOf(map[string]int64{"a;main": 1})
	p.Comments = []string{"x", "service.name=from-comment"}
	if ds := profilesOf(t, packProfile(t, p), "from-name"); ds.Profiles[0].Resource.Service != "from-comment" {
		t.Errorf("%+v", ds.Profiles[0].Resource)
	}
	p = profileOf(map[string]int64{"a;main": 1, "b;main": 2})
	p.Sample[0].Label = map[string][]string{"service_name": {"labelled"}}
	ds := profilesOf(t, packProfile(t, p), "from-name")
	services := map[string]bool{}
	for _, p := range ds.Profiles {
		services[p.Resource.Service] = true
	}
	if len(ds.Profiles) != 4 || !services["labelled"] || !services["from-name"] {
		t.Errorf("%v", services)
	}
	if ds := profilesOf(t, packProfile(t, profileOf(map[string]int64{"a": 1})), ""); noteCount(ds, NoteNoService) != 1 {
		t.Error("an anonymous profile is not mentioned")
	}
}

// TestRealProfilesAreRead: what runtime/pprof writes of this very process.
func TestRealProfilesAreRead(t *testing.T) {
	for _, name := range []string{"heap", "goroutine", "allocs"} {
		var b bytes.Buffer
		if err := pprof.Lookup(name).WriteTo(&b, 0); err != nil {
			t.Fatal(err)
		}
		r := NewReader(Options{})
		if err := r.AddProfile(b.Bytes(), "me"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ds := r.Dataset()
		if len(ds.Profiles) == 0 && noteCount(ds, NoteEmptyProfile) == 0 {
			t.Errorf("%s: nothing of it and not a word", name)
		}
		for _, p := range ds.Profiles {
			sum := int64(0)
			for _, f := range p.Frames {
				sum += f.Flat
				if f.Flat > f.Cum || f.Cum > p.Total {
					t.Errorf("%s: %+v of %d", p.Type, f, p.Total)
				}
			}
			if sum != p.Total {
				t.Errorf("%s: the lines add up to %d of %d", p.Type, sum, p.Total)
			}
		}
	}
}

func TestHostileProfilesAreBounded(t *testing.T) {
	good := packProfile(t, profileOf(map[string]int64{"a;main": 1}))
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	negative := profileOf(map[string]int64{"a;main": 1, "b;main": -5})
	many := profileOf(map[string]int64{"a;main": 1})
	for range 3000 {
		many.Sample = append(many.Sample, many.Sample[0])
	}
	deep := profileOf(map[string]int64{strings.Repeat("a;", 5000) + "main": 1})
	limits := Limits{Profile: 1 << 20, ProfileSamples: 2000, ProfileStacks: 1}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"bomb":     {bomb.Bytes(), "larger than"},
		"text":     {[]byte("heap profile: 1: 2 [3: 4] @ heap/1048576\n"), "go tool pprof -proto"},
		"nothing":  {nil, "pprof's format"},
		"cut":      {good[:len(good)/2], "unpack"},
		"not gzip": {[]byte{0x1f, 0x8b, 1}, "unpack"},
		"many":     {packProfile(t, many), "more than 2000"},
	} {
		r := NewReader(Options{Limits: limits})
		if err := r.AddProfile(c.data, "s"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// A service that slept while it was watched is no mistake.
	if ds := profilesOf(t, packProfile(t, profileOf(nil)), "s"); noteCount(ds, NoteEmptyProfile) != 1 {
		t.Errorf("an empty profile is not said: %v", ds.Notes)
	}
	for name, p := range map[string]*profile.Profile{NoteProfileValue: negative, NoteCut: deep} {
		r := NewReader(Options{Limits: limits})
		if err := r.AddProfile(packProfile(t, p), "s"); err != nil {
			t.Fatal(err)
		}
		if ds := r.Dataset(); noteCount(ds, name) == 0 || len(ds.Profiles) != 2 {
			t.Errorf("%s is not said: %v, %d profiles", name, ds.Notes, len(ds.Profiles))
		}
	}
	r := NewReader(Options{Limits: Limits{Profiles: 3}})
	for range 5 {
		if err := r.AddProfile(good, "s"); err != nil {
			t.Fatal(err)
		}
	}
	if ds := r.Dataset(); len(ds.Profiles) != 3 || noteCount(ds, NoteLimit) == 0 {
		t.Errorf("%d profiles, %v", len(ds.Profiles), ds.Notes)
	}
}

func FuzzAddProfile(f *testing.F) {
	for _, p := range []*profile.Profile{profileOf(map[string]int64{"a;main": 1}), profileOf(map[string]int64{"a+b;c;main": 7, "b;b;b": 2, "": 1})} {
		var b bytes.Buffer
		if err := p.WriteUncompressed(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(packProfile(f, p))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(Options{Limits: Limits{Profile: 1 << 16, ProfileSamples: 1000}})
		if r.AddProfile(data, "s") != nil {
			return
		}
		for _, p := range r.Dataset().Profiles {
			sum := int64(0)
			for _, fr := range p.Frames {
				if fr.Flat < 0 || fr.Cum < fr.Flat || fr.Cum > p.Total {
					t.Fatalf("%+v of %d", fr, p.Total)
				}
				sum += fr.Flat
			}
			if sum != p.Total {
				t.Fatalf("lines add up to %d of %d", sum, p.Total)
			}
			for _, s := range p.Stacks {
				for _, i := range s.Frames {
					if int(i) >= len(p.Frames) {
						t.Fatalf("stack names frame %d of %d", i, len(p.Frames))
					}
				}
			}
		}
	})
}
