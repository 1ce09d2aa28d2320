package attest

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"math/big"
	"strings"
	"testing"
	"testing/fstest"
)

func TestVerifyProvesEveryClaimOfAnHonestCase(t *testing.T) {
	c := newCase(t)
	claims := Verify(c.check)
	if !Proved(claims) {
		t.Fatalf("claims are %+v", claims)
	}
	var names []string
	for _, claim := range claims {
		if claim.Why == "" {
			t.Errorf("claim %s does not say why", claim.Name)
		}
		names = append(names, claim.Name)
	}
	want := "bundle key signature statement case.json patch.diff pull-request.md report.html directories files evidence.sigstore.json commit commit.tree commit.parent commit.signature commit.diff"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("claims are\n%s\nwant\n%s", got, want)
	}
	s, err := Open(c.check.Bundle, c.key.Public())
	if err != nil || s.Subject != c.statement.Subject || string(s.Predicate.Suspects) == "" {
		t.Errorf("statement is %+v, %v", s, err)
	}
	if !strings.Contains(string(s.Predicate.Suspects), "1763715021123456789") {
		t.Errorf("a number lost digits: %s", s.Predicate.Suspects)
	}
}

func TestVerifyWithoutPartsProvesLess(t *testing.T) {
	c := newCase(t)
	check := c.check
	check.Commits = nil
	mustBreak(t, check, "commit", "no repository was given")
	check = c.check
	check.Dir = nil
	mustBreak(t, check, "files", "no directory was given")
	check = c.check
	check.Key = nil
	mustBreak(t, check, "key", "no public key")
	if Proved(nil) {
		t.Error("no claims count as proved")
	}
}

func TestVerifyOfADeclinedCaseNeedsNoCommit(t *testing.T) {
	c := newCase(t)
	delete(c.dir, DiffFile)
	c.statement.Subject = Subject{}
	c.statement.Predicate = Predicate{State: "declined", Why: "no suspect", Incident: c.statement.Predicate.Incident}
	c.sign(t)
	c.check.Commits = nil
	if claims := Verify(c.check); !Proved(claims) {
		t.Errorf("claims are %+v", claims)
	}
}

// Every attack below is tried on a case that verifies.

func TestAttackChangedByteAtEveryOffsetOfTheBundle(t *testing.T) {
	c := newCase(t)
	original := clone(c.check.Bundle)
	for i := range original {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			changed := clone(original)
			changed[i] ^= flip
			c.put(changed)
			if Proved(Verify(c.check)) {
				t.Fatalf("byte %d (%q) changed to %q and nothing was noticed", i, original[i], changed[i])
			}
		}
		for _, insert := range []string{" ", "\n", "0"} {
			c.put([]byte(string(original[:i]) + insert + string(original[i:])))
			if Proved(Verify(c.check)) {
				t.Fatalf("%q put in at %d and nothing was noticed", insert, i)
			}
		}
		c.put([]byte(string(original[:i]) + string(original[i+1:])))
		if Proved(Verify(c.check)) {
			t.Fatalf("byte %d taken out and nothing was noticed", i)
		}
	}
	for _, tail := range []string{"\n", " ", "{}", "\x00"} {
		c.put([]byte(string(original) + tail))
		mustBreak(t, c.check, "bundle", "")
	}
}

func TestAttackChangedByteAtEveryOffsetOfEveryFile(t *testing.T) {
	c := newCase(t)
	for name, f := range c.dir {
		if name == BundleFile {
			continue
		}
		original := clone(f.Data)
		for i := range original {
			f.Data = clone(original)
			f.Data[i] ^= 1
			mustBreak(t, c.check, name, "the file was changed")
		}
		f.Data = append(clone(original), '\n')
		mustBreak(t, c.check, name, "the file was changed")
		f.Data = original[:len(original)-1]
		mustBreak(t, c.check, name, "the file was changed")
		f.Data = original
	}
	if !Proved(Verify(c.check)) {
		t.Error("the files put back are not proved any more")
	}
}

func TestAttackTruncatedBundle(t *testing.T) {
	c := newCase(t)
	for n := range len(c.check.Bundle) {
		check := c.check
		check.Bundle = check.Bundle[:n]
		mustBreak(t, check, "bundle", "")
	}
}

