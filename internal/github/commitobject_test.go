package github

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/remedy/docket"
)

const plainCommit = `tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
parent 1111111111111111111111111111111111111111
author A U Thor <author@example.com> 1782000000 +0230
committer remediator <remediator@users.noreply.github.com> 1782000001 -0700
gpgsig -----BEGIN SSH SIGNATURE-----
 abc
 
 -----END SSH SIGNATURE-----

Title

Body without end`

func TestCommitIsTakenApart(t *testing.T) {
	c, err := parseCommit([]byte(plainCommit))
	if err != nil {
		t.Fatal(err)
	}
	if c.tree != "4b825dc642cb6eb9a060e54bf8d69288fbee4904" || len(c.parents) != 1 || c.message != "Title\n\nBody without end" {
		t.Errorf("%+v", c)
	}
	if c.author.name != "A U Thor" || c.author.email != "author@example.com" || c.author.when.Format(time.RFC3339) != "2026-06-21T02:30:00+02:30" {
		t.Errorf("%+v", c.author)
	}
	if c.signature != "-----BEGIN SSH SIGNATURE-----\nabc\n\n-----END SSH SIGNATURE-----" {
		t.Errorf("%q", c.signature)
	}
}

func TestCommitsThatGitHubCouldNotStoreTheSame(t *testing.T) {
	for name, change := range map[string][2]string{
		"encoding":        {"gpgsig ", "encoding ISO-8859-1\ngpgsig "},
		"merged tag":      {"gpgsig ", "mergetag object 1\ngpgsig "},
		"order":           {"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent 1111111111111111111111111111111111111111\n", "parent 1111111111111111111111111111111111111111\ntree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"},
		"spaces":          {"author A", "author  A"},
		"no author":       {"author A U Thor <author@example.com> 1782000000 +0230\n", ""},
		"time in words":   {"1782000000", "yesterday"},
		"zone":            {"+0230", "+2"},
		"negative zero":   {"+0230", "-0000"},
		"nobody":          {"A U Thor <author@example.com>", "A U Thor"},
		"not UTF-8":       {"Title", "Tit\xffle"},
		"two signatures":  {"\n\nTitle", "\ngpgsig x\n\nTitle"},
		"leading zeros":   {"1782000000", "01782000000"},
		"continued lines": {"\nparent", "\n parent"},
	} {
		raw := strings.Replace(plainCommit, change[0], change[1], 1)
		if name == "spaces" {
			// Two spaces are part of the name and come back as they were.
			if _, err := parseCommit([]byte(raw)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if _, err := parseCommit([]byte(raw)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseCommit(f *testing.F) {
	f.Add([]byte(plainCommit))
	f.Add([]byte("tree x\n\n"))
	f.Add([]byte("gpgsig \n \n\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parseCommit(raw)
		if err == nil && !bytes.Equal(c.encode(), raw) {
			t.Fatalf("%q comes back as %q", raw, c.encode())
		}
	})
}

func TestDocumentsKeepTheirLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\n`é😀\r\t\x00 "))).Draw(t, "text")
		text = strings.Repeat(text, rapid.IntRange(1, 50).Draw(t, "times"))
		limit := rapid.IntRange(150, 2000).Draw(t, "limit")
		got := document(text, limit, "More is elsewhere.")
		if len(got) > limit || strings.ContainsAny(got, "\x00\r") || strings.ToValidUTF8(got, "") != got {
			t.Fatalf("%d bytes of at most %d: %q", len(got), limit, got)
		}
		if len(text) <= limit && strings.Contains(got, "Cut here") {
			t.Fatalf("cut what fits: %q", got)
		}
		// What was cut once is not cut again, so that a second look finds it unchanged.
		if again := document(got, limit, "More is elsewhere."); again != got {
			t.Fatalf("%q becomes %q", got, again)
		}
	})
}

func TestTitlesAreOneHarmlessLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got, err := title(rapid.String().Draw(t, "text"))
		if err != nil {
			return
		}
		if n := len([]rune(got)); n > maxTitle || strings.ContainsAny(got, "@\n\r\x00\x1b\u202e\u200b") {
			t.Fatalf("%d characters: %q", n, got)
		}
	})
}

func TestTreesHashAsInGit(t *testing.T) {
	files := []docket.FileChange{
		{Path: "a", Mode: "100644", Content: []byte("1\n")}, {Path: "a.b", Mode: "100755", Content: []byte("2\n")}, {Path: "a0/x", Mode: "100644", Content: []byte("3\n")},
	}
	got, err := treeHash(files)
	// printf of the three blobs through git mktree: a, a.b, a0 with x.
	if err != nil || got != "88997aa624f891324793abf072ad50c6a1e1bc61" {
		t.Errorf("%s, %v", got, err)
	}
	slices.Reverse(files)
	if _, err := treeHash(append(files, docket.FileChange{Path: "a/x"})); err == nil {
		t.Error("a file that is a directory too")
	}
}
