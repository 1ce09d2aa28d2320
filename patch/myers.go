package patch

import "strings"

// change replaces lines [a0, a1) of the old side by lines [b0, b1) of the new one.
type change struct{ a0, a1, b0, b1 int }

// maxEdits bounds the edit distance that is searched for a shortest script; its trace takes
// 4·d² bytes. Files that differ in more lines are shown as one replacement of the part that
// differs, which is as large as what a person would see anyway.
const maxEdits = 3000

// changes is a shortest edit script from a to b, in order, with neighbouring edits joined: the greedy
// algorithm of E. Myers, "An O(ND) Difference Algorithm and Its Variations", Algorithmica 1
// (1986), section 4, after common ends are cut off.
func changes(a, b []string) []change {
	lead := 0
	for lead < len(a) && lead < len(b) && a[lead] == b[lead] {
		lead++
	}
	enda, endb := len(a), len(b)
	for enda > lead && endb > lead && a[enda-1] == b[endb-1] {
		enda, endb = enda-1, endb-1
	}
	ids := map[string]int32{}
	out := shortest(intern(ids, a[lead:enda]), intern(ids, b[lead:endb]))
	for i := range out {
		out[i].a0, out[i].a1 = out[i].a0+lead, out[i].a1+lead
		out[i].b0, out[i].b1 = out[i].b0+lead, out[i].b1+lead
	}
	slide(out, a, b)
	return out
}

// intern replaces lines by numbers that are equal where the lines are.
func intern(ids map[string]int32, lines []string) []int32 {
	out := make([]int32, len(lines))
	for i, l := range lines {
		id, ok := ids[l]
		if !ok {
			id = int32(len(ids))
			ids[l] = id
		}
		out[i] = id
	}
	return out
}

// shortest walks the edit graph by the number of edits d. Diagonal k holds the points with
// x - y = k; trace[d] keeps the furthest x of each diagonal in [-d, d].
func shortest(a, b []int32) []change {
	n, m := len(a), len(b)
	if n == 0 && m == 0 {
		return nil
	}
	if n == 0 || m == 0 {
		return []change{{0, n, 0, m}}
	}
	var trace [][]int32
	for d := 0; d <= min(n+m, maxEdits); d++ {
		row := make([]int32, 2*d+1)
		for k := -d; k <= d; k += 2 {
			x := 0
			if d > 0 {
				x, _ = step(trace[d-1], d, k)
			}
			y := x - k
			for x < n && y < m && a[x] == b[y] {
				x, y = x+1, y+1
			}
			row[k+d] = int32(x)
			if x >= n && y >= m {
				return backtrack(append(trace, row), n, m)
			}
		}
		trace = append(trace, row)
	}
	return []change{{0, n, 0, m}}
}

// step is the x at which diagonal k is entered by the d-th edit, and whether that edit is an insertion
// (down) rather than a deletion (right). prev holds the furthest points after d-1 edits.
func step(prev []int32, d, k int) (x int, down bool) {
	at := func(k int) int { return int(prev[k+d-1]) }
	if k == -d || k != d && at(k-1) < at(k+1) {
		return at(k + 1), true
	}
	return at(k-1) + 1, false
}

// backtrack reads the path from its end and joins edits that touch.
func backtrack(trace [][]int32, x, y int) []change {
	var out []change // last first
	for d := len(trace) - 1; d > 0; d-- {
		k := x - y
		sx, down := step(trace[d-1], d, k)
		sy := sx - k
		c := change{sx - 1, sx, sy, sy}
		if down {
			c = change{sx, sx, sy - 1, sy}
		}
		if n := len(out); n > 0 && out[n-1].a0 == c.a1 && out[n-1].b0 == c.b1 {
			out[n-1].a0, out[n-1].b0 = c.a0, c.b0
		} else {
			out = append(out, c)
		}
		x, y = c.a0, c.b0
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// slide moves pure insertions and deletions among equal lines to where a reader expects
// them: at the start of a block rather than at the end of the one before. It is the idea of git's indent
// heuristic (xdiff/xdiffi.c, score_add_split) in its simplest form.
func slide(cs []change, a, b []string) {
	for i := range cs {
		lo, hi := 0, len(a) // the unchanged lines around the change that it may move over
		if i > 0 {
			lo = cs[i-1].a1 + 1
		}
		if i+1 < len(cs) {
			hi = cs[i+1].a0 - 1
		}
		c := cs[i]
		switch {
		case c.a0 == c.a1:
			k := bestShift(b, c.b0, c.b1, c.a0-lo, hi-c.a1)
			cs[i] = change{c.a0 + k, c.a1 + k, c.b0 + k, c.b1 + k}
		case c.b0 == c.b1:
			k := bestShift(a, c.a0, c.a1, c.a0-lo, hi-c.a1)
			cs[i] = change{c.a0 + k, c.a1 + k, c.b0 + k, c.b1 + k}
		}
	}
}

// bestShift is by how many lines the block lines[from:to) moves best, at most up or down.
func bestShift(lines []string, from, to, up, down int) int {
	best, at := splitCost(lines, from)+splitCost(lines, to), 0
	try := func(k int) {
		if cost := splitCost(lines, from+k) + splitCost(lines, to+k); cost < best || cost == best && k > at {
			best, at = cost, k
		}
	}
	for k := 1; k <= down && to+k <= len(lines) && lines[from+k-1] == lines[to+k-1]; k++ {
		try(k)
	}
	for k := 1; k <= up && from-k >= 0 && lines[from-k] == lines[to-k]; k++ {
		try(-k)
	}
	return at
}

// splitCost is how odd it looks to begin a block at line i: deep indentation, a closing bracket and
// a blank line are odd; a blank line above is natural.
func splitCost(lines []string, i int) int {
	if i >= len(lines) {
		return 0
	}
	cost, j := 0, i
	for j < len(lines) && strings.TrimSpace(lines[j]) == "" {
		j++
	}
	if j > i {
		cost += 3
	}
	if j < len(lines) {
		text := strings.TrimLeft(lines[j], " \t")
		for _, c := range lines[j][:len(lines[j])-len(text)] {
			if cost += 4; c == ' ' {
				cost -= 3
			}
		}
		if j == i && strings.ContainsRune("})]", rune(text[0])) {
			cost += 6
		}
	}
	if i > 0 && strings.TrimSpace(lines[i-1]) == "" {
		cost -= 2
	}
	return cost
}
