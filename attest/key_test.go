package attest

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"pgregory.net/rapid"
)

func digestOf(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

func TestKeyFilesAreCosignsOwn(t *testing.T) {
	dir := t.TempDir()
	private, public := filepath.Join(dir, "cosign.key"), filepath.Join(dir, "cosign.pub")
	if err := WriteKeyPair(private, public, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("private key has mode %v, %v", info.Mode(), err)
	}
	key, err := LoadKey(private, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := LoadPublicKey(public)
	if err != nil || pub.Fingerprint() != key.Public().Fingerprint() || !bytes.Equal(pub.PEM(), key.Public().PEM()) {
		t.Errorf("public key is %v, %v", pub, err)
	}
	// cosign's own loader takes the file, and its signatures verify here and the other way round.
	text, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := cosign.LoadPrivateKey(text, []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := key.signDigest(digestOf([]byte("hello")))
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.VerifySignature(bytes.NewReader(ours), strings.NewReader("hello")); err != nil {
		t.Errorf("cosign refuses our signature: %v", err)
	}
	if _, err := LoadKey(private, []byte("wrong")); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("a wrong passphrase gives %v", err)
	}
	if err := WriteKeyPair(private, public, nil); err == nil {
		t.Error("a key was overwritten")
	}
	if err := WriteKeyPair(filepath.Join(dir, "b.key"), public, nil); err == nil {
		t.Error("a public key was overwritten")
	} else if _, err := os.Stat(filepath.Join(dir, "b.key")); err == nil {
		t.Error("half a key pair was left behind")
	}
}

func TestKeysOfOtherKindsAreRefusedWithTheNextStep(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadKey(filepath.Join(dir, "none"), nil); err == nil || !strings.Contains(err.Error(), "generate-key-pair") {
		t.Errorf("a missing key gives %v", err)
	}
	for name, text := range map[string]string{
		"nothing": "", "text": "hello", "large": strings.Repeat("x", maxKeyFile+1),
		"other": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
		"empty": "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(path, nil); err == nil {
			t.Errorf("%s was taken for a private key", name)
		}
		if _, err := LoadPublicKey(path); err == nil {
			t.Errorf("%s was taken for a public key", name)
		}
	}
	ed25519 := "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	if _, err := ParsePublicKey([]byte(ed25519)); err == nil || !strings.Contains(err.Error(), "not ECDSA on P-256") {
		t.Errorf("an Ed25519 key gives %v", err)
	}
	two := append(newKey(t).Public().PEM(), newKey(t).Public().PEM()...)
	if _, err := ParsePublicKey(two); err == nil {
		t.Error("two keys were taken for one")
	}
}

func TestSignaturesAreDeterministicAndUnique(t *testing.T) {
	key := newKey(t)
	other := newKey(t).Public()
	rapid.Check(t, func(t *rapid.T) {
		digest := digestOf(rapid.SliceOf(rapid.Byte()).Draw(t, "message"))
		first, err := key.signDigest(digest)
		if err != nil {
			t.Fatal(err)
		}
		second, err := key.signDigest(digest)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("two signatures differ (%v)", err)
		}
		if !key.public.verifyDigest(digest, first) || other.verifyDigest(digest, first) {
			t.Fatal("the signature is not this key's alone")
		}
		i := rapid.IntRange(0, len(first)-1).Draw(t, "offset")
		changed := bytes.Clone(first)
		changed[i] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
		if key.public.verifyDigest(digest, changed) || key.public.verifyDigest(digest, append(first, 0)) {
			t.Fatal("a changed signature is accepted")
		}
	})
}

func TestSSHSignatureIsAcceptedByOpenSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	key := newKey(t)
	signer, err := key.SSHSigner()
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signer.Sign(strings.NewReader("a commit"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := signer.Sign(strings.NewReader("a commit"))
	if err != nil || !bytes.Equal(sig, again) {
		t.Errorf("the second signature differs (%v)", err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"sig": sig, "allowed": key.Public().AllowedSigners("bot@example.org")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(identity, message string) error {
		cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", identity, "-n", "git", "-s", "sig")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(message)
		return cmd.Run()
	}
	if err := verify("bot@example.org", "a commit"); err != nil {
		t.Errorf("ssh-keygen refuses the signature: %v", err)
	}
	if verify("bot@example.org", "another") == nil || verify("eve@example.org", "a commit") == nil {
		t.Error("ssh-keygen accepts anything")
	}
}
