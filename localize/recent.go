package localize

// recent remembers what was found for a few keys lately, in front of a map whose keys are so large that hashing them costs more
// than comparing them. The caller says where a key belongs, from whatever is cheap to know of it.
type recent[K comparable, V any] struct {
	slots [recentSlots]struct {
		key   K
		value V
		used  bool
	}
}

const recentSlots = 128

func (r *recent[K, V]) get(at uint, k K) (v V, ok bool) {
	s := &r.slots[at%recentSlots]
	if s.used && s.key == k {
		return s.value, true
	}
	return v, false
}

func (r *recent[K, V]) put(at uint, k K, v V) {
	s := &r.slots[at%recentSlots]
	s.key, s.value, s.used = k, v, true
}

// texture tells texts apart, mostly: by length, a letter in the middle and the last.
func texture(s string) uint {
	if s == "" {
		return 0
	}
	return uint(len(s)) + 31*uint(s[len(s)-1]) + 7*uint(s[len(s)/2])
}
