package alerthook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxSignatures bounds the signatures of one request. PagerDuty sends one for every active secret.
const maxSignatures = 8

// credentials are what a sender has to show. Whatever is not asked for is checked all the same,
// against a key that nobody has, and then left out of the verdict.
type credentials struct {
	bearer   [sha256.Size]byte // hash of the token, so that lengths do not show
	secret   []byte
	asBearer int // 1 if a bearer token is asked for
	asSigned int // 1 if a signature is asked for

	signature string // name of the header
	timestamp string // name of the header, "" if the body is signed alone
	window    time.Duration
}

// check says whether a request shows the credentials. Its time depends on the size of the body and
// nothing else that a sender does not know. why is for the log.
func (c *credentials) check(header http.Header, body []byte, now time.Time) (ok bool, why string) {
	token := sha256.Sum256([]byte(bearerToken(header)))
	bearer := subtle.ConstantTimeCompare(token[:], c.bearer[:])

	mac := hmac.New(sha256.New, c.secret)
	stamp := ""
	if c.timestamp != "" {
		stamp = header.Get(c.timestamp)
		mac.Write([]byte(stamp))
		mac.Write([]byte{':'})
	}
	mac.Write(body)
	want, signed := mac.Sum(nil), 0
	for _, got := range signatures(header.Values(c.signature)) {
		if hmac.Equal(got, want) {
			signed = 1
		}
	}
	fresh := 1
	if c.timestamp != "" && !within(stamp, now, c.window) {
		fresh = 0
	}
	bearerRight := subtle.ConstantTimeSelect(c.asBearer, bearer, 1)
	signedRight := subtle.ConstantTimeSelect(c.asSigned, signed&fresh, 1)
	switch {
	case bearerRight&signedRight == 1:
		return true, ""
	case bearerRight == 0:
		return false, "the bearer token is missing or wrong"
	case signed == 1:
		return false, "the signed time stamp is too old, or too far ahead: compare the clocks"
	}
	return false, "the signature is missing or does not fit the body"
}

// bearerToken is the token of the Authorization header, "" if there is none.
func bearerToken(h http.Header) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// signatures are the signatures of a request: hex or base64, with a scheme in front ("sha256=", "v1=")
// or without, several with commas between. What is no HMAC-SHA256 is left out.
func signatures(values []string) [][]byte {
	var out [][]byte
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if len(out) == maxSignatures {
				return out
			}
			if sum := decodeSignature(strings.TrimSpace(part)); len(sum) == sha256.Size {
				out = append(out, sum)
			}
		}
	}
	return out
}

func decodeSignature(text string) []byte {
	for _, scheme := range []string{"v1=", "sha256="} {
		text = strings.TrimPrefix(text, scheme)
	}
	if len(text) == hex.EncodedLen(sha256.Size) {
		sum, err := hex.DecodeString(text)
		if err != nil {
			return nil
		}
		return sum
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	if len(text) != base64.RawStdEncoding.EncodedLen(sha256.Size) {
		return nil
	}
	sum, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return sum
}

// within says whether a Unix time in seconds is at most a window away from now, on either side.
func within(stamp string, now time.Time, window time.Duration) bool {
	if len(stamp) > 12 { // keeps the arithmetic below far from overflow
		return false
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return false
	}
	return now.Sub(time.Unix(seconds, 0)).Abs() <= window
}
