package localize

import (
	"math"
	"slices"
)

// gapAfter is the room between two neighbours of a column.
func (l *layout) gapAfter(a, b int) float64 {
	if l.items[a].node >= 0 && l.items[b].node >= 0 {
		return nodeGap
	}
	if l.items[a].node >= 0 || l.items[b].node >= 0 {
		return nodeGap * 0.7
	}
	return laneGap
}

// place gives coordinates. Down a column each item wants to stand where its neighbours in other
// columns stand; the nearest to all wishes that keeps order and distances is found by isotonic regression
// (pool adjacent violators, Ayer et al. 1955).
func (l *layout) place() {
	for _, c := range l.columns {
		y := 0.0
		for k, i := range c {
			if k > 0 {
				y += l.items[c[k-1]].h/2 + l.gapAfter(c[k-1], i) + l.items[i].h/2
			}
			l.items[i].y = y
		}
		for _, i := range c {
			l.items[i].y -= y / 2
		}
	}
	for s := range 3 * sweeps {
		for k := range l.columns {
			c := l.columns[k]
			if s%2 == 1 {
				c = l.columns[len(l.columns)-1-k]
			}
			l.settle(c, s)
		}
	}
	l.top = math.Inf(1)
	bottom := math.Inf(-1)
	for i := range l.items {
		it := &l.items[i]
		l.top, bottom = min(l.top, it.y-it.h/2), max(bottom, it.y+it.h/2)
	}
	l.height = bottom - l.top
	x := 0.0
	for k, c := range l.columns {
		widest := 0.0
		lines := 0
		for _, i := range c {
			widest = max(widest, l.items[i].w)
			lines += len(l.items[i].right)
		}
		for _, i := range c {
			l.items[i].x = x + (widest-l.items[i].w)/2
		}
		x += widest
		l.width = x
		if k+1 < len(l.columns) {
			bend := minBend
			if widest == 0 || l.widthOf(k+1) == 0 {
				bend = minBend * 0.6 // a column without labels is one more bend of the same lines
			}
			x += bend + min(float64(lines)*1.2, 32)
		}
	}
}

func (l *layout) widthOf(column int) float64 {
	w := 0.0
	for _, i := range l.columns[column] {
		w = max(w, l.items[i].w)
	}
	return w
}

// settle moves the items of one column towards their neighbours. Lines that pass through resist most, so that
// long edges run straight.
func (l *layout) settle(c []int, sweep int) {
	type block struct {
		sum, weight float64
		n           int
	}
	var blocks []block
	offset := 0.0
	for k, i := range c {
		it := &l.items[i]
		if k > 0 {
			offset += l.items[c[k-1]].h/2 + l.gapAfter(c[k-1], i) + it.h/2
		}
		near := it.left
		switch {
		case sweep >= 2*sweeps || len(near) == 0 && len(it.right) > 0:
			near = append(slices.Clone(it.left), it.right...)
		case sweep%2 == 1 && len(it.right) > 0:
			near = it.right
		}
		want, weight := it.y, 0.2
		if len(near) > 0 {
			sum, total := 0.0, 0.0
			for _, j := range near {
				w := 1.0
				if l.items[j].node < 0 && it.node < 0 {
					w = 4
				}
				sum += w * l.items[j].y
				total += w
			}
			want, weight = sum/total, 1
			if it.node < 0 {
				weight = 2
			}
		}
		blocks = append(blocks, block{weight * (want - offset), weight, 1})
		for n := len(blocks); n > 1 && blocks[n-2].sum*blocks[n-1].weight >= blocks[n-1].sum*blocks[n-2].weight; n = len(blocks) {
			blocks[n-2].sum += blocks[n-1].sum
			blocks[n-2].weight += blocks[n-1].weight
			blocks[n-2].n += blocks[n-1].n
			blocks = blocks[:n-1]
		}
	}
	k, offset := 0, 0.0
	for _, b := range blocks {
		for range b.n {
			if k > 0 {
				offset += l.items[c[k-1]].h/2 + l.gapAfter(c[k-1], c[k]) + l.items[c[k]].h/2
			}
			l.items[c[k]].y = b.sum/b.weight + offset
			k++
		}
	}
}
