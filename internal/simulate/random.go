package simulate

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// random is a stream of random numbers. Each part of a case draws from a stream of its own, named after the part, so
// that one more draw in one part does not change all the others.
type random struct{ *rand.Rand }

func newRandom(seed int64, stream string) random {
	h := fnv.New64a()
	h.Write([]byte(stream))                                       // never fails
	return random{rand.New(rand.NewPCG(uint64(seed), h.Sum64()))} // any bits will do
}

func (r random) chance(p float64) bool { return r.Float64() < p }

func (r random) between(a, b float64) float64 { return a + (b-a)*r.Float64() }

// int draws from a to b, both included.
func (r random) int(a, b int) int { return a + r.IntN(b-a+1) }

// spread draws from a to b evenly over the magnitudes.
func (r random) spread(a, b float64) float64 { return a * math.Pow(b/a, r.Float64()) }

// logNormal draws around a median; sigma is the standard deviation of the logarithm.
func (r random) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*r.NormFloat64())
}

func pick[T any](r random, of []T) T { return of[r.IntN(len(of))] }

// weighted draws an index by weight.
func (r random) weighted(weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	x := r.Float64() * sum
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

const hexDigits = "0123456789abcdef"

func (r random) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = hexDigits[r.IntN(16)]
	}
	return string(b)
}
