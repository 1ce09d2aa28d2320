package gitrepo

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

// maxOutput bounds what is kept of one git command's output.
const maxOutput = 256 << 20

// program runs git so that nothing in a repository or in the user's configuration runs code or
// changes a result: no hooks, no file system monitor, no pager, no prompt, no variables
// of an enclosing git process. Only safe.directory is taken over from the user, because without
// it repositories that the user declared safe could not be read.
type program struct {
	path string
	safe []string
}

// ErrNoGit means that the git program is missing.
var ErrNoGit = errors.New("git is not on PATH; install it (apt-get install git)")

// newProgram finds git. An empty path means the one on PATH.
func newProgram(ctx context.Context, path string) (*program, error) {
	if path == "" {
		found, err := exec.LookPath("git")
		if err != nil {
			return nil, ErrNoGit
		}
		path = found
	}
	p := &program{path: path}
	cmd := exec.CommandContext(ctx, path, "config", "--get-all", "safe.directory")
	cmd.Dir = os.TempDir()
	cmd.Env = userEnvironment()
	if out, err := cmd.Output(); err == nil {
		p.safe = strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	}
	return p, nil
}

// userEnvironment is the tool's own environment without what an enclosing git process set.
func userEnvironment() []string {
	env := os.Environ()[:0:0]
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "GIT_") && !strings.HasPrefix(v, "GIT_CONFIG_GLOBAL=") && !strings.HasPrefix(v, "GIT_CONFIG_SYSTEM=") {
			continue
		}
		env = append(env, v)
	}
	return env
}

// environment is the whole environment of a git command.
func (p *program) environment() []string {
	env := []string{
		"LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_OPTIONAL_LOCKS=0", "GIT_PAGER=cat", "GIT_NO_REPLACE_OBJECTS=1", "GIT_ATTR_NOSYSTEM=1",
		"GIT_ALLOW_PROTOCOL=file", "GIT_LITERAL_PATHSPECS=1",
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "SystemRoot"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// run executes one git command in dir and returns its standard output.
func (p *program) run(ctx context.Context, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	full := []string{"-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false", "-c", "core.quotePath=false",
		"-c", "i18n.logOutputEncoding=UTF-8", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.alternateRefsCommand=true"}
	for _, dir := range p.safe {
		full = append(full, "-c", "safe.directory="+dir)
	}
	cmd := exec.CommandContext(ctx, p.path, append(full, args...)...)
	cmd.Dir = dir
	cmd.Env = p.environment()
	cmd.Stdin = stdin
	cmd.WaitDelay = 5 * time.Second // a grandchild that keeps the pipe open must not hold us
	stdout, stderr := &prefix{limit: maxOutput}, &prefix{limit: 64 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("git %s: %w", args[0], ctx.Err())
		}
		return nil, &gitError{args[0], strings.TrimSpace(strings.ToValidUTF8(stderr.buf.String(), "?")), err}
	}
	if stdout.dropped {
		return nil, fmt.Errorf("git %s printed more than %d MiB", args[0], maxOutput>>20)
	}
	return stdout.buf.Bytes(), nil
}

// text is run for commands that print one line.
func (p *program) text(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := p.run(ctx, dir, nil, args...)
	return strings.TrimSpace(string(out)), err
}

// gitError is a git command that failed, in git's words.
type gitError struct {
	command string
	message string
	err     error
}

func (e *gitError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("git %s: %v", e.command, e.err)
	}
	return fmt.Sprintf("git %s: %s", e.command, e.message)
}

func (e *gitError) Unwrap() error { return e.err }

// exited says whether git ended with the code.
func exited(err error, code int) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == code
}

// prefix is a writer that keeps a bounded prefix.
type prefix struct {
	buf     bytes.Buffer
	limit   int
	dropped bool
}

func (t *prefix) Write(b []byte) (int, error) {
	if room := t.limit - t.buf.Len(); room < len(b) {
		t.dropped = true
		t.buf.Write(b[:max(room, 0)])
		return len(b), nil
	}
	t.buf.Write(b)
	return len(b), nil
}
