package workflow

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// clone is a git repository that the step fetches into.
type clone struct {
	dir  string
	url  string // of the repository at GitHub
	auth []string
}

// remote is the repository at GitHub, for a directory with or without a repository in it.
func (s *step) remote(dir string) clone {
	server := strings.TrimSuffix(s.Getenv("GITHUB_SERVER_URL"), "/")
	if server == "" {
		server = "https://github.com"
	}
	c := clone{dir: dir, url: server + "/" + s.event.Repository + ".git"}
	if token := s.input("token"); token != "" {
		// In the environment, not on a command line that other processes can read.
		basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
		s.log.Mask(basic)
		c.auth = []string{
			"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=http." + server + "/.extraheader", "GIT_CONFIG_VALUE_0=",
			"GIT_CONFIG_KEY_1=http." + server + "/.extraheader", "GIT_CONFIG_VALUE_1=AUTHORIZATION: basic " + basic,
		}
	}
	return c
}

// git runs git without the user's configuration, hooks and prompts.
func (c clone) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", c.dir, "-c", "core.hooksPath=" + os.DevNull, "-c", "protocol.ext.allow=never", "-c", "safe.directory=*"}, args...)...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"HTTPS_PROXY=" + os.Getenv("HTTPS_PROXY"), "HTTP_PROXY=" + os.Getenv("HTTP_PROXY"), "NO_PROXY=" + os.Getenv("NO_PROXY"),
	}, c.auth...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(problem.String())
		if len(text) > 1000 {
			text = text[:1000]
		}
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, text)
	}
	return out.Bytes(), nil
}

// fetch brings commits and refs in.
func (c clone) fetch(ctx context.Context, depth int, what ...string) error {
	_, err := c.git(ctx, append([]string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", fmt.Sprintf("--depth=%d", depth), c.url}, what...)...)
	return err
}

const (
	maxFiles = 2000
	maxBytes = 128 << 20
)

// export writes the files of a commit into a directory. The commit is from outside: only plain files are written, below
// the directory, and not too many.
func (c clone) export(ctx context.Context, commit, dir string) error {
	list, err := c.git(ctx, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
	if err != nil {
		return err
	}
	total := int64(0)
	for n, line := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		meta, name, _ := strings.Cut(line, "\t")
		var mode, kind, sha string
		var size int64
		if _, err := fmt.Sscan(meta, &mode, &kind, &sha, &size); err != nil || kind != "blob" || mode != "100644" && mode != "100755" {
			return fmt.Errorf("the evidence holds %s, which is no plain file", quoted(name))
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name {
			return fmt.Errorf("the evidence holds a file with the path %s", quoted(name))
		}
		if total += size; n >= maxFiles || total > maxBytes {
			return fmt.Errorf("the evidence is more than %d files or %d MiB", maxFiles, maxBytes>>20)
		}
		data, err := c.git(ctx, "cat-file", "blob", sha)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}
