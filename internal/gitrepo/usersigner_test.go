package gitrepo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The signing tests give git a home of its own.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(dir, ".gitconfig"))
	t.Setenv("GNUPGHOME", filepath.Join(dir, ".gnupg"))
	return dir
}

func TestUserSignerSignsAsGitDoes(t *testing.T) {
	for format, setUp := range map[string]func(t *testing.T, f *fixture, dir string){
		"ssh": func(t *testing.T, f *fixture, dir string) {
			need(t, "ssh-keygen")
			f.shell("ssh-keygen -q -t ed25519 -N '' -f " + dir + "/id")
			f.shell("printf 'remediator@example.org ' | cat - " + dir + "/id.pub > " + dir + "/allowed")
			f.git("config", "gpg.format", "ssh")
			f.git("config", "user.signingKey", "~/id")
			f.git("config", "gpg.ssh.allowedSignersFile", dir+"/allowed")
		},
		"openpgp": func(t *testing.T, f *fixture, dir string) {
			need(t, "gpg")
			if err := os.Mkdir(filepath.Join(dir, ".gnupg"), 0o700); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "remediator@example.org", "ed25519", "sign")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Skipf("SKIPPED: gpg makes no key here: %s", out)
			}
			t.Cleanup(func() { _ = exec.Command("gpgconf", "--kill", "gpg-agent").Run() })
			f.git("config", "user.signingKey", "remediator@example.org")
		},
	} {
		t.Run(format, func(t *testing.T) {
			dir := home(t)
			f := simple(t)
			setUp(t, f, dir)
			r := open(t, f.dir)
			signer, err := r.UserSigner(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			d := draft()
			d.Signer = signer
			made, err := r.Commit(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("git", "verify-commit", made.SHA)
			cmd.Dir = f.dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("git refuses the signature: %v\n%s", err, out)
			}
		})
	}
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED: %s is not installed", program)
	}
}

func TestUserSignerSaysWhatIsMissing(t *testing.T) {
	home(t)
	f := simple(t)
	r := open(t, f.dir)
	expect := func(want string) {
		t.Helper()
		if _, err := r.UserSigner(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
	expect("no signing key configured")
	f.git("config", "user.signingKey", "ssh-ed25519 AAAA")
	f.git("config", "gpg.format", "ssh")
	expect("name the file")
	f.git("config", "gpg.format", "x509")
	expect("not supported")
	f.git("config", "gpg.format", "ssh")
	f.git("config", "user.signingKey", "/no/such/key")
	need(t, "ssh-keygen")
	signer, err := r.UserSigner(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "ssh-keygen") {
		t.Errorf("a missing key file gives %v", err)
	}
}
