package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// program runs git without anything that a repository or the user's configuration could make it run: no hooks, no
// credential helpers, no prompts, no submodules, and no transport but the one the repository is at.
type program struct {
	path string
}

func newProgram() (*program, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return nil, errors.New("git is not on PATH; install it (apt-get install git)")
	}
	return &program{path}, nil
}

// setting is one value of git's configuration.
type setting struct{ key, value string }

// run executes one git command in a directory. Settings travel in the environment, which other users of the
// machine cannot read, and neither on the command line nor in a file.
func (p *program) run(ctx context.Context, dir, protocol string, settings []setting, args ...string) (string, error) {
	return p.feed(ctx, dir, protocol, settings, nil, args...)
}

// feed is run with something to read.
func (p *program) feed(ctx context.Context, dir, protocol string, settings []setting, in io.Reader, args ...string) (string, error) {
	env := []string{
		"LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=",
		"GIT_ATTR_NOSYSTEM=1", "GIT_NO_REPLACE_OBJECTS=1", "GIT_ALLOW_PROTOCOL=" + protocol,
		// A transfer below a kilobyte a second for a minute is dead.
		"GIT_HTTP_LOW_SPEED_LIMIT=1000", "GIT_HTTP_LOW_SPEED_TIME=60",
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	settings = append([]setting{
		{"core.hooksPath", os.DevNull}, {"core.fsmonitor", "false"}, {"credential.helper", ""}, {"gc.auto", "0"}, {"maintenance.auto", "false"},
		{"fetch.recurseSubmodules", "false"}, {"submodule.recurse", "false"}, {"http.followRedirects", "false"}, {"transfer.bundleURI", "false"},
	}, settings...)
	env = append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings)))
	for i, s := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s.key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s.value))
	}
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, env, in
	cmd.WaitDelay = 5 * time.Second
	stdout, stderr := &bounded{limit: 1 << 20}, &bounded{limit: 16 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("git %s: %w", args[0], ctx.Err())
		}
		said := stderr.String()
		for _, s := range settings {
			if len(s.value) > 8 { // never repeat a credential, should git ever print it
				said = strings.ReplaceAll(said, s.value, "***")
			}
		}
		return "", fmt.Errorf("git %s: %s: %w", args[0], cutRunes(oneLine(said), 300), err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