// edited decodes the bundle, changes it and writes it in canonical form again.
func edited(t *testing.T, bundle []byte, change func(envelope map[string]any, whole map[string]any)) []byte {
	t.Helper()
	var whole map[string]any
	d := json.NewDecoder(bytes.NewReader(bundle))
	d.UseNumber()
	if err := d.Decode(&whole); err != nil {
		t.Fatal(err)
	}
	change(whole["dsseEnvelope"].(map[string]any), whole)
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	out, err := bundleForm(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func signatureOf(envelope map[string]any) map[string]any {
	return envelope["signatures"].([]any)[0].(map[string]any)
}

func TestAttackSwappedSignature(t *testing.T) {
	c, other := newCase(t), newCase(t)
	var stolen any
	edited(t, other.check.Bundle, func(e, _ map[string]any) { stolen = signatureOf(e)["sig"] })
	c.put(edited(t, c.check.Bundle, func(e, _ map[string]any) { signatureOf(e)["sig"] = stolen }))
	mustBreak(t, c.check, "signature", "not the given key's")
}

func TestAttackOtherKey(t *testing.T) {
	c := newCase(t)
	evil := *c
	evil.key = newKey(t)
	evil.sign(t)
	evil.check.Key = c.key.Public()
	mustBreak(t, evil.check, "key", "the given key is")
	// The same with the true key's fingerprint written into the forged bundle.
	evil.check.Bundle = edited(t, evil.check.Bundle, func(_, whole map[string]any) {
		whole["verificationMaterial"].(map[string]any)["publicKey"] = map[string]any{"hint": c.key.Public().Fingerprint()}
	})
	mustBreak(t, evil.check, "signature", "not the given key's")
}

func TestAttackMalleatedSignature(t *testing.T) {
	c := newCase(t)
	c.put(edited(t, c.check.Bundle, func(e, _ map[string]any) {
		raw, err := base64.StdEncoding.DecodeString(signatureOf(e)["sig"].(string))
		if err != nil {
			t.Fatal(err)
		}
		var sig derSignature
		if _, err := asn1.Unmarshal(raw, &sig); err != nil {
			t.Fatal(err)
		}
		sig.S = new(big.Int).Sub(order, sig.S) // as valid as the first, mathematically
		raw, err = asn1.Marshal(sig)
		if err != nil {
			t.Fatal(err)
		}
		signatureOf(e)["sig"] = base64.StdEncoding.EncodeToString(raw)
	}))
	mustBreak(t, c.check, "signature", "not the given key's")
}

func TestAttackStatementReplayedForAnotherCommit(t *testing.T) {
	c := newCase(t)
	another := newRepository(t, c.key, "Something else")
	check := c.check
	check.Commits = another
	mustBreak(t, check, "commit", "commit not found")
	check = c.check
	check.Expect = another.sha
	mustBreak(t, check, "statement", "belongs to another proposal")
	// A repository that hands out the other commit under the signed name.
	check = c.check
	check.Commits = &fakeRepository{c.repo.sha, another.object, another.changes}
	mustBreak(t, check, "commit", "the object's hash is "+another.sha)
}

func TestAttackStatementReplayedForAnotherCase(t *testing.T) {
	c, other := newCase(t), newCase(t)
	other.key = c.key
	other.repo = newRepository(t, c.key, "Another case")
	other.statement.Subject.Commit = other.repo.sha
	other.dir["case.json"].Data = []byte("{}\n")
	other.sign(t)
	c.put(other.check.Bundle)
	mustBreak(t, c.check, "case.json", "the file was changed")
}

func TestAttackAddedFile(t *testing.T) {
	for _, name := range []string{"extra.md", "repository.git/hooks/post-checkout", "deep/er/file"} {
		c := newCase(t)
		c.dir[name] = &fstest.MapFile{Data: []byte("x")}
		mustBreak(t, c.check, "files", "not signed: "+name)
		c.check.Ignore = []string{strings.Split(name, "/")[0]}
		if claims := Verify(c.check); !Proved(claims) {
			t.Errorf("%s is ignored and still %+v", name, claims)
		}
	}
}

func TestAttackRemovedFile(t *testing.T) {
	c := newCase(t)
	delete(c.dir, "pull-request.md")
	mustBreak(t, c.check, "pull-request.md", "missing")
}

func TestAttackFileReplacedByLink(t *testing.T) {
	c := newCase(t)
	c.dir["elsewhere/report.html"] = &fstest.MapFile{Data: c.dir["report.html"].Data}
	c.dir["report.html"] = &fstest.MapFile{Data: []byte("elsewhere/report.html"), Mode: fs.ModeSymlink}
	mustBreak(t, c.check, "report.html", "not a regular file")
}

func TestAttackAnotherBundleLiesInTheDirectory(t *testing.T) {
	c := newCase(t)
	c.dir[BundleFile] = &fstest.MapFile{Data: []byte("{}")}
	mustBreak(t, c.check, BundleFile, "differs from the bundle that was checked")
}

// resigned makes a bundle with any payload, as somebody could who has the key but not this program.
func resigned(t *testing.T, c *proved, payload string) []byte {
	t.Helper()
	return envelopeBundle(t, c.key, payloadType, payload)
}

func TestAttackDuplicateKeys(t *testing.T) {
	c := newCase(t)
	payload, err := c.statement.encode()
	if err != nil {
		t.Fatal(err)
	}
	twice := strings.Replace(string(payload), `{"_type"`, `{"_type":"x","_type"`, 1)
	c.put(resigned(t, c, twice))
	mustBreak(t, c.check, "statement", "canonical form")

	c = newCase(t)
	text := strings.Replace(string(c.check.Bundle), `{"dsseEnvelope"`, `{"mediaType":"x","dsseEnvelope"`, 1)
	c.put([]byte(text))
	mustBreak(t, c.check, "bundle", "")
}

func TestAttackOtherStatementTypes(t *testing.T) {
	c := newCase(t)
	payload, err := c.statement.encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"type":           {statementType, "https://in-toto.io/Statement/v0.1"},
		"predicate type": {PredicateType, "https://slsa.dev/provenance/v1"},
		"unknown field":  {`"state":"proposed"`, `"state":"proposed","zzz":1`},
		"short digest":   {sha256Hex([]byte(diff)), "00"},
		"upper case":     {c.repo.sha, strings.ToUpper(c.repo.sha)},
		"escaping name":  {`"name":"case.json"`, `"name":"../case.json"`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.ReplaceAll(string(payload), change[0], change[1])
			if changed == string(payload) {
				t.Fatal("nothing changed")
			}
			c.put(resigned(t, c, changed))
			mustBreak(t, c.check, "statement", "")
		})
	}
	c.put(envelopeBundle(t, c.key, "application/json", string(payload)))
	mustBreak(t, c.check, "signature", "payload's type")
}

