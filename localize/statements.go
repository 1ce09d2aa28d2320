package localize

// spares says that a store serves most kinds of calls as well as ever. A store that is ill is slow or fails
// for every statement; one that is slow for a new or changed statement alone does what it is asked.
func (a *analysis) spares(store string) bool {
	cur, base := a.opCounts()
	known, ill := 0.0, 0.0
	for _, id := range sortedOps(cur) {
		op := &a.ops.list[id]
		c, b := cur[id], base[id]
		if op.peer != store || !op.kind.Outgoing() || b == nil || min(c.n, b.n) < a.k.network.calls {
			continue
		}
		known++
		if a.slower(id) || a.newlyFailing(c, b, true) {
			ill++
		}
	}
	return known > 0 && 2*ill < known
}
