package attest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// BundleFile is the name under which a case keeps its evidence.
const BundleFile = "evidence.sigstore.json"

// Check is what there is to verify.
type Check struct {
	Bundle []byte
	Key    *PublicKey // whom to trust
	// Dir holds the case's files, the bundle under BundleFile among them.
	Dir fs.FS
	// Ignore are names at the top of Dir that are nobody's claim.
	Ignore []string
	// Commits reads the repository that the commit was proposed in; without it nothing about the
	// commit is proved.
	Commits CommitReader
	// Expect, where not empty, is the commit the statement has to be about, such as the
	// branch's.
	Expect string
}

// Verify checks a bundle claim by claim, in an order in which every claim rests on those before
// it. Nothing is taken from a statement whose signature is not proved: the list ends there.
func Verify(c Check) []Claim {
	v := &verification{check: c}
	b, err := parseBundle(c.Bundle)
	if !v.claim("bundle", err, "the file is byte for byte what signing writes") {
		return v.claims
	}
	if c.Key == nil {
		err = errors.New("no public key was given; name the one you trust")
	} else if hint := b.GetVerificationMaterial().GetPublicKey().GetHint(); hint != c.Key.Fingerprint() {
		err = fmt.Errorf("the bundle names key %s, the given key is %s", hint, c.Key.Fingerprint())
	}
	if !v.claim("key", err, "the bundle names the given key by its fingerprint") {
		return v.claims
	}
	envelope := b.GetDsseEnvelope()
	digest := sha256.Sum256(dsse.PAE(envelope.GetPayloadType(), envelope.GetPayload()))
	if envelope.GetPayloadType() != payloadType {
		err = fmt.Errorf("the payload's type is %q, not %q", envelope.GetPayloadType(), payloadType)
	} else if !c.Key.verifyDigest(digest[:], envelope.GetSignatures()[0].GetSig()) {
		err = errors.New("the signature is not the given key's over this statement")
	}
	if !v.claim("signature", err, "ECDSA P-256 over the statement, by the given key") {
		return v.claims
	}
	s, err := decodeStatement(envelope.GetPayload())
	if err == nil && c.Expect != "" && s.Subject.Commit != c.Expect {
		err = fmt.Errorf("the statement is about commit %q, not %s; it belongs to another proposal", s.Subject.Commit, c.Expect)
	}
	if !v.claim("statement", err, "an in-toto statement about "+about(s)) {
		return v.claims
	}
	v.files(s)
	v.commit(s)
	return v.claims
}

func about(s Statement) string {
	if s.Subject.Commit == "" {
		return fmt.Sprintf("%d files", len(s.Artifacts))
	}
	return fmt.Sprintf("commit %s and %d files", s.Subject.Commit, len(s.Artifacts))
}

// Proved says whether there are claims and all of them hold.
func Proved(claims []Claim) bool {
	return len(claims) > 0 && !slices.ContainsFunc(claims, func(c Claim) bool { return !c.Proved })
}

// Open reads the statement of a bundle whose signature is good, without a look at files and commit.
func Open(bundle []byte, key *PublicKey) (Statement, error) {
	v := Verify(Check{Bundle: bundle, Key: key})
	for _, c := range v {
		if c.Name == "statement" && c.Proved {
			b, err := parseBundle(bundle)
			if err != nil {
				return Statement{}, err
			}
			return decodeStatement(b.GetDsseEnvelope().GetPayload())
		}
		if !c.Proved {
			return Statement{}, fmt.Errorf("evidence: %s: %s", c.Name, c.Why)
		}
	}
	return Statement{}, errors.New("evidence: nothing was checked")
}

// maxBroken bounds how many changed files in directories get a claim each.
const maxBroken = 20

// verification is one run of Verify.
type verification struct {
	check  Check
	claims []Claim
}

// claim records one claim; why says what holds when err is nil.
func (v *verification) claim(name string, err error, why string) bool {
	if err != nil {
		why = strings.ToValidUTF8(err.Error(), "\ufffd")
	}
	v.claims = append(v.claims, Claim{Name: name, Proved: err == nil, Why: why})
	return err == nil
}

// files compares every named file with its digest, and looks for files that are not named.
func (v *verification) files(s Statement) {
	if v.check.Dir == nil {
		v.claim("files", errors.New("no directory was given, so no file was compared"), "")
		return
	}
	named := map[string]bool{BundleFile: true}
	intact, broken := 0, 0
	for _, a := range s.Artifacts {
		named[a.Name] = true
		err := compare(v.check.Dir, a)
		nested := strings.Contains(a.Name, "/")
		switch {
		case nested && err == nil:
			intact++
		case nested && broken == maxBroken:
			// Enough of them are named.
		default:
			if nested {
				broken++
			}
			v.claim(a.Name, err, "SHA-256 "+a.SHA256+" as signed")
		}
	}
	if intact > 0 {
		v.claim("directories", nil, fmt.Sprintf("%d files in directories have their SHA-256 as signed", intact))
	}
	v.claim("files", v.unexpected(named), "the directory holds the signed files and no others")
	// The bundle that was checked must be the one that lies there.
	f, err := readFile(v.check.Dir, BundleFile, maxBundle)
	if err == nil && string(f) != string(v.check.Bundle) {
		err = errors.New("differs from the bundle that was checked")
	}
	v.claim(BundleFile, err, "is the bundle that was checked")
}

// compare reads one file through the digest.
func compare(dir fs.FS, a Artifact) error {
	f, err := openRegular(dir, a.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != a.SHA256 {
		return fmt.Errorf("SHA-256 is %s, signed was %s: the file was changed", sum, a.SHA256)
	}
	return nil
}

// openRegular opens a file, but no link, device or pipe.
func openRegular(dir fs.FS, name string) (fs.File, error) {
	info, err := lstat(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the file is missing")
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	return dir.Open(name)
}

// lstat finds an entry by its directory's listing, which does not follow links.
func lstat(dir fs.FS, name string) (fs.FileInfo, error) {
	if l, ok := dir.(fs.ReadLinkFS); ok {
		return l.Lstat(name)
	}
	entries, err := fs.ReadDir(dir, path.Dir(name))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() == path.Base(name) {
			return e.Info()
		}
	}
	return nil, fs.ErrNotExist
}

func readFile(dir fs.FS, name string, limit int64) ([]byte, error) {
	f, err := openRegular(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("is larger than %d MiB", limit>>20)
	}
	return data, err
}

// unexpected names what lies in the directory and was not signed.
func (v *verification) unexpected(named map[string]bool) error {
	var extra []string
	seen := 0
	err := fs.WalkDir(v.check.Dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > 4*maxArtifacts {
			return errors.New("too many files")
		}
		if name != "." && slices.Contains(v.check.Ignore, name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.IsDir() && !named[name] && len(extra) < 10 {
			extra = append(extra, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(extra) > 0 {
		return fmt.Errorf("not signed: %s", strings.Join(extra, ", "))
	}
	return nil
}
