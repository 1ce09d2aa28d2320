package telemetry

// interner keeps one copy of each short string, since telemetry repeats itself. It stops
// learning when full, so that hostile input cannot make it grow.
type interner struct{ seen map[string]string }

const (
	internLength = 96
	internSize   = 1 << 16
)

func newInterner() *interner { return &interner{seen: make(map[string]string, 256)} }

func (in *interner) str(s string) string {
	if len(s) > internLength || s == "" {
		return s
	}
	if known, ok := in.seen[s]; ok {
		return known
	}
	if len(in.seen) < internSize {
		in.seen[s] = s
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
