package attest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	payloadType = "application/vnd.in-toto+json"
	mediaType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// maxBundle bounds a bundle that is read; real ones are under a megabyte.
	maxBundle = 32 << 20
)

// EmptyTrustedRoot is a trusted root without any authority in it: all that the cosign command line
// needs, as the file that --trusted-root names, to verify a bundle by a key. Without one
// it asks the network for sigstore's public root.
const EmptyTrustedRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}` + "\n"

// Sign makes the Sigstore bundle of a statement: a DSSE envelope with one signature and the
// fingerprint of the key. The same statement and key give the same bytes.
func Sign(s Statement, key *Key) ([]byte, error) {
	if key == nil {
		return nil, errors.New("sign: there is no key")
	}
	payload, err := s.encode()
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	digest := sha256.Sum256(dsse.PAE(payloadType, payload))
	sig, err := key.signDigest(digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	envelope, err := json.Marshal(dsse.Envelope{
		PayloadType: payloadType,
		Payload:     base64.StdEncoding.EncodeToString(payload),
		Signatures:  []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}},
	})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	text, err := bundle.MakeNewBundle(key.public.key, nil, payload, envelope, key.public.pem, nil)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	out, err := bundleForm(text)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if len(out) > maxBundle {
		return nil, fmt.Errorf("sign: the evidence is larger than %d MiB; refer to large parts by digest", maxBundle>>20)
	}
	return out, nil
}

// bundleForm is the one encoding of a bundle: canonical JSON and a line break.
func bundleForm(text []byte) ([]byte, error) {
	out, err := canonical(text)
	return append(out, '\n'), err
}

// parseBundle reads a bundle that is byte for byte what Sign writes. The protocol buffer decoder
// refuses unknown fields; writing the bundle again shows everything else that was changed.
func parseBundle(text []byte) (*protobundle.Bundle, error) {
	if len(text) > maxBundle {
		return nil, fmt.Errorf("larger than %d MiB", maxBundle>>20)
	}
	var b protobundle.Bundle
	if err := protojson.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("not a Sigstore bundle: %w", err)
	}
	again, err := protojson.Marshal(&b)
	if err != nil {
		return nil, err
	}
	if again, err = bundleForm(again); err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, errors.New("not in canonical form: bytes were added, dropped or changed after signing")
	}
	material := b.GetVerificationMaterial()
	switch {
	case b.GetMediaType() != mediaType:
		return nil, fmt.Errorf("the media type is %q, not %q", b.GetMediaType(), mediaType)
	case material.GetPublicKey() == nil:
		return nil, errors.New("the bundle is not for a plain key")
	case len(material.GetTlogEntries()) > 0 || material.GetTimestampVerificationData() != nil:
		return nil, errors.New("the bundle has log entries or timestamps, which nobody here checks")
	case b.GetDsseEnvelope() == nil || len(b.GetDsseEnvelope().GetSignatures()) != 1:
		return nil, errors.New("the bundle does not hold an envelope with exactly one signature")
	case b.GetDsseEnvelope().GetSignatures()[0].GetKeyid() != "":
		return nil, errors.New("the signature has a key id that nobody here checks")
	}
	return &b, nil
}