func TestAttackHugeInput(t *testing.T) {
	c := newCase(t)
	c.put(bytes.Repeat([]byte("["), maxBundle+1))
	mustBreak(t, c.check, "bundle", "larger than")
	for name, text := range map[string]string{
		"nested":  strings.Repeat("[", 1<<20),
		"objects": strings.Repeat(`{"a":`, 1<<20),
		"number":  strings.Repeat("9", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			c.put([]byte(text))
			mustBreak(t, c.check, "bundle", "")
			c.put(resigned(t, c, text))
			mustBreak(t, c.check, "statement", "")
		})
	}
}

func TestAttackOnTheCommit(t *testing.T) {
	sibling := func(c *proved) []byte {
		return bytes.Replace(c.repo.object, []byte("tree "+treeSHA), []byte("tree "+strings.Repeat("3", 40)), 1)
	}
	for name, a := range map[string]struct {
		change func(t *testing.T, c *proved)
		claim  string
		why    string
	}{
		"unsigned commit": {func(t *testing.T, c *proved) {
			c.repo = newRepository(t, nil, "Back off before retrying")
			c.statement.Subject.Commit = c.repo.sha
			c.sign(t)
		}, "commit.signature", "the commit is not signed"},
		"commit signed by another key": {func(t *testing.T, c *proved) {
			c.repo = newRepository(t, newKey(t), "Back off before retrying")
			c.statement.Subject.Commit = c.repo.sha
			c.sign(t)
		}, "commit.signature", "not the given key's"},
		"signature of another commit": {func(t *testing.T, c *proved) {
			c.repo.object = bytes.Replace(c.repo.object, []byte("Back off"), []byte("Back out"), 1)
			sum, err := parseCommit(c.repo.object)
			if err != nil {
				t.Fatal(err)
			}
			c.repo.sha, c.statement.Subject.Commit = sum.sha, sum.sha
			c.sign(t)
		}, "commit.signature", "not the given key's"},
		"another tree": {func(t *testing.T, c *proved) {
			c.repo.object = sibling(c)
			sum, err := parseCommit(c.repo.object)
			if err != nil {
				t.Fatal(err)
			}
			c.repo.sha, c.statement.Subject.Commit = sum.sha, sum.sha
			c.sign(t)
		}, "commit.tree", "signed was " + treeSHA},
		"another base": {func(t *testing.T, c *proved) {
			c.statement.Predicate.Base = strings.Repeat("4", 40)
			c.sign(t)
		}, "commit.parent", baseSHA},
		"unsigned although it should not be": {func(t *testing.T, c *proved) {
			c.statement.Predicate.Commit.By = ""
			c.sign(t)
		}, "commit.signature", "not what the commit shows"},
		"file content":   {func(_ *testing.T, c *proved) { c.repo.changes[0].New = []byte(oldText + "evil") }, "commit.diff", "another client.go"},
		"parent content": {func(_ *testing.T, c *proved) { c.repo.changes[0].Old = []byte("package x\n") }, "commit.diff", "does not apply to client.go"},
		"further file": {func(_ *testing.T, c *proved) {
			c.repo.changes = append(c.repo.changes, FileChange{Path: "evil.sh", NewMode: 0o100755, New: []byte("x")})
		}, "commit.diff", "the commit changes evil.sh, the diff does not"},
		"missing file":   {func(_ *testing.T, c *proved) { c.repo.changes = c.repo.changes[:1] }, "commit.diff", "the diff changes client_test.go"},
		"mode":           {func(_ *testing.T, c *proved) { c.repo.changes[1].NewMode = 0o100755 }, "commit.diff", "the mode is 100755"},
		"link":           {func(_ *testing.T, c *proved) { c.repo.changes[1].NewMode = 0o120000 }, "commit.diff", "the mode is 120000"},
		"deleted":        {func(_ *testing.T, c *proved) { c.repo.changes[0].New = nil }, "commit.diff", "added or deleted by only one"},
		"existed before": {func(_ *testing.T, c *proved) { c.repo.changes[1].Old = []byte("x") }, "commit.diff", "added or deleted by only one"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCase(t)
			a.change(t, c)
			c.check.Commits = c.repo
			mustBreak(t, c.check, a.claim, a.why)
		})
	}
}

