package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// newKey makes a key without the slow encryption of key files.
func newKey(t testing.TB) *Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := newPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return &Key{private, public}
}

const (
	oldText = "package client\n\nfunc charge() {\n\tretry()\n}\n"
	newText = "package client\n\nfunc charge() {\n\tretryWithBackoff()\n}\n"
	diff    = `diff --git a/client.go b/client.go
--- a/client.go
+++ b/client.go
@@ -1,5 +1,5 @@
 package client
 
 func charge() {
-	retry()
+	retryWithBackoff()
 }
diff --git a/client_test.go b/client_test.go
new file mode 100644
--- /dev/null
+++ b/client_test.go
@@ -0,0 +1 @@
+package client
`
	baseSHA = "1111111111111111111111111111111111111111"
	treeSHA = "2222222222222222222222222222222222222222"
)

// fakeRepository is one commit in memory.
type fakeRepository struct {
	sha     string
	object  []byte
	changes []FileChange
}

func (f *fakeRepository) CommitObject(sha string) ([]byte, error) {
	if sha != f.sha {
		return nil, errors.New("commit not found; fetch it")
	}
	return f.object, nil
}

func (f *fakeRepository) Changes(sha string) ([]FileChange, error) { return f.changes, nil }

// newRepository signs a commit with the key; nil leaves it unsigned.
func newRepository(t testing.TB, key *Key, title string) *fakeRepository {
	t.Helper()
	head := fmt.Sprintf("tree %s\nparent %s\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n", treeSHA, baseSHA)
	body := "\n" + title + "\n\ngpgsig is a header, not text\n"
	object := head + body
	if key != nil {
		signer, err := key.SSHSigner()
		if err != nil {
			t.Fatal(err)
		}
		sig, err := signer.Sign(strings.NewReader(object))
		if err != nil {
			t.Fatal(err)
		}
		object = head + "gpgsig " + strings.ReplaceAll(strings.TrimSpace(string(sig)), "\n", "\n ") + "\n" + body
	}
	sum := sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", len(object), object))
	return &fakeRepository{hex.EncodeToString(sum[:]), []byte(object), []FileChange{
		{Path: "client.go", OldMode: 0o100644, NewMode: 0o100644, Old: []byte(oldText), New: []byte(newText)},
		{Path: "client_test.go", NewMode: 0o100644, New: []byte("package client\n")},
	}}
}

// proved is a whole case that verifies: everything an attacker may lay hands on.
type proved struct {
	key       *Key
	repo      *fakeRepository
	dir       fstest.MapFS
	statement Statement
	check     Check
}

func newCase(t testing.TB) *proved {
	t.Helper()
	c := &proved{key: newKey(t)}
	c.repo = newRepository(t, c.key, "Back off before retrying")
	c.dir = fstest.MapFS{
		"case.json":           {Data: []byte(`{"state":"proposed"}` + "\n")},
		DiffFile:              {Data: []byte(diff)},
		"pull-request.md":     {Data: []byte("# Back off\n")},
		"report.html":         {Data: []byte("<!doctype html>\n")},
		"repository.git/HEAD": {Data: []byte("ref: refs/heads/main\n")},
	}
	c.statement = Statement{
		Subject: Subject{Commit: c.repo.sha, Tree: treeSHA},
		Predicate: Predicate{
			State: "proposed", Base: baseSHA,
			Incident:  Incident{Fingerprint: "0123456789abcdef", AlertSHA256: strings.Repeat("a", 64)},
			Telemetry: Telemetry{From: time.Unix(1, 0).UTC(), To: time.Unix(2, 0).UTC(), Traces: []string{"ab"}},
			Suspects:  json.RawMessage(`[{"service":"b","start_ns":1763715021123456789,"score":0.5,"text":"<&>"}]`),
			Author:    Author{Recipe: "go-retry-backoff@1", Rung: "code"},
			Diff:      Diff{SHA256: sha256Hex([]byte(diff))},
			Commit:    CommitSignature{By: ByEvidenceKey},
			Tests:     []TestRun{{Name: "TestBackoff", Command: []string{"go", "test"}, Before: "failed", After: "passed"}},
			Builder:   Builder{ID: "remediator", Version: "1"},
		},
	}
	c.sign(t)
	return c
}

// sign makes the bundle anew from statement and files.
func (c *proved) sign(t testing.TB) {
	t.Helper()
	c.statement.Artifacts = nil
	for name, f := range c.dir {
		if name != BundleFile {
			c.statement.Artifacts = append(c.statement.Artifacts, Artifact{name, sha256Hex(f.Data)})
		}
	}
	slices.SortFunc(c.statement.Artifacts, func(a, b Artifact) int { return strings.Compare(a.Name, b.Name) })
	bundle, err := Sign(c.statement, c.key)
	if err != nil {
		t.Fatal(err)
	}
	c.put(bundle)
}

// put is what an attacker does: another bundle in the place of the real one.
func (c *proved) put(bundle []byte) {
	c.dir[BundleFile] = &fstest.MapFile{Data: bundle}
	c.check = Check{Bundle: bundle, Key: c.key.Public(), Dir: c.dir, Commits: c.repo}
}

// mustBreak fails unless exactly the named claim is the first that does not hold.
func mustBreak(t *testing.T, c Check, name, why string) {
	t.Helper()
	claims := Verify(c)
	if Proved(claims) {
		t.Fatalf("everything is proved")
	}
	for _, claim := range claims {
		if claim.Proved {
			continue
		}
		if claim.Name != name || !strings.Contains(claim.Why, why) {
			t.Errorf("first broken claim is %q: %s; want %q: %s", claim.Name, claim.Why, name, why)
		}
		return
	}
}

func clone(b []byte) []byte { return bytes.Clone(b) }
