//go:build race

package shop

// Decoding every recording under the race detector takes minutes and no two goroutines meet in it: make test
// looks at the recordings without it.
const raceDetector = true
