package toolchain

import (
	"context"
	"path/filepath"
	"strings"
)

// findNode uses the node on the PATH. Packages are those in node_modules of the working copy.
func findNode(ctx context.Context, m *machine, dir string, t *Toolchain) error {
	program, err := m.lookPath("node")
	if err != nil {
		return err
	}
	// process.execPath sees through the shims of version managers.
	out, err := m.query(ctx, []string{"NODE_OPTIONS="}, program, "-p", "process.version + '\\n' + process.execPath")
	if err != nil {
		return err
	}
	version, executable, _ := strings.Cut(strings.TrimSpace(out), "\n")
	t.Version = "node " + version
	prefix := filepath.Dir(filepath.Dir(executable))
	t.ReadOnly = append(t.ReadOnly, m.installs(prefix)...)
	t.Env["PATH"] = pathWith(filepath.Dir(executable))
	t.Env["CI"] = "true" // runners that watch for changes run once instead
	t.Env["NO_UPDATE_NOTIFIER"] = "1"
	t.Env["npm_config_cache"] = m.private("npm")
	t.Env["npm_config_offline"] = "true"
	t.Env["npm_config_audit"] = "false"
	t.Env["npm_config_fund"] = "false"
	t.Env["npm_config_update_notifier"] = "false"
	t.Env["COREPACK_ENABLE_NETWORK"] = "0"
	// Scripts of packages are code that nobody has looked at; the ones that compile something run inside, with
	// the build.
	manager := "npm"
	switch {
	case exists(filepath.Join(dir, "pnpm-lock.yaml")):
		manager = "pnpm"
		t.Fetch = []string{"pnpm", "install", "--frozen-lockfile", "--ignore-scripts"}
	case exists(filepath.Join(dir, "yarn.lock")):
		manager = "yarn"
		t.Fetch = []string{"yarn", "install", "--frozen-lockfile", "--ignore-scripts"}
	case exists(filepath.Join(dir, "package-lock.json")), exists(filepath.Join(dir, "npm-shrinkwrap.json")):
		t.Fetch = []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"}
	case exists(filepath.Join(dir, "package.json")):
		t.Notes = append(t.Notes, "no lock file: nothing is fetched, because what would come could differ from what was deployed; commit package-lock.json")
	}
	t.Build = []string{"npm", "run", "build", "--if-present"}
	t.Test = []string{manager, "test"}
	if !exists(filepath.Join(dir, "package.json")) {
		t.Build = nil
		t.Test = []string{"node", "--test"}
	}
	return nil
}
