package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// archive packs files; a content that begins with "->" is a link.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		h := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}
		if to, link := strings.CutPrefix(content, "->"); link {
			h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, to, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// good are two programs that only say that they were called.
var good = map[string]string{"remediator": "#!/bin/sh\necho remediator v0.0.1\n", "github-action": "#!/bin/sh\n", "extra": "not wanted"}

func archiveName() string {
	return fmt.Sprintf("remediator_v0.0.1_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// releases serves a release and returns its address.
func releases(t *testing.T, files map[string][]byte) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, there := files[strings.TrimPrefix(r.URL.Path, "/v0.0.1/")]
		if !there {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(h.Close)
	return h.URL
}

// install runs the script and returns what it said, the directory it named, and whether it ended well.
func install(t *testing.T, env ...string) (said, bin string, ok bool) {
	t.Helper()
	for _, program := range []string{"bash", "curl", "tar", "awk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: the install script was not run: %v", err)
		}
	}
	temp := t.TempDir()
	output := filepath.Join(temp, "output")
	script, err := filepath.Abs("install")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", script)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + temp, "RUNNER_TEMP=" + temp, "GITHUB_OUTPUT=" + output, "ACTION_PATH=" + temp}, env...)
	out, err := cmd.CombinedOutput()
	text, readErr := os.ReadFile(output)
	if readErr != nil && !errors.Is(readErr, os.ErrNotExist) {
		t.Fatal(readErr)
	}
	return string(out), strings.TrimPrefix(strings.TrimSpace(string(text)), "bin="), err == nil
}

// cosign puts a program of that name on the PATH, which notes how it was called.
func cosign(t *testing.T, code int) (path, calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	script := fmt.Sprintf("#!/bin/sh\nfor a in \"$@\"; do echo \"$a\" >>%s; done\nexit %d\n", calls, code)
	if err := os.WriteFile(filepath.Join(dir, "cosign"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH"), calls
}

func TestInstallsAVerifiedRelease(t *testing.T) {
	packed := archive(t, good)
	url := releases(t, map[string][]byte{
		archiveName(): packed, "checksums.txt": []byte(digest(packed) + "  " + archiveName() + "\n" + strings.Repeat("0", 64) + "  another.tar.gz\n"),
		"checksums.txt.sigstore.json": []byte("{}"),
	})
	path, calls := cosign(t, 0)
	said, bin, ok := install(t, "INPUT_VERSION=v0.0.1", "REMEDIATOR_RELEASES="+url, path)
	if !ok {
		t.Fatal(said)
	}
	left, err := os.ReadDir(bin)
	if err != nil || len(left) != 2 {
		t.Errorf("%s holds %v, %v; want the two programs", bin, left, err)
	}
	args, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"verify-blob", "https://github.com/remediator/remediator/.github/workflows/release.yml@refs/tags/v0.0.1", "https://token.actions.githubusercontent.com"} {
		if !strings.Contains(string(args), want+"\n") {
			t.Errorf("cosign was not asked for %s:\n%s", want, args)
		}
	}
}

// TestForgedReleases are all refused, and leave no directory named.
func TestForgedReleases(t *testing.T) {
	packed := archive(t, good)
	sums := func(data []byte) []byte { return []byte(digest(data) + "  " + archiveName() + "\n") }
	linked := archive(t, map[string]string{"remediator": "->/bin/true", "github-action": "#!/bin/sh\n"})
	short := archive(t, map[string]string{"remediator": "#!/bin/sh\n"})
	works, _ := cosign(t, 0)
	fails, _ := cosign(t, 1)
	for _, tc := range []struct {
		name  string
		files map[string][]byte
		env   []string
		says  string
	}{
		{"archive is another", map[string][]byte{"checksums.txt.sigstore.json": nil, archiveName(): linked, "checksums.txt": sums(packed)}, nil, "is not what the release's checksums say"},
		{"checksums do not list it", map[string][]byte{"checksums.txt.sigstore.json": nil, archiveName(): packed, "checksums.txt": []byte(digest(packed) + "  x" + archiveName() + "\n")}, nil, "do not list"},
		{"signature does not hold", map[string][]byte{archiveName(): packed, "checksums.txt": sums(packed), "checksums.txt.sigstore.json": []byte("{}")}, []string{fails}, "not signed by the project's release workflow"},
		{"no signature", map[string][]byte{archiveName(): packed, "checksums.txt": sums(packed)}, nil, "checksums.txt.sigstore.json cannot be downloaded"},
		{"not the pinned one", map[string][]byte{"checksums.txt.sigstore.json": nil, archiveName(): packed, "checksums.txt": sums(packed)}, []string{"INPUT_SHA256=" + strings.Repeat("a", 64)}, "not the one that the input sha256 pins"},
		{"links in place of programs", map[string][]byte{"checksums.txt.sigstore.json": nil, archiveName(): linked, "checksums.txt": sums(linked)}, nil, "holds links"},
		{"a program is missing", map[string][]byte{"checksums.txt.sigstore.json": nil, archiveName(): short, "checksums.txt": sums(short)}, nil, "does not hold the two programs"},
		{"no such release", nil, nil, "cannot be downloaded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := []string{"INPUT_VERSION=v0.0.1", "REMEDIATOR_RELEASES=" + releases(t, tc.files), works}
			said, bin, ok := install(t, append(env, tc.env...)...)
			if ok || bin != "" || !strings.Contains(said, tc.says) {
				t.Errorf("ok %v, bin %q:\n%s", ok, bin, said)
			}
		})
	}
}

// TestVersionThatIsNone tries to leave the directory and the URL.
func TestVersionThatIsNone(t *testing.T) {
	for _, v := range []string{"../../x", "v1.0.0/../../evil", "v1.0.0; touch /tmp/x", "latest", "v1.0.0\nv1", "$(id)"} {
		if said, bin, ok := install(t, "INPUT_VERSION="+v, "REMEDIATOR_RELEASES=http://127.0.0.1:1"); ok || bin != "" || !strings.Contains(said, "version must be source or a release") {
			t.Errorf("%q: ok %v, bin %q:\n%s", v, ok, bin, said)
		}
	}
}

// TestPlainHTTPIsRefused: only a server on the runner itself may speak it.
func TestPlainHTTPIsRefused(t *testing.T) {
	if said, _, ok := install(t, "INPUT_VERSION=v0.0.1", "REMEDIATOR_RELEASES=http://releases.example"); ok || !strings.Contains(said, "cannot be downloaded") {
		t.Errorf("ok %v:\n%s", ok, said)
	}
}

func TestUnsignedChecksIsSaid(t *testing.T) {
	packed := archive(t, good)
	files := map[string][]byte{archiveName(): packed, "checksums.txt": []byte(digest(packed) + "  " + archiveName() + "\n")}
	if _, err := exec.LookPath("cosign"); err == nil {
		t.Skip("cosign is on the PATH, so signatures are checked")
	}
	said, _, ok := install(t, "INPUT_VERSION=v0.0.1", "REMEDIATOR_RELEASES="+releases(t, files))
	if !ok || !strings.Contains(said, "::warning title=remediator::the signature of v0.0.1 was not checked") {
		t.Errorf("ok %v:\n%s", ok, said)
	}
	said, _, ok = install(t, "INPUT_VERSION=v0.0.1", "INPUT_SHA256="+digest(packed), "REMEDIATOR_RELEASES="+releases(t, files))
	if !ok || strings.Contains(said, "::warning") {
		t.Errorf("pinned: ok %v:\n%s", ok, said)
	}
}

func TestSourceNeedsASource(t *testing.T) {
	if said, _, ok := install(t, "INPUT_VERSION=source"); ok || !strings.Contains(said, "holds no source") {
		t.Errorf("ok %v:\n%s", ok, said)
	}
}
