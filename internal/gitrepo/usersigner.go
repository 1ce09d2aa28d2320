package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// UserSigner signs with the key that the user's git is configured with, by the programs that git
// itself would run. Unlike everything else here it runs what the configuration names, which is
// why it is used only when a person asked for it.
type UserSigner struct {
	ctx     context.Context
	program string
	args    []string
	format  string
}

// UserSigner reads gpg.format, user.signingKey and the program from the user's configuration as it
// applies in this repository.
func (r *Repo) UserSigner(ctx context.Context) (*UserSigner, error) {
	get := func(key, otherwise string) string {
		cmd := exec.CommandContext(ctx, r.git.path, "config", "--get", key)
		cmd.Dir, cmd.Env = r.path, userEnvironment()
		out, err := cmd.Output()
		if value := strings.TrimSpace(string(out)); err == nil && value != "" {
			return value
		}
		return otherwise
	}
	signingKey := get("user.signingKey", "")
	if signingKey == "" {
		return nil, errors.New("git has no signing key configured; set one (git config --global user.signingKey) or sign with remediator's own")
	}
	s := &UserSigner{ctx: ctx, format: get("gpg.format", "openpgp")}
	switch s.format {
	case "openpgp":
		s.program, s.args = get("gpg.openpgp.program", get("gpg.program", "gpg")), []string{"-bsau", signingKey}
	case "ssh":
		if strings.HasPrefix(signingKey, "ssh-") || strings.HasPrefix(signingKey, "key::") {
			return nil, errors.New("user.signingKey holds a key instead of a file; name the file of the key")
		}
		if rest, ok := strings.CutPrefix(signingKey, "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, err
			}
			signingKey = filepath.Join(home, rest)
		}
		s.program, s.args = get("gpg.ssh.program", "ssh-keygen"), []string{"-Y", "sign", "-n", "git", "-f", signingKey}
	default:
		return nil, fmt.Errorf("git signs with %q, which is not supported; set gpg.format to openpgp or ssh", s.format)
	}
	return s, nil
}

// Sign runs the program on the commit's bytes. Both kinds read them from standard input and write
// the armored signature to standard output.
func (s *UserSigner) Sign(message io.Reader) ([]byte, error) {
	cmd := exec.CommandContext(s.ctx, s.program, s.args...)
	cmd.Stdin, cmd.Env = message, userEnvironment()
	stdout, stderr := &prefix{limit: 1 << 20}, &prefix{limit: 64 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(s.program), err, strings.TrimSpace(strings.ToValidUTF8(stderr.buf.String(), "?")))
	}
	out := stdout.buf.Bytes()
	if !bytes.HasPrefix(out, []byte("-----BEGIN ")) {
		return nil, fmt.Errorf("%s printed no signature", filepath.Base(s.program))
	}
	return out, nil
}
