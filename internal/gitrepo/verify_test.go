package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/patch"
)

func key(t *testing.T) *attest.Key {
	t.Helper()
	private, _, err := attest.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := attest.ParseKey(private, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The whole way: a signed commit in a clone, its evidence, verified by stock git and claim by claim.
func TestSignedCommitIsAcceptedByGitAndByVerification(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	ctx := context.Background()
	f := simple(t)
	clone, err := Clone(ctx, f.dir, filepath.Join(t.TempDir(), "clone"))
	if err != nil {
		t.Fatal(err)
	}
	k := key(t)
	signer, err := k.SSHSigner()
	if err != nil {
		t.Fatal(err)
	}
	d := draft()
	d.Signer = signer
	made, err := clone.Commit(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := clone.Commit(ctx, d); err != nil || again != made {
		t.Errorf("signing again gives %v (%v), first was %v", again, err, made)
	}
	allowed := filepath.Join(t.TempDir(), "allowed_signers")
	verify := func(data []byte) error {
		if err := os.WriteFile(allowed, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "-c", "gpg.format=ssh", "-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-commit", made.SHA)
		cmd.Dir = clone.Path()
		out, err := cmd.CombinedOutput()
		t.Logf("git verify-commit: %s", out)
		return err
	}
	if err := verify(k.Public().AllowedSigners(d.Author.Email)); err != nil {
		t.Errorf("git refuses the signature: %v", err)
	}
	if verify(key(t).Public().AllowedSigners(d.Author.Email)) == nil {
		t.Error("git accepts any signature")
	}

	dir := t.TempDir()
	diff := f.gitIn(clone.Path(), "diff-tree", "-p", made.Parent, made.SHA) + "\n"
	if err := os.WriteFile(filepath.Join(dir, attest.DiffFile), []byte(diff), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(diff))
	digest := hex.EncodeToString(sum[:])
	bundle, err := attest.Sign(attest.Statement{
		Subject:   attest.Subject{Commit: made.SHA, Tree: made.Tree},
		Artifacts: []attest.Artifact{{Name: attest.DiffFile, SHA256: digest}},
		Predicate: attest.Predicate{Base: made.Parent, Diff: attest.Diff{SHA256: digest}, Commit: attest.CommitSignature{By: attest.ByEvidenceKey}},
	}, k)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, attest.BundleFile), bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	check := attest.Check{Bundle: bundle, Key: k.Public(), Dir: os.DirFS(dir), Commits: clone, Expect: made.SHA}
	if claims := attest.Verify(check); !attest.Proved(claims) {
		t.Errorf("claims are %+v", claims)
	}
	check.Commits = open(t, f.dir) // the commit was not proposed there yet
	claims := attest.Verify(check)
	if last := claims[len(claims)-1]; last.Name != "commit" || last.Proved || !strings.Contains(last.Why, "fetch") {
		t.Errorf("without the commit the claims are %+v", claims)
	}
}

func TestChangesAreThoseBetweenTheTrees(t *testing.T) {
	ctx := context.Background()
	f := simple(t)
	f.write("dir/file", "x")
	f.write("swap", "file")
	f.commit("more")
	f.git("rm", "-q", "-r", "dir", "swap")
	f.write("dir", "now a file")
	f.write("swap/inner", "now a directory")
	f.git("add", "-A")
	f.git("update-index", "--chmod=+x", "a.txt")
	f.now += 60
	f.git("commit", "-q", "-m", "swap")
	r := open(t, f.dir)
	changes, err := r.Changes("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, c.Path+" "+oct(c.OldMode)+" "+oct(c.NewMode))
	}
	want := "a.txt 100644 100755, dir 0 100644, dir/file 100644 0, swap 100644 0, swap/inner 0 100644"
	if strings.Join(got, ", ") != want {
		t.Errorf("changes are %s, want %s", strings.Join(got, ", "), want)
	}
	root, err := r.Changes("HEAD~2")
	if err != nil || len(root) != 3 || root[0].Old != nil {
		t.Errorf("changes of the first commit are %+v (%v)", root, err)
	}
	made, err := r.Commit(ctx, Draft{Base: "HEAD", Message: "x", Author: draft().Author, When: draft().When,
		Edits: []patch.FileEdit{{Path: "empty", New: []byte{}}}})
	if err != nil {
		t.Fatal(err)
	}
	if changes, err = r.Changes(made.SHA); err != nil || len(changes) != 1 || changes[0].New == nil {
		t.Errorf("an empty file is %+v (%v)", changes, err)
	}
}

func oct(mode uint32) string {
	text := ""
	for ; mode > 0; mode /= 8 {
		text = string(rune('0'+mode%8)) + text
	}
	if text == "" {
		return "0"
	}
	return text
}

func TestBranchNameComesFromTheFingerprint(t *testing.T) {
	if name, err := BranchName(fingerprint); err != nil || name != "remediator/0123456789ab" {
		t.Errorf("name is %q (%v)", name, err)
	}
	for _, bad := range []string{"", "0123", "../../../../etc", "0123456789AB", strings.Repeat("a", 65), "0123456789ab\n"} {
		if name, err := BranchName(bad); err == nil {
			t.Errorf("%q became %q", bad, name)
		}
	}
	f := simple(t)
	r := open(t, f.dir)
	sha := f.git("rev-parse", "HEAD")
	for _, bad := range []string{"main", "remediator/..", "remediator/a b", "remediator/", "-x"} {
		if err := r.CreateBranch(context.Background(), bad, sha); err == nil {
			t.Errorf("branch %q was made", bad)
		}
	}
}

func TestTrailerJoinsThoseThatAreThere(t *testing.T) {
	for message, want := range map[string]string{
		"title":                       "title\n\nRemediator-Case: c\n",
		"title\n\nbody":               "title\n\nbody\n\nRemediator-Case: c\n",
		"title\n\nbody\n\nFixes: 1":   "title\n\nbody\n\nFixes: 1\nRemediator-Case: c\n",
		"title: x":                    "title: x\n\nRemediator-Case: c\n",
		"title\n\nRemediator-Case: c": "title\n\nRemediator-Case: c\n",
	} {
		if got := withTrailer(message, "c"); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
	if got := withTrailer("title\n", ""); got != "title\n" {
		t.Errorf("without a case the message is %q", got)
	}
}
