package githubtest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/remediator/remediator/internal/githubtest"
)

// TestAppTokens holds the App's own tokens to GitHub's rules.
func TestAppTokens(t *testing.T) {
	now := time.Now()
	s, _ := start(t, githubtest.Options{Now: func() time.Time { return now }})
	block, _ := pem.Decode(s.AppKeyPEM())
	right, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	id := strconv.FormatInt(s.AppID(), 10)
	for _, tc := range []struct {
		name           string
		key            any
		method         jwt.SigningMethod
		issuer         string
		issued, expire time.Duration
		code           int
	}{
		{"good", right, jwt.SigningMethodRS256, id, -time.Minute, 9 * time.Minute, 200},
		{"another key", wrong, jwt.SigningMethodRS256, id, -time.Minute, 9 * time.Minute, 401},
		{"another algorithm", right, jwt.SigningMethodRS512, id, -time.Minute, 9 * time.Minute, 401},
		{"the public key as a shared secret", x509.MarshalPKCS1PublicKey(&right.PublicKey), jwt.SigningMethodHS256, id, -time.Minute, 9 * time.Minute, 401},
		{"no signature", jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, id, -time.Minute, 9 * time.Minute, 401},
		{"another app", right, jwt.SigningMethodRS256, "1", -time.Minute, 9 * time.Minute, 401},
		{"expired", right, jwt.SigningMethodRS256, id, -10 * time.Minute, -time.Second, 401},
		{"too long", right, jwt.SigningMethodRS256, id, -time.Minute, 11 * time.Minute, 401},
		{"issued in the future", right, jwt.SigningMethodRS256, id, time.Minute, 9 * time.Minute, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token, err := jwt.NewWithClaims(tc.method, jwt.RegisteredClaims{
				Issuer: tc.issuer, IssuedAt: jwt.NewNumericDate(now.Add(tc.issued)), ExpiresAt: jwt.NewNumericDate(now.Add(tc.expire)),
			}).SignedString(tc.key)
			if err != nil {
				t.Fatal(err)
			}
			err = do(t, with(t, s, nil).WithAuthToken(token), "GET", "app", nil)
			if got := status(err); got != tc.code && !(err == nil && tc.code == http.StatusOK) {
				t.Errorf("got %v, want %d", err, tc.code)
			}
		})
	}
}

func TestActionsTokenIsBoundToItsRepository(t *testing.T) {
	s, _ := start(t, githubtest.Options{})
	if _, err := s.AddRepository("acme/other", files(t)); err != nil {
		t.Fatal(err)
	}
	token := s.ActionsToken(shop, map[string]string{"contents": "read"})
	c := with(t, s, nil).WithAuthToken(token)
	if err := do(t, c, "GET", "repos/acme/shop/commits/main", nil); err != nil {
		t.Error(err)
	}
	if err := do(t, c, "GET", "repos/acme/other", nil); status(err) != 404 {
		t.Errorf("another repository: %v", err)
	}
	if err := do(t, c, "POST", "repos/acme/shop/git/blobs", object{"content": "x"}); status(err) != 403 {
		t.Errorf("writing with contents: read: %v", err)
	}
}
