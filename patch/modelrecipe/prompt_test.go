package modelrecipe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func count4(_ context.Context, s string) int { return (len(s) + 3) / 4 }

// TestPromptsKeepToTheirBudget composes prompts of any sections: none is larger than its budget, every line of data is a
// whole line of a section, and what is left out is said.
func TestPromptsKeepToTheirBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sections []section
		lines := map[string]bool{}
		total := 0
		for i := range rapid.IntRange(0, 5).Draw(t, "sections") {
			n := rapid.IntRange(0, 40).Draw(t, "lines")
			var text []string
			for k := range n {
				line := fmt.Sprintf("%d.%d %s", i, k, strings.Repeat("w", rapid.IntRange(0, 80).Draw(t, "width")))
				lines[line] = true
				text = append(text, line)
			}
			total += n
			sections = append(sections, section{name: fmt.Sprintf("part %c", 'a'+i), text: strings.Join(text, "\n"), whole: i == 0 && rapid.Bool().Draw(t, "whole")})
		}
		budget := rapid.IntRange(0, 3000).Draw(t, "budget")
		p, err := compose(context.Background(), count4, "Do it.", sections, budget)
		if err != nil {
			if !errors.Is(err, errNoRoom) {
				t.Fatal(err)
			}
			return
		}
		if n := overhead + count4(context.Background(), system) + count4(context.Background(), p.user); n > budget || n != p.tokens {
			t.Fatalf("%d tokens counted, %d said, budget %d", n, p.tokens, budget)
		}
		kept := 0
		for line := range strings.Lines(p.user) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case lines[line]:
				kept++
			case line == "" || line == "Do it." || strings.HasPrefix(line, "<"+p.fence) || line == "</"+p.fence+">" || strings.HasSuffix(line, " more lines]"):
			default:
				t.Fatalf("a line was cut: %q", line)
			}
		}
		if (kept == total) != (len(p.left) == 0) {
			t.Fatalf("%d of %d lines kept, left out: %v", kept, total, p.left)
		}
		if len(sections) > 0 && sections[0].whole && sections[0].text != "" && !strings.Contains(p.user, sections[0].text) {
			t.Fatal("the whole section is not whole")
		}
	})
}

func TestWorthIsKeptFirst(t *testing.T) {
	sections := []section{{name: "first", text: strings.Repeat("a\n", 20)}, {name: "last", text: strings.Repeat("b\n", 2000)}}
	base := overhead + count4(context.Background(), system) + 40
	p, err := compose(context.Background(), count4, "Do it.", sections, base+100)
	if err != nil || !strings.Contains(p.user, strings.TrimSpace(sections[0].text)) || len(p.left) != 1 || !strings.Contains(p.left[0], "of last") && p.left[0] != "last" {
		t.Errorf("%v %v", p.left, err)
	}
}

func TestTextsAreMadeVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\n":          "plain\ttext\n",
		"a\r\nb\rc":              "a\nb\nc",
		"a\u202eb":               "a[U+202E]b",
		"a\u200bb\ufeffc":        "a[U+200B]b[U+FEFF]c",
		"\x1b[31mred":            "[U+001B][31mred",
		"bad\xffbyte":            "bad\uFFFDbyte",
		"tag\U000E0041":          "tag[U+E0041]",
		"line\u2028end":          "line[U+2028]end",
		"ümlaut 日本 🙂":            "ümlaut 日本 🙂",
		"soft\u00adhyphen\u00a0": "soft[U+00AD]hyphen[U+00A0]",
		"vs\ufe0f":               "vs[U+FE0F]",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	s := &session{redact: func(s string) string { return strings.ReplaceAll(s, "secret", "***") }}
	if got := s.shown("a sec\u200bret\n" + strings.Repeat("x", 700)); got != "a ***\n[a line of 700 bytes left out]" {
		t.Errorf("shown as %q", got)
	}
}

func TestTheFenceDependsOnAllItEncloses(t *testing.T) {
	var seen []string
	for _, s := range [][]section{nil, {{name: "a"}}, {{name: "a", text: "b"}}, {{name: "ab"}}, {{name: "a", text: "b"}, {name: "c"}}, {{name: "c"}, {name: "a", text: "b"}}} {
		f := fenceFor(s)
		if slices.Contains(seen, f) {
			t.Errorf("%v has the fence of another", s)
		}
		seen = append(seen, f)
	}
}
