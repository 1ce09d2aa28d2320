package localize

import (
	"testing"

	"pgregory.net/rapid"
)

// A handful must be a map, whether it is scanned or hashed, and after it was emptied, too.
func TestHandfulIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f handful[int, int]
		for range 3 {
			want := map[int]int{}
			for n, k := range rapid.SliceOfN(rapid.IntRange(0, 40), 0, 60).Draw(t, "keys") {
				v := f.get(k)
				if old, ok := want[k]; ok != (v != nil) || ok && *v != old {
					t.Fatalf("key %d: %v, want %d (%v)", k, v, old, ok)
				}
				if v == nil {
					f.add(k, n)
				} else {
					*v = n
				}
				want[k] = n
			}
			f.empty()
			if v := f.get(1); v != nil {
				t.Fatalf("%d after it was emptied", *v)
			}
		}
	})
}
