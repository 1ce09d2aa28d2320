package codeindex

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// agree says how well a template from code explains a text from telemetry, 0..1. Both may have
// holes: the text may itself be a template found by a log miner. The result is the share of the text
// that the template states literally, so that "<*>" explains nothing and a full literal all of it.
func agree(template, text string) float64 {
	if template == text {
		return 1
	}
	parts := strings.Split(template, facts.Hole)
	literal := 0
	for _, p := range parts {
		literal += len(p)
	}
	if strings.TrimSpace(strings.ReplaceAll(template, facts.Hole, "")) == "" {
		return 0
	}
	at := 0
	for i, p := range parts {
		if p == "" {
			continue
		}
		j := strings.Index(text[at:], p)
		if j < 0 || i == 0 && j != 0 {
			if strings.Contains(text, facts.Hole) {
				return agreeTokens(template, text)
			}
			return 0
		}
		if i == len(parts)-1 { // the end of the template is the end of the text
			if !strings.HasSuffix(text[at:], p) {
				if len(parts) == 1 && i == 0 { // a message with fields behind it
					return 0.8 * float64(literal) / float64(len(text))
				}
				return 0
			}
			j = len(text[at:]) - len(p)
		}
		at += j + len(p)
	}
	share := float64(literal) / float64(max(len(strings.ReplaceAll(text, facts.Hole, "")), literal))
	return 0.5 + 0.5*min(share, 1)
}

// holds says whether a text has all literal parts of a template, in order, anywhere.
func holds(text, template string) bool {
	for _, p := range strings.Split(template, facts.Hole) {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return true
}

// agreeTokens compares two templates word by word. A word with a hole agrees with any word or run of
// words that its literal parts allow.
func agreeTokens(template, text string) float64 {
	a, b := strings.Fields(template), strings.Fields(text)
	if len(a) == 0 || len(b) == 0 || len(a) > 200 || len(b) > 200 {
		return 0
	}
	// Longest alignment in which holes absorb; the classic table of edit distance, with gaps allowed
	// only beside a hole.
	const no = -1
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = no
	}
	prev[0] = 0
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = no
		if hole(a[i-1]) {
			row[0] = prev[0]
		}
		for j := 1; j <= len(b); j++ {
			row[j] = no
			if s := wordScore(a[i-1], b[j-1]); s >= 0 && prev[j-1] >= 0 {
				row[j] = prev[j-1] + s
			}
			if hole(a[i-1]) { // the hole is empty, or takes one word more
				row[j] = max(row[j], prev[j], row[j-1])
			}
			if hole(b[j-1]) {
				row[j] = max(row[j], row[j-1], prev[j])
			}
		}
		prev = row
	}
	if prev[len(b)] <= 0 {
		return 0
	}
	total := 0
	for _, w := range b {
		if !hole(w) {
			total += len(w)
		}
	}
	return 0.4 + 0.5*min(1, float64(prev[len(b)])/float64(max(total, 1)))
}

func hole(word string) bool { return strings.Contains(word, facts.Hole) }

// wordScore is how many literal bytes two words share, -1 when they contradict.
func wordScore(a, b string) int {
	switch {
	case a == b:
		return len(strings.ReplaceAll(a, facts.Hole, ""))
	case hole(a):
		if pre, post, _ := strings.Cut(a, facts.Hole); hole(b) || strings.HasPrefix(b, pre) && strings.HasSuffix(b, lastPart(post)) {
			return len(pre)
		}
	case hole(b):
		if pre, post, _ := strings.Cut(b, facts.Hole); strings.HasPrefix(a, pre) && strings.HasSuffix(a, lastPart(post)) {
			return len(pre)
		}
	}
	return -1
}

func lastPart(s string) string {
	if i := strings.LastIndex(s, facts.Hole); i >= 0 {
		return s[i+len(facts.Hole):]
	}
	return s
}

// words are the longest words of a text, best first: what a file must mention to explain it.
func words(text string, n int) []string {
	var all []string
	for _, w := range strings.FieldsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r > 127)
	}) {
		if len(w) >= 3 {
			all = append(all, w)
		}
	}
	// A few words at most: selection by insertion.
	var best []string
	for _, w := range all {
		i := len(best)
		for i > 0 && len(best[i-1]) < len(w) {
			i--
		}
		if i < n && !contains(best, w) {
			best = append(best[:i], append([]string{w}, best[i:]...)...)
			if len(best) > n {
				best = best[:n]
			}
		}
	}
	return best
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
