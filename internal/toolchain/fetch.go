package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// fetchTimeout bounds one download; a cold module cache over a slow line takes minutes.
const fetchTimeout = 15 * time.Minute

// fetchEnv is what a download needs: places, proxies, registries, certificates, and the agent that holds
// keys of private repositories. Tokens in variables do not get in; what needs one reads it from the
// user's own files (.netrc, .npmrc, settings.xml).
var fetchEnv = []string{
	"HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSH_AUTH_SOCK",
	"GOROOT", "GOPATH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOENV",
	"VIRTUAL_ENV", "PYENV_ROOT", "PIP_INDEX_URL", "NPM_CONFIG_REGISTRY", "npm_config_registry", "JAVA_HOME", "MAVEN_HOME", "NVM_DIR",
}

// Fetch downloads what a build in dir needs, with the network and outside the sandbox. dir must hold the
// base commit: a candidate could name what is downloaded, and from where. Its error says what
// failed and what to do next. An empty command fetches nothing.
func Fetch(ctx context.Context, language, dir string, command []string) error {
	return fetch(ctx, language, dir, command, os.Environ())
}

func fetch(ctx context.Context, language, dir string, command, environ []string) error {
	if len(command) == 0 {
		return nil
	}
	m, err := newMachine(Options{Environ: environ, Executable: "/"})
	if err != nil {
		return err
	}
	program := command[0]
	if !filepath.IsAbs(program) {
		if strings.Contains(program, "/") {
			return fmt.Errorf("fetch command %q is a program of the repository; it would run outside the sandbox, so name an installed one", program)
		}
		if program, err = m.lookPath(program); err != nil {
			return fmt.Errorf("fetch dependencies: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, command[1:]...)
	cmd.Dir = dir
	for _, name := range fetchEnv {
		if value, ok := m.env[name]; ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env,
		"GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly -buildvcs=false", "GIT_TERMINAL_PROMPT=0", "npm_config_ignore_scripts=true", "CI=true")
	// Both are kept from the end: the last lines name the cause.
	said := &lastBytes{max: 4 << 10}
	cmd.Stderr = said
	printed := &lastBytes{max: 4 << 10}
	cmd.Stdout = printed
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(string(said.buf))
		if text == "" {
			text = strings.TrimSpace(string(printed.buf))
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &FetchError{Command: command, Dir: dir, Output: text, Next: nextStep(language, text, err), Err: err}
	}
	return nil
}

// FetchError says why dependencies could not be downloaded.
type FetchError struct {
	Command []string
	Dir     string
	Output  string // the last of what the command said
	Next    string // what to do about it
	Err     error
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("fetch dependencies with `%s`: %v; %s\n%s", strings.Join(e.Command, " "), e.Err, e.Next, e.Output)
}

func (e *FetchError) Unwrap() error { return e.Err }

// nextStep reads the usual causes out of a failure.
func nextStep(language, text string, err error) string {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(strings.ToLower(text), p) })
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long; run it once by hand, after which everything is on disk"
	case errors.Is(err, context.Canceled):
		return "it was interrupted; start again"
	case has("requires go >=", "toolchain not available", "unsupported engine"):
		return "install the newer version that it asks for"
	case has("missing go.sum entry", "updates to go.mod needed", "go.mod file not found"):
		return "the base commit's module files are incomplete; run `go mod tidy` in the repository and commit the result"
	case has("can only install packages when your package.json and package-lock.json", "package-lock.json or npm-shrinkwrap.json"):
		return "the base commit's lock file does not match; run `npm install` in the repository and commit the result"
	case has("terminal prompts disabled", "could not read username", "permission denied (publickey)", "401", "403 forbidden", "authentication failed"):
		return "the source asks for credentials; give them in .netrc, .npmrc, settings.xml or an SSH agent, not in variables"
	case has("no such host", "dial tcp", "connection refused", "network is unreachable", "i/o timeout", "enotfound", "econnrefused", "unknown host", "module lookup disabled"):
		return "the network cannot be reached; check the connection and the proxy variables, or fetch by hand on a connected machine"
	}
	return "run it by hand in the repository to see all it says, or name another command under fetch in the " + language + " service's configuration"
}

// lastBytes keeps the end of what is written.
type lastBytes struct {
	max int
	buf []byte
}

func (b *lastBytes) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	if len(b.buf) > 2*b.max {
		b.buf = bytes.Clone(b.buf[len(b.buf)-b.max:])
	}
	return len(p), nil
}
