package telemetry

import (
	"slices"
	"strconv"
	"strings"
)

// Get returns the value of the key, "" when it is absent.
func (a Attrs) Get(key string) string {
	v, _ := a.Lookup(key)
	return v
}

// Lookup returns the value of the key and whether it is there.
func (a Attrs) Lookup(key string) (string, bool) {
	// Most sets are small, where a scan that compares lengths first beats a binary search.
	if n := len(key); len(a) <= 12 && n > 0 {
		last := key[n-1]
		for i := range a {
			// Names of one length that end alike are few, and a call to compare costs more than both looks.
			if k := a[i].Key; len(k) == n && k[n-1] == last && k == key {
				return a[i].Value, true
			}
		}
		return "", false
	}
	i, ok := slices.BinarySearchFunc(a, key, func(x Attr, k string) int { return strings.Compare(x.Key, k) })
	if !ok {
		return "", false
	}
	return a[i].Value, true
}

// Int returns the value of the key as a whole number.
func (a Attrs) Int(key string) (int64, bool) {
	v, ok := a.Lookup(key)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// First returns the value of the first key that is there and not empty.
func (a Attrs) First(keys ...string) string {
	for _, k := range keys {
		if v := a.Get(k); v != "" {
			return v
		}
	}
	return ""
}

// sortAttrs sorts by key and keeps the first of equal keys. Insertion sort: the sets are
// small and mostly sorted by their senders.
func sortAttrs(a Attrs) Attrs {
	if len(a) > 48 {
		slices.SortStableFunc(a, func(x, y Attr) int { return strings.Compare(x.Key, y.Key) })
	} else {
		for i := 1; i < len(a); i++ {
			for j := i; j > 0 && a[j].Key < a[j-1].Key; j-- {
				a[j], a[j-1] = a[j-1], a[j]
			}
		}
	}
	out := a[:0]
	for i := range a {
		if len(out) > 0 && out[len(out)-1].Key == a[i].Key {
			continue
		}
		out = append(out, a[i])
	}
	return out
}
