//go:build !race

package shop

const raceDetector = false
