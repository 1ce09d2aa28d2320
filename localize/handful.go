package localize

// handful is a map that mostly holds a handful of entries and is emptied for each trace: it is scanned while
// it is small, which costs less than hashing, and hashed beyond, so that a huge trace stays linear.
type handful[K comparable, V any] struct {
	keys   []K
	values []V
	index  map[K]int // of the keys, once they are many
}

const handfulKeys = 12

// get finds the value of a key; nil when the key is not there. It is good until the next add.
func (f *handful[K, V]) get(k K) *V {
	if f.index != nil {
		if i, ok := f.index[k]; ok {
			return &f.values[i]
		}
		return nil
	}
	for i := range f.keys {
		if f.keys[i] == k {
			return &f.values[i]
		}
	}
	return nil
}

// add enters a key that is not there yet.
func (f *handful[K, V]) add(k K, v V) *V {
	f.keys, f.values = append(f.keys, k), append(f.values, v)
	n := len(f.keys)
	if f.index != nil {
		f.index[k] = n - 1
	} else if n > handfulKeys {
		f.index = make(map[K]int, 2*n)
		for i, k := range f.keys {
			f.index[k] = i
		}
	}
	return &f.values[n-1]
}

// empty forgets all entries and keeps the room for as many as a trace mostly has.
func (f *handful[K, V]) empty() {
	if len(f.keys) > 1024 {
		f.keys, f.values = nil, nil
	}
	f.keys, f.values, f.index = f.keys[:0], f.values[:0], nil
}
