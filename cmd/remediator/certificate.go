package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a TLS certificate that is read again when its files change, so that whatever
// renews it has nobody to tell.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   [2]time.Time // of the files as read
	checked time.Time
}

// checkEvery bounds how often the files are looked at.
const checkEvery = 10 * time.Second

func newCertificate(certFile, keyFile string, now func() time.Time) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now}
	if _, err := c.get(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get() }}
}

// get returns the certificate. A renewal that is only half written leaves the old one in use.
func (c *certificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && c.now().Sub(c.checked) < checkEvery {
		return c.pair, nil
	}
	c.checked = c.now()
	var stamp [2]time.Time
	var errs error
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		stamp[i] = info.ModTime()
	}
	if errs == nil && (c.pair == nil || stamp != c.stamp) {
		pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
		if err == nil {
			c.pair, c.stamp = &pair, stamp
		}
		errs = err
	}
	if c.pair == nil {
		return nil, fmt.Errorf("tls: %w", errs)
	}
	return c.pair, nil
}
