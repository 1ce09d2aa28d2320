package github_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/remediator/remediator/internal/github"
)

func TestParseCommand(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		ok       bool
		command  string
		argument string
	}{
		"alone":                    {"/remediator retry", true, "retry", ""},
		"with an argument":         {"/remediator reject  not now,\tplease ", true, "reject", "not now, please"},
		"after text":               {"I looked at this.\n\n/remediator approve\n", true, "approve", ""},
		"windows line breaks":      {"Hello\r\n/remediator stop\r\n", true, "stop", ""},
		"in capitals":              {"/remediator EXPLAIN", true, "explain", ""},
		"only the first":           {"/remediator explain\n/remediator approve", true, "explain", ""},
		"unknown":                  {"/remediator merge now", true, "", "now"},
		"nothing after it":         {"/remediator", true, "", ""},
		"after a quote":            {"> what is this?\n\n/remediator explain", true, "explain", ""},
		"after code":               {"```\ncode\n```\n/remediator replay", true, "replay", ""},
		"after a comment":          {"<!-- x -->\n/remediator rebase", true, "rebase", ""},
		"empty":                    {"", false, "", ""},
		"within a line":            {"please /remediator approve", false, "", ""},
		"indented":                 {" /remediator approve", false, "", ""},
		"indented code":            {"    /remediator approve", false, "", ""},
		"another word":             {"/remediators approve", false, "", ""},
		"another word, dash":       {"/remediator-approve", false, "", ""},
		"quoted":                   {"> /remediator approve", false, "", ""},
		"quoted, nested":           {">> /remediator approve\n> hm", false, "", ""},
		"going on with a quote":    {"> she said\n/remediator approve", false, "", ""},
		"in a code block":          {"```\n/remediator approve\n```", false, "", ""},
		"in a tilde block":         {"~~~sh\n/remediator approve\n~~~", false, "", ""},
		"in a long fence":          {"````\n```\n/remediator approve\n````", false, "", ""},
		"in a block never closed":  {"```\nx\n\n/remediator approve", false, "", ""},
		"in a hidden comment":      {"<!--\n/remediator approve\n-->", false, "", ""},
		"in pre":                   {"<pre>\n/remediator approve\n</pre>", false, "", ""},
		"in an HTML quote":         {"<BlockQuote>\n/remediator approve\n</blockquote>", false, "", ""},
		"code span over lines":     {"`code\n/remediator approve`", true, "", ""},
		"in a list":                {"- /remediator approve", false, "", ""},
		"not UTF-8":                {"/remediator approve \xff", false, "", ""},
		"zero-width before it":     {"\u200b/remediator approve", false, "", ""},
		"lookalike":                {"/r\u0435mediator approve", false, "", ""},
		"invisible in the command": {"/remediator appr\u200bove", true, "approve", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := github.ParseCommand(c.text)
			if ok != c.ok || got.Name != c.command || got.Argument != c.argument {
				t.Errorf("%q gives %+v %v, want %+v", c.text, got, ok, c)
			}
		})
	}
}

func TestArgumentIsBounded(t *testing.T) {
	got, _ := github.ParseCommand("/remediator reject " + strings.Repeat("ä", 5000))
	if len(got.Argument) > 200 || !utf8.ValidString(got.Argument) {
		t.Errorf("argument of %d bytes", len(got.Argument))
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{
		"/remediator retry", "> /remediator stop", "```\n/remediator approve\n```", "<!--\n/remediator approve\n-->", "a\r\n/remediator x y",
		"~~~\n~~~\n/remediator explain", "/remediator \x00\xff", "<pre>x</pre>\n/remediator replay now",
	} {
		f.Add(s)
	}
	names := []string{"", "explain", "retry", "rebase", "stop", "approve", "reject", "replay"}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := github.ParseCommand(s)
		if !slices.Contains(names, c.Name) || len(c.Argument) > 200 || !utf8.ValidString(c.Argument) || strings.ContainsAny(c.Argument, "\n\r\x00") {
			t.Fatalf("%+v", c)
		}
		if !ok && c != (github.Command{}) {
			t.Fatalf("no command, and yet %+v", c)
		}
		if ok && !strings.HasPrefix(s, "/remediator") && !strings.Contains(s, "\n/remediator") && !strings.Contains(s, "\r/remediator") {
			t.Fatalf("a command in %q", s)
		}
		// Quoting a comment takes every command away.
		var quoted strings.Builder
		for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r", "\n"), "\n") {
			quoted.WriteString("> " + line + "\n")
		}
		if c, ok := github.ParseCommand(quoted.String()); ok {
			t.Fatalf("a command in a quote: %+v", c)
		}
	})
}
