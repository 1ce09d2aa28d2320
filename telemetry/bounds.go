package telemetry

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// Limits bound what a Reader keeps. The zero value of each field means its default.
type Limits struct {
	Line       int // bytes of one line, from the second on; longer ones are skipped. Default 64 MiB.
	Document   int // bytes of one document that spans lines, or of one message. Default 256 MiB.
	Value      int // bytes of one attribute value, message or log body; the rest is cut. Default 8 KiB.
	Stack      int // bytes of a stack trace or statement. Default 32 KiB.
	Attributes int // attributes per span, record or resource. Default 128.
	Events     int // events and links per span, each. Default 128.
	Spans      int // spans in all. Default 8 million.
	Logs       int // log records in all. Default 8 million.
	Points     int // metric points in all. Default 8 million.
	// Of profiles: bytes of one when unpacked (default 32 MiB), samples, places and functions of one together (default 1 million),
	// different stacks kept of one (default 20,000), and how many there may be (default 1000).
	Profile, ProfileSamples, ProfileStacks, Profiles int
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, d int) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&l.Line, 64<<20)
	set(&l.Document, 256<<20)
	set(&l.Value, 8<<10)
	set(&l.Stack, 32<<10)
	set(&l.Attributes, 128)
	set(&l.Events, 128)
	set(&l.Spans, 8<<20)
	set(&l.Logs, 8<<20)
	set(&l.Points, 8<<20)
	set(&l.Profile, 32<<20)
	set(&l.ProfileSamples, 1_000_000)
	set(&l.ProfileStacks, 20_000)
	set(&l.Profiles, 1000)
	return l
}

// Telemetry is dated by machines that run now: a time before 1990 or after 2100 is a
// broken clock, a wrong unit or an attack.
const (
	minTime = 631152000_000000000
	maxTime = 4102444800_000000000
	// maxDuration bounds a span; a longer one has a broken start or end.
	maxDuration = 7 * 24 * time.Hour
)

func plausible(t uint64) bool { return t >= minTime && t <= maxTime }

// cut shortens s to at most n bytes without splitting a character, and says how much is
// missing.
func cut(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, false
	}
	head := s[:n]
	for len(head) > 0 && !utf8.RuneStart(s[len(head)]) {
		head = head[:len(head)-1]
	}
	return head + "…(+" + strconv.Itoa(len(s)-len(head)) + " bytes)", true
}
