package localize

import (
	"cmp"
	"slices"
)

// order reduces the crossings: each column is put in the order of the barycentres of its neighbours, to and
// fro, then neighbours change places where that helps. The best order seen stays.
func (l *layout) order() {
	position := make([]int, len(l.items))
	number := func() {
		for _, c := range l.columns {
			for k, i := range c {
				position[i] = k
			}
		}
	}
	number()
	best, fewest := cloned(l.columns), l.crossings(position)
	for s := 0; s < sweeps && fewest > 0; s++ {
		forward := s%2 == 0
		for k := range l.columns {
			c := l.columns[k]
			if !forward {
				c = l.columns[len(l.columns)-1-k]
			}
			centre := make(map[int]float64, len(c))
			for at, i := range c {
				near := l.items[i].left
				if !forward {
					near = l.items[i].right
				}
				if len(near) == 0 {
					centre[i] = float64(at)
					continue
				}
				sum := 0.0
				for _, j := range near {
					sum += float64(position[j])
				}
				centre[i] = sum / float64(len(near))
			}
			slices.SortStableFunc(c, func(a, b int) int { return cmp.Compare(centre[a], centre[b]) })
			for at, i := range c {
				position[i] = at
			}
		}
		l.transpose(position)
		if n := l.crossings(position); n < fewest {
			best, fewest = cloned(l.columns), n
		}
	}
	l.columns = best
}

func cloned(in [][]int) [][]int {
	out := make([][]int, len(in))
	for i := range in {
		out[i] = slices.Clone(in[i])
	}
	return out
}

// transpose swaps neighbours of a column while that removes crossings.
func (l *layout) transpose(position []int) {
	for range 4 {
		better := false
		for _, c := range l.columns {
			for k := 1; k < len(c); k++ {
				a, b := c[k-1], c[k]
				if l.between(a, b, position) > l.between(b, a, position) {
					c[k-1], c[k] = b, a
					position[a], position[b] = k, k-1
					better = true
				}
			}
		}
		if !better {
			return
		}
	}
}

// between counts the crossings of the lines of a with those of b where a stands above b.
func (l *layout) between(a, b int, position []int) int {
	n := 0
	for _, side := range [2][2][]int{{l.items[a].left, l.items[b].left}, {l.items[a].right, l.items[b].right}} {
		for _, i := range side[0] {
			for _, j := range side[1] {
				if position[i] > position[j] {
					n++
				}
			}
		}
	}
	return n
}

// crossings counts those of the whole drawing.
func (l *layout) crossings(position []int) int {
	n := 0
	for _, c := range l.columns {
		var lines [][2]int
		for _, i := range c {
			for _, j := range l.items[i].right {
				lines = append(lines, [2]int{position[i], position[j]})
			}
		}
		for i := range lines {
			for j := i + 1; j < len(lines); j++ {
				if (lines[i][0]-lines[j][0])*(lines[i][1]-lines[j][1]) < 0 {
					n++
				}
			}
		}
	}
	return n
}
