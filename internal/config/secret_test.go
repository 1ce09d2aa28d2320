package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func secretFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestReadSecretTrimsAndBounds(t *testing.T) {
	s, err := ReadSecret(secretFile(t, "\n hunter2 \r\n", 0o640))
	if err != nil || s.Text() != "hunter2" || string(s.Bytes()) != "hunter2" || s.Warning != "" {
		t.Errorf("%q, warning %q (%v)", s.Text(), s.Warning, err)
	}
	if s, err := ReadSecret(secretFile(t, "hunter2", 0o644)); err != nil || !strings.Contains(s.Warning, "mode 0644") || !strings.Contains(s.Warning, "chmod o-r") {
		t.Errorf("readable by all: %q (%v)", s.Warning, err)
	}
	if s, err := ReadSecret(""); err != nil || s.Bytes() != nil {
		t.Errorf("no file: %v (%v)", s.Bytes(), err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"gone":      {filepath.Join(t.TempDir(), "gone"), "create the file, or correct its name"},
		"directory": {t.TempDir(), "not a regular file"},
		"empty":     {secretFile(t, " \n", 0o600), "is empty; write the secret into it"},
		"large":     {secretFile(t, strings.Repeat("x", maxSecret+1), 0o600), "larger than 64 KiB"},
	} {
		if _, err := ReadSecret(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want in it %q", name, err, c.want)
		}
	}
}

// A pipe under the name of a secret would keep the service waiting for ever.
func TestReadSecretDoesNotWaitForAPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := ReadSecret(name); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("%v", err)
	}
}

// Orchestrators mount secrets as links to files that they replace.
func TestReadSecretFollowsLinks(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(secretFile(t, "hunter2", 0o600), link); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadSecret(link); err != nil || s.Text() != "hunter2" {
		t.Errorf("%q (%v)", s.Text(), err)
	}
}

func TestASecretShowsItselfToNobodyByAccident(t *testing.T) {
	s := NewSecret([]byte("hunter2"))
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "in", struct{ S Secret }{s})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "in", map[string]Secret{"s": s})
	fmt.Fprintf(&out, "%v %+v %#v %s %q %v", s, s, s, s, s, []Secret{s})
	text, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "104 117 110") {
		t.Errorf("shown: %s", out.String())
	}
}
