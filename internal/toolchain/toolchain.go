package toolchain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Toolchain is what a sandbox needs for one language. Its fields go into a sandbox.Spec.
type Toolchain struct {
	Language string
	Version  string            // as the tool itself names it
	Env      map[string]string // whole environment; a service's own variables come on top
	ReadOnly []string          // directories to show, sorted
	Scratch  []string          // directories to make writable; they exist
	// Fetch, Build and Test are used where the configuration names no command. Fetch is
	// empty where there is nothing to download safely; Notes then says what to do by hand.
	Fetch, Build, Test []string
	Notes              []string
}

// Options says what is known beforehand.
type Options struct {
	// Scratch is a private directory of the case, and better of one build of it: what candidate code
	// leaves in a cache must not reach the build it is compared with.
	Scratch string
	// Warm are caches of the same kind as the private one that may be read as well, such as
	// that of the base build.
	Warm []string
	// Checkout is the user's own checkout of the repository, "" if there is none. Only
	// a virtual environment is looked for there.
	Checkout string
	// Executable is the binary that calls Init, os.Executable when empty.
	Executable string
	// Environ is the environment of the tool, os.Environ() when nil. It serves to find
	// programs and caches; nothing of it is passed on.
	Environ []string
}

// The languages, as the configuration names them.
const (
	Go         = "go"
	Python     = "python"
	JavaScript = "javascript"
	TypeScript = "typescript"
	Java       = "java"
)

// For finds the toolchain of a language for the working copy in dir.
func For(ctx context.Context, language, dir string, opts Options) (Toolchain, error) {
	find, known := finders[strings.ToLower(language)]
	if !known {
		return Toolchain{}, fmt.Errorf("language %q is not supported; supported are %s", language, strings.Join(slices.Sorted(maps.Keys(finders)), ", "))
	}
	if !filepath.IsAbs(opts.Scratch) {
		return Toolchain{}, fmt.Errorf("scratch directory %q: not an absolute path", opts.Scratch)
	}
	m, err := newMachine(opts)
	if err != nil {
		return Toolchain{}, err
	}
	t := Toolchain{Language: strings.ToLower(language), Env: map[string]string{
		"HOME": m.private("home"), "PATH": systemPath, "LANG": "C.UTF-8", "TZ": "UTC", "TMPDIR": "/tmp", "USER": "sandbox",
	}}
	if err := os.MkdirAll(t.Env["HOME"], 0o755); err != nil {
		return Toolchain{}, err
	}
	if err := find(ctx, m, dir, &t); err != nil {
		return Toolchain{}, fmt.Errorf("%s toolchain: %w", t.Language, err)
	}
	t.Scratch = append(t.Scratch, opts.Scratch)
	t.ReadOnly = shown(t.ReadOnly)
	return t, nil
}

// finders fill in a Toolchain that has the private home already.
var finders = map[string]func(context.Context, *machine, string, *Toolchain) error{
	Go: findGo, Python: findPython, JavaScript: findNode, TypeScript: findNode, Java: findJava,
}

// systemPath is where programs lie that every sandbox shows.
const systemPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

// machine is the computer that the tool runs on, seen from outside the sandbox.
type machine struct {
	opts Options
	env  map[string]string
	self string
}

func newMachine(opts Options) (*machine, error) {
	m := &machine{opts: opts, env: map[string]string{}, self: opts.Executable}
	environ := opts.Environ
	if environ == nil {
		environ = os.Environ()
	}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			m.env[name] = value
		}
	}
	if m.self == "" {
		var err error
		if m.self, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the program itself, which serves the build cache: %w", err)
		}
	}
	return m, nil
}

// private is a place below the scratch directory.
func (m *machine) private(elem ...string) string {
	return filepath.Join(append([]string{m.opts.Scratch}, elem...)...)
}

// home is the user's, "" if there is none.
func (m *machine) home() string { return m.env["HOME"] }

// lookPath finds a program by the tool's PATH.
func (m *machine) lookPath(name string) (string, error) {
	for _, dir := range filepath.SplitList(m.env["PATH"]) {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			continue // a program of the current directory may be anyone's
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not on the PATH; install it", name)
}

// queryTimeout is for asking a compiler or interpreter where its things are.
const queryTimeout = 30 * time.Second

// query runs an installed program in a directory that holds nothing of the repository, so that no file
// of it is read as configuration.
func (m *machine) query(ctx context.Context, extra []string, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	for _, name := range slices.Sorted(maps.Keys(m.env)) {
		cmd.Env = append(cmd.Env, name+"="+m.env[name])
	}
	cmd.Env = append(cmd.Env, extra...) // of two for one name the later counts
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(argv[:min(len(argv), 2)], " "), err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("%s: %w", argv[0], err)
	}
	return string(out), nil
}

// shown cleans a list of directories: those that every sandbox shows anyway, those that lie below another of
// the list, and those that do not exist are left out.
func shown(dirs []string) []string {
	slices.Sort(dirs)
	var kept []string
	for _, dir := range slices.Compact(dirs) {
		if dir == "" || within("/usr", dir) {
			continue
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		if len(kept) > 0 && within(kept[len(kept)-1], dir) {
			continue
		}
		kept = append(kept, dir)
	}
	return kept
}

func within(outer, path string) bool {
	rel, err := filepath.Rel(outer, path)
	return err == nil && filepath.IsLocal(rel)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
