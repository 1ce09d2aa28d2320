package replay

import "testing"

func runOf(t *testing.T, set *Set, build func() *desk) *Run {
	t.Helper()
	_, run, err := Golden(t.Context(), launcher(build), []*Set{set}, quick())
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestEquivalentBuildsAreIndistinguishable(t *testing.T) {
	set := recordDesk(t)
	base := runOf(t, set, func() *desk { return &desk{} })
	// With the guard off the retry loop of the patched build is there and changes nothing.
	guarded := runOf(t, set, patient)
	if ds := Equivalent(base, guarded); len(ds) != 0 {
		t.Errorf("differences between the same behaviour: %v", ds)
	}
	changed := runOf(t, set, func() *desk { return &desk{extra: true} })
	if ds := Equivalent(base, changed); len(ds) == 0 {
		t.Error("one outgoing call more was not noticed")
	}
}

func TestEquivalentAcceptsADefectBothBuildsShare(t *testing.T) {
	set := recordDesk(t)
	base := runOf(t, set, func() *desk { return &desk{wrong: true} })
	same := runOf(t, set, func() *desk { return &desk{wrong: true} })
	if ds := Equivalent(base, same); len(ds) != 0 {
		t.Errorf("both builds differ from the recording in the same way: %v", ds)
	}
	mended := runOf(t, set, func() *desk { return &desk{} })
	ds := Equivalent(base, mended)
	if len(ds) == 0 || ds[0].Pointer != "/state" {
		t.Errorf("the other build answers otherwise, found %v", ds)
	}
}

func TestEquivalentOfNothingIsADifference(t *testing.T) {
	for _, tt := range []struct{ a, b *Run }{{nil, nil}, {&Run{}, &Run{}}, {&Run{}, nil}} {
		if ds := Equivalent(tt.a, tt.b); len(ds) != 1 {
			t.Errorf("Equivalent(%v, %v) = %v", tt.a, tt.b, ds)
		}
	}
}
