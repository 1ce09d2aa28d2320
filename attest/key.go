package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"

	"github.com/hiddeco/sshsig"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"golang.org/x/crypto/ssh"
)

// Key is a private key: ECDSA on P-256, the kind that cosign makes.
type Key struct {
	private *ecdsa.PrivateKey
	public  *PublicKey
}

// PublicKey checks what a Key signed.
type PublicKey struct {
	key  *ecdsa.PublicKey
	der  []byte // PKIX
	pem  []byte
	ssh  ssh.PublicKey
	hint string
}

// maxKeyFile bounds a key file; real ones are under a kilobyte.
const maxKeyFile = 64 << 10

// GenerateKey makes a key pair as `cosign generate-key-pair` does: the private key
// encrypted with the passphrase (which may be empty) and both in PEM.
func GenerateKey(passphrase []byte) (private, public []byte, err error) {
	pair, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return passphrase, nil })
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	return pair.PrivateBytes, pair.PublicBytes, nil
}

// WriteKeyPair makes a key pair and writes it to two files that must not exist yet, the private
// one readable by its owner alone.
func WriteKeyPair(privatePath, publicPath string, passphrase []byte) error {
	private, public, err := GenerateKey(passphrase)
	if err != nil {
		return err
	}
	if err := writeNew(privatePath, private, 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if err := writeNew(publicPath, public, 0o644); err != nil {
		return fmt.Errorf("write key: %w", errors.Join(err, os.Remove(privatePath)))
	}
	return nil
}

func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path)) // half a key would stand in the way of the next one
	}
	return nil
}

// LoadKey reads a private key that GenerateKey or cosign made.
func LoadKey(path string, passphrase []byte) (*Key, error) {
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("signing key: %w; make one with `cosign generate-key-pair`, or let remediator make one", err)
	}
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	key, err := ParseKey(data, passphrase)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", path, err)
	}
	return key, nil
}

// ParseKey decrypts a private key in cosign's format.
func ParseKey(data, passphrase []byte) (*Key, error) {
	block, _ := pem.Decode(data)
	if block == nil || (block.Type != cosign.SigstorePrivateKeyPemType && block.Type != cosign.CosignPrivateKeyPemType) {
		return nil, errors.New("not a private key of cosign; make one with `cosign generate-key-pair` or convert yours with `cosign import-key-pair`")
	}
	der, err := encrypted.Decrypt(block.Bytes, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w; is the passphrase right?", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("the key is not ECDSA on P-256; make one with `cosign generate-key-pair`")
	}
	public, err := newPublicKey(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Key{private: private, public: public}, nil
}

// LoadPublicKey reads a public key in PEM.
func LoadPublicKey(path string) (*PublicKey, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	key, err := ParsePublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", path, err)
	}
	return key, nil
}

// ParsePublicKey reads a public key in PEM, as `cosign generate-key-pair` writes it.
func ParsePublicKey(data []byte) (*PublicKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("not one public key in PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("not a public key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key is not ECDSA on P-256")
	}
	return newPublicKey(key)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("%s is too large for a key", path)
	}
	return data, err
}

func newPublicKey(key *ecdsa.PublicKey) (*PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	text, err := cryptoutils.MarshalPublicKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	forSSH, err := ssh.NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return &PublicKey{key: key, der: der, pem: text, ssh: forSSH, hint: base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// Public is the other half of the key.
func (k *Key) Public() *PublicKey { return k.public }

// PEM is the public key as cosign reads it.
func (p *PublicKey) PEM() []byte { return bytes.Clone(p.pem) }

// Fingerprint is the base64 SHA-256 of the key in PKIX form; bundles carry it as a hint.
func (p *PublicKey) Fingerprint() string { return p.hint }

// AllowedSigners is a line for the file that git's gpg.ssh.allowedSignersFile names. The identity
// is the committer's address.
func (p *PublicKey) AllowedSigners(identity string) []byte {
	return fmt.Appendf(nil, "%s namespaces=%q %s", identity, gitNamespace, ssh.MarshalAuthorizedKey(p.ssh))
}

// order of P-256, and half of it.
var (
	order     = elliptic.P256().Params().N
	halfOrder = new(big.Int).Rsh(order, 1)
)

// derSignature is an ECDSA signature in ASN.1.
type derSignature struct{ R, S *big.Int }

// signDigest signs a SHA-256 digest deterministically (RFC 6979). Of the two valid signatures
// (r, s) and (r, n-s) it gives the one with the small s, so that nobody without the key can make
// another signature that is valid too.
func (k *Key) signDigest(digest []byte) ([]byte, error) {
	raw, err := k.private.Sign(nil, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var sig derSignature
	if rest, err := asn1.Unmarshal(raw, &sig); err != nil || len(rest) > 0 {
		return nil, errors.New("the signature has an unexpected form")
	}
	if sig.S.Cmp(halfOrder) > 0 {
		sig.S.Sub(order, sig.S)
	}
	return asn1.Marshal(sig)
}

// verifyDigest accepts exactly the signatures that signDigest makes.
func (p *PublicKey) verifyDigest(digest, sig []byte) bool {
	var parsed derSignature
	rest, err := asn1.Unmarshal(sig, &parsed)
	if err != nil || len(rest) > 0 || parsed.S.Cmp(halfOrder) > 0 {
		return false
	}
	return ecdsa.VerifyASN1(p.key, digest, sig)
}

// gitNamespace keeps signatures of commits apart from all others (PROTOCOL.sshsig of OpenSSH).
const gitNamespace = "git"

// SSHSigner signs commits as `git config gpg.format ssh` does.
type SSHSigner struct{ signer ssh.Signer }

// SSHSigner signs commits with this key.
func (k *Key) SSHSigner() (*SSHSigner, error) {
	signer, err := ssh.NewSignerFromSigner(deterministic{k})
	if err != nil {
		return nil, fmt.Errorf("ssh signer: %w", err)
	}
	return &SSHSigner{signer}, nil
}

// Sign returns the armored signature of a commit's bytes.
func (s *SSHSigner) Sign(message io.Reader) ([]byte, error) {
	sig, err := sshsig.Sign(message, s.signer, sshsig.HashSHA512, gitNamespace)
	if err != nil {
		return nil, err
	}
	return sshsig.Armor(sig), nil
}

// deterministic is the key as a crypto.Signer that ignores randomness it is offered.
type deterministic struct{ key *Key }

func (d deterministic) Public() crypto.PublicKey { return &d.key.private.PublicKey }

func (d deterministic) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return d.key.signDigest(digest)
}
