package toolchain

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// findGo asks the go command on the PATH where its things are.
func findGo(ctx context.Context, m *machine, dir string, t *Toolchain) error {
	program, err := m.lookPath("go")
	if err != nil {
		return err
	}
	// What a go.mod or go.work says about toolchains must not make the query download one.
	out, err := m.query(ctx, []string{"GOTOOLCHAIN=local", "GOWORK=off"}, program, "env", "-json",
		"GOROOT", "GOMODCACHE", "GOCACHE", "GOVERSION", "CGO_ENABLED", "CC", "CXX")
	if err != nil {
		return err
	}
	var env struct{ GOROOT, GOMODCACHE, GOCACHE, GOVERSION, CGO_ENABLED, CC, CXX string }
	if err := json.Unmarshal([]byte(out), &env); err != nil {
		return fmt.Errorf("answer of go env: %w", err)
	}
	if env.GOROOT == "" || env.GOMODCACHE == "" {
		return fmt.Errorf("go env names no GOROOT or GOMODCACHE; check the installation with `go env`")
	}
	t.Version = env.GOVERSION
	cache := m.private("gocache")
	for _, path := range []string{cache, m.private("gopath"), filepath.Join(t.Env["HOME"], ".config", "go", "telemetry")} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	// The go command knows no variable for this, only the file.
	if err := os.WriteFile(filepath.Join(t.Env["HOME"], ".config", "go", "telemetry", "mode"), []byte("off"), 0o644); err != nil {
		return err
	}
	mod := "-mod=readonly"
	if exists(filepath.Join(dir, "vendor", "modules.txt")) {
		mod = "-mod=vendor"
	}
	set := map[string]string{
		"PATH":        filepath.Join(env.GOROOT, "bin") + ":" + systemPath,
		"GOROOT":      env.GOROOT,
		"GOPATH":      m.private("gopath"),
		"GOMODCACHE":  env.GOMODCACHE,
		"GOCACHE":     cache,
		"GOFLAGS":     mod + " -buildvcs=false",
		"GOPROXY":     "off",
		"GOTOOLCHAIN": "local",
		"GOENV":       "off",
		"GOVCS":       "*:off",
		"CGO_ENABLED": env.CGO_ENABLED,
		"CC":          env.CC,
		"CXX":         env.CXX,
	}
	for name, value := range set {
		t.Env[name] = value
	}
	t.ReadOnly = append(t.ReadOnly, env.GOROOT, env.GOMODCACHE)
	// GOCACHE=off is not possible any more, but another cache program of the user's is, which has no
	// directory to read.
	warm := append([]string{}, m.opts.Warm...)
	if filepath.IsAbs(env.GOCACHE) && exists(env.GOCACHE) {
		warm = append(warm, env.GOCACHE)
	}
	t.Env["GOCACHEPROG"] = cacheCommand(m.self, cache, warm)
	t.ReadOnly = append(t.ReadOnly, warm...)
	t.Fetch = []string{"go", "list", "-test", "-deps", "./..."}
	t.Build = []string{"go", "build", "./..."}
	// A result from the cache would prove nothing about this run.
	t.Test = []string{"go", "test", "-count=1", "./..."}
	if !exists(filepath.Join(dir, "go.mod")) && !exists(filepath.Join(dir, "go.work")) {
		t.Notes = append(t.Notes, "no go.mod in the service's directory: the go command looks for one further up")
	}
	return nil
}

// cacheCommand is the value of GOCACHEPROG: a program and arguments, which the go command splits at
// spaces, with quotes but no escapes inside them.
func cacheCommand(self, own string, warm []string) string {
	words := []string{self, argCache, "--rw", own}
	for _, dir := range warm {
		words = append(words, "--ro", dir)
	}
	for i, word := range words {
		switch {
		case !strings.ContainsAny(word, " \t\n\r'\""):
		case !strings.Contains(word, "'"):
			words[i] = "'" + word + "'"
		default:
			words[i] = `"` + word + `"`
		}
	}
	return strings.Join(words, " ")
}
