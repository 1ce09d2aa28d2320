package attest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"pgregory.net/rapid"
)

// envelopeBundle signs any payload in the form of a bundle.
func envelopeBundle(t *testing.T, key *Key, kind, payload string) []byte {
	t.Helper()
	digest := digestOf(dsse.PAE(kind, []byte(payload)))
	sig, err := key.signDigest(digest)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := json.Marshal(map[string]any{"payloadType": kind, "signatures": []map[string][]byte{{"sig": sig}}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := bundle.MakeNewBundle(key.public.key, nil, []byte(payload), envelope, key.public.pem, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := bundleForm(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSignGivesTheSameBytesAgain(t *testing.T) {
	c := newCase(t)
	slices.Reverse(c.statement.Artifacts)
	again, err := Sign(c.statement, c.key)
	if err != nil || !bytes.Equal(again, c.check.Bundle) {
		t.Errorf("the second bundle differs (%v)", err)
	}
}

func TestStatementNamesCommitTreeAndFilesAsSubjects(t *testing.T) {
	c := newCase(t)
	payload, err := c.statement.encode()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Subject []struct {
			Name   string
			Digest map[string]string
		}
		Predicate struct{ Files []Artifact }
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	if s.Subject[0].Digest["gitCommit"] != c.repo.sha || s.Subject[1].Digest["gitTree"] != treeSHA {
		t.Errorf("subjects are %+v", s.Subject)
	}
	if len(s.Subject) != 6 || len(s.Predicate.Files) != 1 || s.Predicate.Files[0].Name != "repository.git/HEAD" {
		t.Errorf("subjects are %+v, files %+v", s.Subject, s.Predicate.Files)
	}
}

func TestSignRefusesWhatCouldNotBeVerified(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Statement)
		want   string
	}{
		"short commit":      {func(s *Statement) { s.Subject.Commit = "abc" }, "full SHA-1"},
		"no tree":           {func(s *Statement) { s.Subject.Tree = "" }, "full SHA-1"},
		"tree alone":        {func(s *Statement) { s.Subject.Commit = "" }, "tree without a commit"},
		"no files":          {func(s *Statement) { s.Artifacts, s.Predicate.Diff.SHA256 = nil, "" }, "names no file"},
		"file twice":        {func(s *Statement) { s.Artifacts = append(s.Artifacts, s.Artifacts[0]) }, "there twice"},
		"file called tree":  {func(s *Statement) { s.Artifacts[0].Name = "tree" }, "twice or reserved"},
		"file outside":      {func(s *Statement) { s.Artifacts[0].Name = "../x" }, "not a file name inside"},
		"file with digest":  {func(s *Statement) { s.Artifacts[0].SHA256 = "zz" }, "not a SHA-256"},
		"diff not a file":   {func(s *Statement) { s.Predicate.Diff.SHA256 = strings.Repeat("0", 64) }, "not that of patch.diff"},
		"commit, no diff":   {func(s *Statement) { s.Predicate.Diff.SHA256 = "" }, "no digest of its diff"},
		"too many files":    {func(s *Statement) { s.Artifacts = append(s.Artifacts, many(maxArtifacts, "d/")...) }, "more than 200000 files"},
		"too many subjects": {func(s *Statement) { s.Artifacts = append(s.Artifacts, many(maxSubjects, "")...) }, "more than 500 files at its top"},
		"broken JSON":       {func(s *Statement) { s.Predicate.Plan = json.RawMessage("{") }, "unexpected end"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newCase(t)
			c.change(&s.statement)
			if _, err := Sign(s.statement, s.key); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
	if _, err := Sign(Statement{}, nil); err == nil {
		t.Error("signed without a key")
	}
}

func many(n int, prefix string) []Artifact {
	out := make([]Artifact, n)
	for i := range out {
		out[i] = Artifact{fmt.Sprintf("%sf%d", prefix, i), strings.Repeat("0", 64)}
	}
	return out
}

func TestCanonicalIsItsOwnFixedPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.String(), rapid.OneOf(
			rapid.Map(rapid.Float64Range(-1e300, 1e300), func(f float64) any { return f }),
			rapid.Map(rapid.Int64(), func(n int64) any { return n }),
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.SliceOf(rapid.Bool()), func(b []bool) any { return b }),
		)).Draw(t, "value")
		text, err := json.MarshalIndent(v, " ", "\t")
		if err != nil {
			t.Skip("not expressible")
		}
		once, err := canonical(text)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := canonical(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q becomes %q (%v)", once, twice, err)
		}
		var back map[string]any
		if err := json.Unmarshal(once, &back); err != nil || len(back) != len(v) {
			t.Fatalf("%q lost something (%v)", once, err)
		}
	})
}

func TestCanonicalKeepsNumbersAndRefusesTails(t *testing.T) {
	out, err := canonical([]byte(`{"b": 12345678901234567890.10, "a": "<\u0041>"}`))
	if err != nil || string(out) != `{"a":"<A>","b":12345678901234567890.10}` {
		t.Errorf("canonical form is %s, %v", out, err)
	}
	for _, text := range []string{"", "{} {}", "{}x", "{", `{"a":}`, "nul"} {
		if out, err := canonical([]byte(text)); err == nil {
			t.Errorf("%q became %q", text, out)
		}
	}
}
