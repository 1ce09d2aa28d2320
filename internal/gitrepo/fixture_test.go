package gitrepo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fixture is a repository made by the git program in a temporary directory.
type fixture struct {
	t   *testing.T
	dir string
	now int64 // of the next commit, Unix seconds
}

func newFixture(t *testing.T, args ...string) *fixture {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	f := &fixture{t: t, dir: filepath.Join(t.TempDir(), "repo"), now: 1_700_000_000}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f.git(append([]string{"init", "-q", "-b", "main", "--template="}, args...)...)
	return f
}

// git runs one command in the fixture and returns what it printed.
func (f *fixture) git(args ...string) string {
	f.t.Helper()
	return f.gitIn(f.dir, args...)
}

func (f *fixture) gitIn(dir string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	stamp := "@" + itoa(f.now) + " +0000"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_AUTHOR_DATE=" + stamp,
		"GIT_COMMITTER_NAME=Ann Author", "GIT_COMMITTER_EMAIL=ann@example.org", "GIT_COMMITTER_DATE=" + stamp}
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func itoa(n int64) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

func (f *fixture) write(name, content string) {
	f.t.Helper()
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// commit commits everything, a minute after the one before, and returns its hash.
func (f *fixture) commit(message string) string {
	f.t.Helper()
	f.now += 60
	f.git("add", "-A")
	f.git("commit", "-q", "-m", message, "--allow-empty")
	return f.git("rev-parse", "HEAD")
}

// state is everything of a user's repository that must not change by itself.
func (f *fixture) state() string {
	f.t.Helper()
	var b strings.Builder
	b.WriteString(f.git("status", "--porcelain=v2", "--branch", "--ignored"))
	for _, name := range []string{"HEAD", "index", "config", "FETCH_HEAD", "ORIG_HEAD"} {
		data, _ := os.ReadFile(filepath.Join(f.dir, ".git", name))
		b.WriteString("\n" + name + "\n" + string(data))
	}
	return b.String()
}

func open(t *testing.T, dir string) *Repo {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shell runs a line in the fixture and returns what it printed.
func (f *fixture) shell(line string) string {
	f.t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = f.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return strings.TrimSpace(string(out))
}
