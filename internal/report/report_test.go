package report

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

// proposed is a case with something in every part of it; text goes into every string that comes
// from outside.
func proposed(text string) *remedy.Case {
	return &remedy.Case{
		Schema: remedy.Schema, State: remedy.Proposed, Fingerprint: "0123456789abcdef0123456789abcdef", Title: "edge: wait between retries",
		Incident: incident.Incident{Name: text, Severity: incident.Critical, StartsAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		Symptom:  localize.Symptom{Service: text, Operation: text, Kind: localize.SymptomErrors, Errors: localize.Shift{Baseline: 0.001, Incident: 0.25}},
		Suspects: []remedy.Suspect{
			{Rank: 1, Service: text, Operation: text, Peer: text, File: "a/b.go", Line: 7, Function: "Client.Do", Score: 0.9, Confidence: 0.8,
				Commit: "abcdef0123456789", Reasons: []localize.Reason{{Signal: "ochiai", Text: text, Weight: 1}}, Patterns: []localize.Pattern{{Kind: localize.PatternRetryBurst, Text: text}}},
			{Rank: 2, Service: text, Operation: text, Reasons: []localize.Reason{{Text: text}}},
		},
		Changes: []localize.RankedChange{{SHA: "abcdef0123456789", Title: text, Reasons: []localize.Reason{{Text: text}}}},
		Graph: localize.Graph{
			Nodes: []localize.Node{{Name: text, Kind: "service"}, {Name: "b", Kind: "external", Blame: 1}},
			Edges: []localize.Edge{{From: text, To: "b", Errors: localize.Shift{Incident: 0.5}, Retries: localize.Shift{Incident: 3}}}},
		Path: []localize.PathSegment{{Service: text, Operation: text, Duration: time.Second}},
		Options: []remedy.Option{
			{Rung: patch.Revert, Title: text, Outcome: remedy.Rejected, Why: text, Diff: text,
				Verdicts: &remedy.Verdicts{Replays: []remedy.Replay{{Verdict: replay.Verdict{Differences: []replay.Difference{{Case: text, Recorded: text, Replayed: text}}}}}}},
			{Rung: patch.Code, Outcome: remedy.Chosen, Why: text}},
		Patch: &remedy.Patch{Patch: patch.Patch{Option: patch.Option{Rung: patch.Code}, Diff: "diff --git a/b.go b/b.go\n--- a/b.go\n+++ b/b.go\n@@ -1 +1 @@\n-a\n+" + text + "\n",
			Flag: &patch.Flag{Name: "EDGE_BACKOFF", Provider: "env", HowOn: text, HowOff: text}, Summary: []string{text}, Risks: []string{text}, Telemetry: []string{text}}},
		Policy: &policy.Decision{Outcome: policy.Hold, Findings: []policy.Finding{{Rule: "size.lines", Effect: policy.Hold, Message: text}}},
		Verdicts: &remedy.Verdicts{Proved: true, Why: text, NotProved: []string{text},
			Checks: []remedy.Check{{Name: text, Command: []string{"go", "test", text}, Got: "green", Want: "green", OK: true, Output: text, Why: text}},
			Replays: []remedy.Replay{{Name: "incident_base", Build: "base", Want: replay.Red, OK: true, Verdict: replay.Verdict{Outcome: replay.Red, Why: text,
				Incident: &replay.IncidentRun{Exemplar: &replay.Exemplar{Spans: []replay.ExemplarSpan{{Name: text, Service: text, Duration: time.Millisecond}}}}}}}},
		Commit:    &remedy.Commit{SHA: "abc", Branch: "remediator/0123", Parent: "def", Key: "k", Reviewers: []string{"@team"}},
		Holds:     []string{text},
		Caveats:   []string{text},
		NextSteps: []remedy.NextStep{{Text: text, Command: text}},
		Evidence:  remedy.Evidence{Missing: []string{text}},
	}
}

func declined(text string) *remedy.Case {
	c := proposed(text)
	c.State, c.Declined = remedy.Declined, &remedy.Decline{Code: "no_suspect", Why: text + "\n" + text, Next: text}
	c.Patch, c.Policy, c.Verdicts, c.Commit = nil, nil, nil, nil
	return c
}

func render(t testing.TB, c *remedy.Case) (markdown, page string) {
	t.Helper()
	p, err := NewPages()
	if err != nil {
		t.Fatal(err)
	}
	md, err := p.PullRequest(c)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.Report(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(md), string(h)
}

// TestReviewerFindsWhatMatters: what broke, why here, what changes, what was proved and not, how to
// turn it off and how to verify stand in the body, in this order.
func TestReviewerFindsWhatMatters(t *testing.T) {
	md, _ := render(t, proposed("charge"))
	at := 0
	for _, h := range []string{"## What broke", "25.0 %", "## Why here", "a/b.go:7 Client.Do", "## What changes", "off by default", "## What was proved", "### What was not proved", "## How to turn it off", "## How to verify", "remediator verify"} {
		i := strings.Index(md[at:], h)
		if i < 0 {
			t.Fatalf("no %q after byte %d of:\n%s", h, at, md)
		}
		at += i
	}
}

func TestDeclinedSaysSoFirst(t *testing.T) {
	md, page := render(t, declined("thin"))
	if i := strings.Index(md, "No patch is proposed"); i < 0 || i > 200 {
		t.Errorf("the body does not begin with the decline:\n%s", md)
	}
	if !strings.Contains(md, "## To check by hand") || strings.Contains(md, "## What changes") {
		t.Errorf("the body of a declined case is that of a proposal:\n%s", md)
	}
	if !strings.Contains(page, "No patch is proposed") {
		t.Error("the page does not say that nothing is proposed")
	}
}

// hostile are strings that telemetry can carry.
var hostile = []string{
	"<script>alert(1)</script>", "</svg><img src=x onerror=alert(1)>", "@everyone please merge", "fixes #1", "```\n# merged by admin\n```",
	"| a | b |\n| - | - |", "[click](javascript:alert(1))", "\x1b[31mred\x1b[0m", "\u202etxt.exe", "line\r\nbreak", strings.Repeat("x", 100000), "![](http://evil/p.png)",
	"\x00\xff\xfe", `"><svg onload=alert(1)>`, "{{.Case.Title}}", "*bold* _it_ ~~no~~",
}

func TestHostileTextStaysText(t *testing.T) {
	for i, text := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for _, c := range []*remedy.Case{proposed(text), declined(text)} {
				md, page := render(t, c)
				checkMarkdown(t, md)
				checkPage(t, page)
				var out bytes.Buffer
				Explain(&out, c)
				Closing(&out, c, "remediator", "out", false)
				if strings.ContainsAny(out.String(), "\x1b\x00\r\u202e") {
					t.Errorf("control characters reach the terminal: %q", out.String())
				}
			}
		})
	}
}

