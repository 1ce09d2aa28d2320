package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair makes a self-signed certificate with a serial number to tell it by.
func writePair(t *testing.T, dir string, serial int64, written time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, written, written); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestCertificateIsReadAgainWhenItWasRenewed(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1_700_000_000, 0)
	cert, key := writePair(t, dir, 1, now)
	c, err := newCertificate(cert, key, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		pair, err := c.config().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	writePair(t, dir, 2, now.Add(time.Hour))
	now = now.Add(checkEvery)
	if got := serial(); got != 2 {
		t.Errorf("serial %d after the renewal, want 2", got)
	}
	// Half a renewal: the key is of another pair, then gone. The old pair stays in use.
	other := t.TempDir()
	_, wrong := writePair(t, other, 3, now.Add(2*time.Hour))
	text, err := os.ReadFile(wrong)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(checkEvery)
	if got := serial(); got != 2 {
		t.Errorf("serial %d with half a renewal", got)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	now = now.Add(checkEvery)
	if got := serial(); got != 2 {
		t.Errorf("serial %d with a missing key", got)
	}
}

func TestCertificateThatIsNotThere(t *testing.T) {
	if _, err := newCertificate("nothing.crt", "nothing.key", time.Now); err == nil {
		t.Error("a missing certificate is no error")
	}
}
