// Package secrets finds credentials in text by the rules of gitleaks, for redaction. It must
// not keep or log what it finds.
package secrets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"
)

// Finder finds secrets; it implements replay.Finder. The rules are compiled at the first use, since most
// commands need none.
type Finder struct {
	once     sync.Once
	mu       sync.Mutex // a gitleaks detector collects findings in itself
	detector *detect.Detector
	err      error
}

func (f *Finder) load() error {
	f.once.Do(func() { f.detector, f.err = detect.NewDetectorDefaultConfig() })
	return f.err
}

// Check says whether the rules can be used. Call it before Find, which has no way to fail.
func (f *Finder) Check() error {
	if err := f.load(); err != nil {
		return fmt.Errorf("compiling the rules of gitleaks: %w", err)
	}
	return nil
}

// Find returns the secrets in the text, longest first, so that one within another does
// not leave the rest of it behind.
func (f *Finder) Find(text string) []string {
	if f.load() != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, x := range f.detector.DetectString(text) {
		if x.Secret != "" && !slices.Contains(out, x.Secret) {
			out = append(out, x.Secret)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}

// Digest identifies the rules.
func (f *Finder) Digest() string {
	sum := sha256.Sum256([]byte(config.DefaultConfig))
	return "gitleaks:" + hex.EncodeToString(sum[:])
}