func TestVerifyTakesRenamesAndDeletions(t *testing.T) {
	c := newCase(t)
	text := "diff --git a/old.go b/new.go\nsimilarity index 50%\nrename from old.go\nrename to new.go\n--- a/old.go\n+++ b/new.go\n@@ -1 +1 @@\n-a\n+b\n" +
		"diff --git a/gone.go b/gone.go\ndeleted file mode 100644\n--- a/gone.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
	c.dir[DiffFile].Data = []byte(text)
	c.statement.Predicate.Diff.SHA256 = sha256Hex([]byte(text))
	c.repo.changes = []FileChange{
		{Path: "gone.go", OldMode: 0o100644, Old: []byte("x\n")},
		{Path: "new.go", NewMode: 0o100644, New: []byte("b\n")},
		{Path: "old.go", OldMode: 0o100644, Old: []byte("a\n")},
	}
	c.sign(t)
	if claims := Verify(c.check); !Proved(claims) {
		t.Errorf("claims are %+v", claims)
	}
	c.repo.changes[2].New = []byte("still here")
	mustBreak(t, c.check, "commit.diff", "the diff renames old.go")
}

func FuzzVerify(f *testing.F) {
	c := newCase(f)
	f.Add(c.check.Bundle, []byte(diff), c.repo.object)
	f.Add([]byte("{}"), []byte("x"), []byte("tree"))
	f.Fuzz(func(t *testing.T, bundle, diff, object []byte) {
		check := c.check
		check.Bundle = bundle
		same := bytes.Equal(bundle, c.check.Bundle)
		if Proved(Verify(check)) && !same {
			t.Fatal("a forged bundle is proved")
		}
		if _, err := parseCommit(object); err != nil {
			return
		}
		_ = c.key.Public().verifyCommit(commitObject{signature: object, signed: diff})
	})
}
