package localize

import (
	"fmt"
	"testing"
)

func TestRecentGivesBackWhatWasPutLastInItsPlace(t *testing.T) {
	var r recent[string, int]
	if _, ok := r.get(0, ""); ok {
		t.Error("an empty key is there from the beginning")
	}
	for i := range 3 * recentSlots {
		r.put(uint(i), fmt.Sprint(i), i)
	}
	for i := range 3 * recentSlots {
		v, ok := r.get(uint(i), fmt.Sprint(i))
		if want := i >= 2*recentSlots; ok != want || ok && v != i {
			t.Errorf("key %d: %d, %v", i, v, ok)
		}
	}
}
