package attest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// cosignBinary finds the stock command line: on PATH, named by COSIGN, or, when
// REMEDIATOR_LIVE=1, built from the module that go.mod pins.
func cosignBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("COSIGN"); path != "" {
		return path
	}
	if path, err := exec.LookPath("cosign"); err == nil {
		return path
	}
	if os.Getenv("REMEDIATOR_LIVE") != "1" {
		t.Skip("SKIPPED: the stock cosign command line did not check a bundle; put cosign on PATH, name it in COSIGN, or set REMEDIATOR_LIVE=1 to build it")
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`github\.com/sigstore/cosign/v2 (v\S+)`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("go.mod does not name cosign")
	}
	cmd := exec.Command("./testdata/build-cosign.sh", string(m[1]))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("build cosign: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func TestStockCosignVerifiesTheBundle(t *testing.T) {
	cosign := cosignBinary(t)
	c := newCase(t)
	dir := t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range c.dir {
		if !strings.Contains(name, "/") {
			write(name, f.Data)
		}
	}
	write("cosign.pub", c.key.Public().PEM())
	write("other.pub", newKey(t).Public().PEM())
	write("trusted-root.json", []byte(EmptyTrustedRoot))
	write("empty", nil)
	verify := func(key string, subject ...string) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		args := append([]string{"verify-blob-attestation", "--bundle", BundleFile, "--new-bundle-format", "--key", key,
			"--trusted-root", "trusted-root.json", "--insecure-ignore-tlog", "--type", PredicateType}, subject...)
		cmd := exec.CommandContext(ctx, cosign, args...)
		cmd.Dir = dir
		// No network and nobody's configuration: the claim is that this works offline.
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1"}
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		err := cmd.Run()
		t.Logf("cosign %s: %s", strings.Join(args, " "), bytes.TrimSpace(output.Bytes()))
		return err
	}
	for _, subject := range [][]string{
		{DiffFile}, {"case.json"}, {"pull-request.md"}, {"report.html"},
		{"--digest", c.repo.sha, "--digestAlg", "gitCommit"},
		{"--digest", treeSHA, "--digestAlg", "gitTree"},
	} {
		if err := verify("cosign.pub", subject...); err != nil {
			t.Errorf("cosign refuses %v: %v", subject, err)
		}
	}
	if verify("other.pub", DiffFile) == nil {
		t.Error("cosign accepts another key")
	}
	if verify("cosign.pub", "empty") == nil {
		t.Error("cosign accepts a file that was not signed")
	}
	write(DiffFile, append([]byte(diff), '\n'))
	if verify("cosign.pub", DiffFile) == nil {
		t.Error("cosign accepts a changed diff")
	}
}

// The private key file and the signatures made with the cosign command line work here as well.
func TestStockCosignUsesTheSameKeyFiles(t *testing.T) {
	cosign := cosignBinary(t)
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(cosign, args...)
		cmd.Dir = dir
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "COSIGN_PASSWORD=secret", "HTTPS_PROXY=http://127.0.0.1:1"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cosign %v: %v\n%s", args, err, out)
		}
	}
	run("generate-key-pair")
	key, err := LoadKey(filepath.Join(dir, "cosign.key"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := LoadPublicKey(filepath.Join(dir, "cosign.pub"))
	if err != nil || public.Fingerprint() != key.Public().Fingerprint() {
		t.Errorf("the public key is %v, %v", public, err)
	}
	if err := WriteKeyPair(filepath.Join(dir, "ours.key"), filepath.Join(dir, "ours.pub"), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blob"), []byte("blob"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("sign-blob", "--key", "ours.key", "--tlog-upload=false", "--yes", "--output-signature", "sig", "blob")
	run("verify-blob", "--key", "ours.pub", "--insecure-ignore-tlog", "--signature", "sig", "blob")
}
