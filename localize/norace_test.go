//go:build !race

package localize_test

const raceDetector = false
