package telemetry

import (
	"hash/maphash"
	"strings"
)

// interner keeps one copy of each short string that came lately, since telemetry repeats itself. It is a cache of a
// bounded size and no register, so that hostile input cannot make it grow: of the two places that a string may have, one
// is for those that came again, which what comes once cannot drive out.
type interner struct {
	seed   maphash.Seed
	slots  []string // pairs: came again, came lately
	misses int
	// borrowed says that the strings are parts of something large that is not to be kept alive by them: they are
	// copied when they are kept.
	borrowed bool
}

const (
	internLength = 96
	internFirst  = 1 << 8  // slots
	internSlots  = 1 << 14 // slots in the end
	// internSize bounds what is remembered by name elsewhere: resources, keys.
	internSize = 1 << 16
)

func newInterner() *interner {
	return &interner{seed: maphash.MakeSeed(), slots: make([]string, internFirst)}
}

func (in *interner) str(s string) string {
	if s == "" {
		return s
	}
	if len(s) > internLength {
		return in.own(s)
	}
	at := int(maphash.String(in.seed, s)) & (len(in.slots) - 2)
	pair := in.slots[at : at+2 : at+2]
	if pair[0] == s {
		return pair[0]
	}
	if pair[1] == s {
		pair[0], pair[1] = pair[1], pair[0]
		return pair[0]
	}
	s = in.own(s)
	pair[1] = s
	if in.misses++; in.misses > len(in.slots) && len(in.slots) < internSlots {
		in.slots, in.misses = make([]string, 4*len(in.slots)), 0
	}
	return s
}

func (in *interner) own(s string) string {
	if in.borrowed {
		return strings.Clone(s)
	}
	return s
}

// attrArena hands out small attribute sets cut from large arrays, which saves an
// allocation per span.
type attrArena struct{ free []Attr }

const arenaSize = 4096

// room returns an empty set with the capacity asked for; keep must follow.
func (a *attrArena) room(n int) Attrs {
	if n > len(a.free) {
		a.free = make([]Attr, max(n, arenaSize))
	}
	return Attrs(a.free[:0:n])
}

// keep commits the set that room handed out last.
func (a *attrArena) keep(s Attrs) Attrs {
	if len(s) == 0 {
		return nil
	}
	n := len(s)
	if n > len(a.free) {
		return s // it outgrew its room and lives elsewhere
	}
	a.free = a.free[n:]
	return s[:n:n]
}
