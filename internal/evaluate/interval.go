package evaluate

import "math"

// Wilson is the 95 % score interval of a share (Wilson, Probable inference, the law of succession, and
// statistical inference, JASA 22, 1927). It holds for small counts and for shares of 0 and 1, where the usual
// interval has no width. Observations that depend on each other make it too narrow.
func Wilson(r Rate) (low, high float64) {
	if r.Of == 0 {
		return 0, 1
	}
	const z = 1.959963984540054
	n, p := float64(r.Of), r.Share()
	middle := p + z*z/(2*n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	scale := 1 + z*z/n
	return max((middle-half)/scale, 0), min((middle+half)/scale, 1)
}
