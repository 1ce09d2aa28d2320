package workflow

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/githubtest"
)

// called is one call of the tool.
type called struct{ args, env []string }

func (c called) flag(name string) string {
	if i := slices.Index(c.args, name); i >= 0 && i+1 < len(c.args) {
		return c.args[i+1]
	}
	return ""
}

// bench is a step with a tool that a test plays.
type bench struct {
	vars  map[string]string
	calls []called
	slept int
	log   bytes.Buffer
	play  func(c called, stdout, stderr io.Writer) int
}

func newBench(t *testing.T, event, body string, inputs map[string]string) *bench {
	t.Helper()
	b := &bench{vars: map[string]string{}}
	getenv := environment(t, event, body, nil)
	for _, name := range []string{"GITHUB_EVENT_NAME", "GITHUB_REPOSITORY", "GITHUB_WORKSPACE", "RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_EVENT_PATH"} {
		b.vars[name] = getenv(name)
	}
	b.vars["ACTIONS_RUNTIME_TOKEN"], b.vars["PATH"] = "runner-credential", os.Getenv("PATH")
	for name, v := range inputs {
		b.vars["INPUT_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = v
	}
	return b
}

// run runs the step and returns whether it succeeded, its outputs and its summary.
func (b *bench) run(t *testing.T) (bool, map[string]string, string) {
	t.Helper()
	var environ []string
	for k, v := range b.vars {
		environ = append(environ, k+"="+v)
	}
	ok := Action{
		Getenv: func(name string) string { return b.vars[name] }, Environ: environ, Stdout: &b.log, Temp: t.TempDir(),
		Sleep: func(context.Context, time.Duration) error { b.slept++; return nil },
		Tool: func(_ context.Context, args, env []string, stdout, stderr io.Writer) (int, error) {
			c := called{args, env}
			b.calls = append(b.calls, c)
			return b.play(c, stdout, stderr), nil
		},
	}.Run(t.Context())
	read := func(name string) string {
		data, err := os.ReadFile(b.vars[name])
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	return ok, parseOutputs(t, read("GITHUB_OUTPUT")), read("GITHUB_STEP_SUMMARY")
}

// standIn is a GitHub with acme/shop on it.
func standIn(t *testing.T) (*githubtest.Server, *githubtest.Repository) {
	t.Helper()
	s := githubtest.New(t, githubtest.Options{})
	dir := t.TempDir()
	for name, content := range map[string]string{"README.md": "# Shop\n", ".github/remediator.pub": "-----BEGIN PUBLIC KEY-----\ntrusted\n-----END PUBLIC KEY-----\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.AddRepository("acme/shop", dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Private()
	return s, r
}
