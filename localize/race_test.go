//go:build race

package localize_test

// Reading every public bundle under the race detector takes minutes and shows nothing about races
// that the recorded incidents do not: make test looks at the figures without it.
const raceDetector = true