func TestAnyTextStaysText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("<>&\"'`@#|*_[]()!\\/ \n\r\x1b\x00aé\u202e{}"))).Draw(rt, "text")
		md, page := render(t, proposed(text))
		checkMarkdown(t, md)
		checkPage(t, page)
	})
}

var mention = regexp.MustCompile(`(^|[^\w(])@\w`)

func checkMarkdown(t testing.TB, md string) {
	t.Helper()
	if !utf8.ValidString(md) {
		t.Error("the body is not UTF-8")
	}
	if n := utf8.RuneCountInString(md); n > 65536 {
		t.Errorf("the body has %d characters, more than GitHub takes", n)
	}
	fence := "" // the run of backticks that opened the block we are in
	for line := range strings.Lines(md) {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
			continue
		case fence != "" && len(ticks) >= len(fence) && strings.TrimSpace(line) == ticks:
			fence = ""
			continue
		case fence != "":
			continue
		}
		bare := regexp.MustCompile("`[^`\n]*`").ReplaceAllString(line, "")
		if mention.MatchString(bare) {
			t.Errorf("a mention would notify somebody: %q", line)
		}
		rest := strings.NewReplacer("<details>", "", "<summary>", "", "</summary>", "", "</details>", "").Replace(bare)
		if strings.ContainsAny(rest, "<\x1b\x00\r") {
			t.Errorf("markup or control characters in %q", line)
		}
	}
	if fence != "" {
		t.Error("a code block is not closed")
	}
}

// allowed are the elements that the page's template and pictures consist of.
var allowedElements = regexp.MustCompile(`^(html|head|body|meta|title|style|main|h[123]|p|div|strong|table|thead|tbody|tr|th|td|ul|li|code|pre|span|details|summary|br|svg|desc|defs|marker|path|g|rect|text|line)$`)

func checkPage(t testing.TB, page string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			if !allowedElements.MatchString(tok.Data) {
				t.Errorf("element <%s> got into the page", tok.Data)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" {
					t.Errorf("attribute %s=%q got into the page", a.Key, a.Val)
				}
			}
		}
	}
}

func TestPageHasNoOutsideReference(t *testing.T) {
	_, page := render(t, proposed("x"))
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") || strings.Contains(page, "@import") {
		t.Error("the page refers to something outside")
	}
}

func TestNumbersReadWell(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0", 900 * time.Microsecond: "900 µs", 1500 * time.Microsecond: "1.5 ms", 250 * time.Millisecond: "250 ms", 1234 * time.Millisecond: "1.2 s", time.Hour: "1h0m0s"} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	for r, want := range map[float64]string{0: "0 %", 0.0001: "below 0.1 %", 0.256: "25.6 %", 1: "100.0 %"} {
		if got := percent(r); got != want {
			t.Errorf("percent(%v) = %q, want %q", r, got, want)
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestLocalizationSaysThatItCouldNotBeWritten(t *testing.T) {
	for _, d := range []localize.Decision{localize.Act, localize.Abstain} {
		if err := Localization(full{}, &localize.Result{Decision: d}, nil, nil); err == nil {
			t.Errorf("a ranking (%v) on a full disk is no error", d)
		}
	}
}

func TestFailuresWithoutAHealthyWindowAreNotComparedWithOne(t *testing.T) {
	s := localize.Symptom{Service: "a", Kind: localize.SymptomErrors, Errors: localize.Shift{Incident: 0.5}, Requests: localize.Shift{Incident: 3}}
	if got := symptom(s); !strings.Contains(got, "nothing is known") {
		t.Errorf("no request was seen when healthy, and it says %q", got)
	}
	s.Requests.Baseline = 3
	if got := symptom(s); !strings.Contains(got, "0 % in the healthy window") {
		t.Errorf("none of the requests when healthy failed, and it says %q", got)
	}
}
