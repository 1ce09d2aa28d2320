package config

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// maxSecret is more than a key of any kind needs.
const maxSecret = 64 << 10 // bytes

// Secret is what a file named by a *_file key holds. It shows itself to nobody by accident: printed,
// logged or marshalled it is a placeholder.
type Secret struct {
	value []byte
	// Warning, where set, says what is wrong with the file, such as that everybody may read it.
	Warning string
}

// NewSecret makes a secret of a value.
func NewSecret(value []byte) Secret { return Secret{value: bytes.Clone(value)} }

// Bytes is the secret itself, nil when there is none. It must not be changed.
func (s Secret) Bytes() []byte { return s.value }

// Text is the secret itself, "" when there is none.
func (s Secret) Text() string { return string(s.value) }

// String keeps the secret out of messages.
func (s Secret) String() string { return "(secret)" }

// GoString keeps the secret out of messages made with %#v.
func (s Secret) GoString() string { return "(secret)" }

// MarshalText keeps the secret out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// ReadSecret reads the file of a secret and trims the white space around it. An empty path is no
// secret and no error. Links are followed, since orchestrators mount secrets as links.
func ReadSecret(path string) (Secret, error) {
	if path == "" {
		return Secret{}, nil
	}
	// Stat first: opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read a secret: %w; create the file, or correct its name in the configuration", err)
	}
	if !info.Mode().IsRegular() {
		return Secret{}, fmt.Errorf("read a secret: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read a secret: %w; give the service's user the right to read it", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return Secret{}, fmt.Errorf("read a secret: %w", err)
	}
	if len(text) > maxSecret {
		return Secret{}, fmt.Errorf("read a secret: %s is larger than %d KiB; name the file that holds the secret alone", path, maxSecret>>10)
	}
	s := Secret{value: bytes.TrimSpace(text)}
	if len(s.value) == 0 {
		return Secret{}, fmt.Errorf("read a secret: %s is empty; write the secret into it", path)
	}
	if mode := info.Mode().Perm(); mode&0o004 != 0 {
		s.Warning = fmt.Sprintf("%s may be read by every user of this machine (mode %04o); run chmod o-r on it", path, mode)
	}
	return s, nil
}
