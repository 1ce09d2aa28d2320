package docket

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// FuzzDecodeRecord: whatever is stored, it is read as a record of its key or refused as damaged, and what was read
// is written and read again as the same.
func FuzzDecodeRecord(f *testing.F) {
	good, err := EncodeRecord(&Record{Schema: RecordSchema, Fingerprint: "a", Stage: Held, Hold: &Hold{Code: "limit"}, Effects: []Effect{{Key: "pull", Done: true}}, Lease: &Lease{Owner: "x"}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{good, nil, []byte("null"), []byte("[]"), []byte(`{"schema":"remediator.record/v1","fingerprint":"a","stage":"held"}`),
		[]byte(`{"schema":"remediator.record/v1","fingerprint":"b","stage":"held"}`), []byte(`{"schema":"remediator.record/v1","fingerprint":"a","stage":"held","summary":{"touches":[{}]},"pull":{}}`),
		good[:len(good)/2], bytes.Repeat([]byte(`{"incident":`), 1000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRecord("a", data, 7)
		if err != nil {
			if r != nil || !errors.Is(err, ErrDamaged) {
				t.Fatalf("record %v, error %v", r, err)
			}
			return
		}
		if r.Fingerprint != "a" || r.Schema != RecordSchema || !r.Stage.known() || r.Revision != 7 {
			t.Fatalf("read as %+v", r)
		}
		again, err := EncodeRecord(r)
		if err != nil {
			return // a time beyond the year 9999 is read and cannot be written
		}
		if back, err := DecodeRecord("a", again, 7); err != nil || !reflect.DeepEqual(back, r) {
			first, _ := json.Marshal(back)
			if !bytes.Equal(first, again) { // an empty list is read back as none
				t.Fatalf("%v\n%s\n%s", err, again, first)
			}
		}
		// Whatever a record says, looking at it must not fail.
		d := &Desk{Forge: func(string) Forge { return nil }}
		d.pending(r)
		r.bound()
		_ = noticeVersion(r)
	})
}

// FuzzDecodeCase: a case.json that is not one is damaged, and one that is can be told about.
func FuzzDecodeCase(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"schema":"remediator.case/v1"}`, `{"schema":"remediator.case/v1","suspects":[{"service":"@a","reasons":[{"signal":"x"}]}],"options":[{}],"verdicts":{"checks":[{"name":"a|b"}],"replays":[{}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := DecodeCase(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		var b strings.Builder
		explainCase(&b, c)
		for _, bad := range []string{"@", "<", "](", "\x1b"} {
			if strings.Contains(b.String(), bad) {
				t.Fatalf("%q got through:\n%s", bad, b.String())
			}
		}
	})
}

// FuzzTouches: a diff that cannot be read is an error, and ranges are ranges.
func FuzzTouches(f *testing.F) {
	f.Add("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n")
	f.Add("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+c\n")
	f.Add("diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+c\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, diff string) {
		before, after, err := touches(diff)
		if err != nil {
			return
		}
		for _, x := range append(before, after...) {
			if x.Last < x.First && x.First > 0 {
				t.Fatalf("range %+v of %q", x, diff)
			}
		}
	})
}

func TestTouches(t *testing.T) {
	for name, tc := range map[string]struct {
		diff          string
		before, after []Touch
	}{
		"changed":  {"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -5,3 +5,4 @@\n a\n-b\n+c\n+d\n e\n", []Touch{{"x", 6, 6}}, []Touch{{"x", 6, 7}}},
		"added":    {"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -5,2 +5,3 @@\n a\n+b\n e\n", []Touch{{"x", 5, 6}}, []Touch{{"x", 6, 6}}},
		"removed":  {"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -5,3 +5,2 @@\n a\n-b\n e\n", []Touch{{"x", 6, 6}}, nil},
		"new file": {"diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n+a\n+b\n", []Touch{{"x", 1, 1 << 30}}, []Touch{{"x", 1, 2}}},
		"two places": {"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n a\n-b\n+c\n d\n-e\n+f\n g\n",
			[]Touch{{"x", 2, 2}, {"x", 4, 4}}, []Touch{{"x", 2, 2}, {"x", 4, 4}}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after, err := touches(tc.diff)
			if err != nil || !reflect.DeepEqual(before, tc.before) || !reflect.DeepEqual(after, tc.after) {
				t.Errorf("before %v, after %v, %v", before, after, err)
			}
		})
	}
}

// TestOverlapIsMutual and finds a shared line exactly when there is one.
func TestOverlapIsMutual(t *testing.T) {
	touch := rapid.Custom(func(t *rapid.T) Touch {
		first := rapid.IntRange(1, 30).Draw(t, "first")
		return Touch{Path: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "path"), First: first, Last: first + rapid.IntRange(0, 5).Draw(t, "more")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(touch, 0, 4).Draw(t, "a"), rapid.SliceOfN(touch, 0, 4).Draw(t, "b")
		shared := false
		for _, path := range []string{"a", "b"} {
			for line := 1; line <= 40; line++ {
				shared = shared || covers(a, path, line) && covers(b, path, line)
			}
		}
		at, ok := overlap(a, b)
		if _, mirrored := overlap(b, a); ok != shared || mirrored != shared {
			t.Fatalf("%v, want %v", ok, shared)
		}
		if ok && !(covers(a, at.Path, at.First) && covers(b, at.Path, at.Last)) {
			t.Fatalf("%+v is not shared", at)
		}
	})
}

func covers(ts []Touch, path string, line int) bool {
	for _, x := range ts {
		if x.Path == path && x.First <= line && line <= x.Last {
			return true
		}
	}
	return false
}

// TestTextsAreHarmless: whatever a person or an alert says, no markup comes of it.
func TestTextsAreHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s") + rapid.SampledFrom([]string{"", "@everyone", "#12", "![x](http://evil)", "`rm`", "<script>", "www.evil.example", "|", "\n---\n"}).Draw(t, "attack")
		for _, out := range []string{prose(s), strings.Trim(code(s), "`")} {
			if strings.ContainsAny(out, "@#`<>[]!|\n\r\x00*") || !utf8.ValidString(out) {
				t.Fatalf("%q became %q", s, out)
			}
		}
		if out := prose(s); strings.Contains(out, "://") || strings.Contains(out, "www.") {
			t.Fatalf("a forge makes a link of %q, from %q", out, s)
		}
	})
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, most := rapid.String().Draw(t, "s"), rapid.IntRange(3, 50).Draw(t, "most")
		got := cut(s, most)
		if len(got) > most || !utf8.ValidString(got) || len(s) <= most && got != s {
			t.Fatalf("%q cut to %d is %q", s, most, got)
		}
	})
}

// TestPullBodyFitsTheForge however long the case's own text is; an open code block is closed before the footer.
func TestPullBodyFitsTheForge(t *testing.T) {
	d := &Desk{}
	r := &Record{Fingerprint: strings.Repeat("a", 32), Summary: &Summary{Digest: "x"}, Decision: &Decision{Approve: true, Digest: "x", By: "alice", Reason: strings.Repeat("long ", 1000)}}
	body := d.pullBody(r, "intro\n```diff\n"+strings.Repeat("+ line of a diff\n", 10000)+"```\nend\n")
	if len(body) > 65536 || strings.Count(body, "\n```")%2 != 0 {
		t.Errorf("%d bytes, %d fences", len(body), strings.Count(body, "\n```"))
	}
	if !strings.Contains(body, "/remediator explain") || !strings.Contains(body, "Approved by `alice`") || !strings.Contains(body, "(cut;") {
		t.Errorf("the footer is gone: %s", body[len(body)-500:])
	}
	if short := d.pullBody(&Record{Fingerprint: r.Fingerprint, Summary: &Summary{}}, "all\n"); strings.Contains(short, "(cut;") || !strings.HasPrefix(short, "all\n") {
		t.Errorf("a short text became %q", short)
	}
}
