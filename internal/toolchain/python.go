package toolchain

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
)

// pythonQuery asks an interpreter where it and its packages are. What python3 on the PATH really is cannot be told
// from outside: a shim of a version manager, a link, a virtual environment.
const pythonQuery = `
import importlib.util, json, os, platform, site, sys
print(json.dumps({
  "executable": sys.executable, "version": platform.python_version(),
  "prefix": sys.prefix, "base": sys.base_prefix, "path": [p for p in sys.path if p],
  "user_base": site.getuserbase(), "user_site": site.getusersitepackages(), "user_site_used": bool(site.ENABLE_USER_SITE),
  "pytest": importlib.util.find_spec("pytest") is not None,
}))`

type pythonAnswer struct {
	Executable   string   `json:"executable"`
	Version      string   `json:"version"`
	Prefix       string   `json:"prefix"`
	Base         string   `json:"base"`
	Path         []string `json:"path"`
	UserBase     string   `json:"user_base"`
	UserSite     string   `json:"user_site"`
	UserSiteUsed bool     `json:"user_site_used"`
	Pytest       bool     `json:"pytest"`
}

// findPython uses the environment of the user's checkout, else that of python3 on the PATH.
func findPython(ctx context.Context, m *machine, _ string, t *Toolchain) error {
	program, err := m.python()
	if err != nil {
		return err
	}
	// The directory of the query is neutral and PYTHONPATH empty, so that nothing of the repository is imported.
	// -E would do as well, but version managers hand on their choice in variables.
	out, err := m.query(ctx, []string{"PYTHONPATH=", "PYTHONSTARTUP=", "PYTHONDONTWRITEBYTECODE=1"}, program, "-c", pythonQuery)
	if err != nil {
		return err
	}
	var py pythonAnswer
	if err := json.Unmarshal([]byte(out), &py); err != nil {
		return fmt.Errorf("answer of %s: %w", program, err)
	}
	if !filepath.IsAbs(py.Prefix) || !filepath.IsAbs(py.Base) || !filepath.IsAbs(py.Executable) {
		return fmt.Errorf("%s does not say where it is installed; name another one on the PATH", program)
	}
	t.Version = "python " + py.Version
	t.Env["PATH"] = pathWith(filepath.Join(py.Prefix, "bin"), filepath.Join(py.Base, "bin"))
	t.Env["PYTHONPYCACHEPREFIX"] = m.private("pycache")
	t.Env["PYTHONHASHSEED"] = "0" // the order of sets is part of what a test sees
	t.Env["PYTHONUNBUFFERED"] = "1"
	t.Env["PIP_NO_INDEX"] = "1"
	t.Env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
	if py.Prefix != py.Base {
		t.Env["VIRTUAL_ENV"] = py.Prefix
	}
	t.ReadOnly = append(t.ReadOnly, m.installs(py.Prefix, py.Base)...)
	if real, err := filepath.EvalSymlinks(py.Executable); err == nil {
		t.ReadOnly = append(t.ReadOnly, m.installs(filepath.Dir(filepath.Dir(real)))...)
	}
	// Packages elsewhere: an editable install, a directory that a .pth file names.
	for _, dir := range py.Path {
		if filepath.IsAbs(dir) && !within(py.Prefix, dir) && !within(py.Base, dir) && dir != py.UserSite {
			t.ReadOnly = append(t.ReadOnly, m.installs(dir)...)
		}
	}
	if py.UserSiteUsed && exists(py.UserSite) && slices.Contains(py.Path, py.UserSite) {
		t.Env["PYTHONUSERBASE"] = py.UserBase
		t.ReadOnly = append(t.ReadOnly, py.UserSite)
	} else {
		t.Env["PYTHONNOUSERSITE"] = "1"
	}
	t.Build = []string{"python3", "-m", "compileall", "-q", "."}
	if py.Pytest {
		// Without its cache, which it would put into the working copy.
		t.Test = []string{"python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"}
	} else {
		t.Test = []string{"python3", "-m", "unittest", "discover"}
	}
	t.Notes = append(t.Notes, fmt.Sprintf("packages are those of %s; to use others, make .venv in the checkout "+
		"(python3 -m venv .venv && .venv/bin/pip install -r requirements.txt) or put another python3 first on the PATH", py.Prefix))
	return nil
}

func (m *machine) python() (string, error) {
	if m.opts.Checkout != "" {
		for _, name := range []string{".venv", "venv"} {
			path := filepath.Join(m.opts.Checkout, name, "bin", "python3")
			if exists(filepath.Join(m.opts.Checkout, name, "pyvenv.cfg")) && exists(path) {
				return path, nil
			}
		}
	}
	if path, err := m.lookPath("python3"); err == nil {
		return path, nil
	}
	return m.lookPath("python")
}

// pathWith puts directories before the system's, each once.
func pathWith(dirs ...string) string {
	path := ""
	var seen []string
	for _, dir := range dirs {
		if slices.Contains(seen, dir) || within("/usr/bin", dir) || within("/bin", dir) {
			continue
		}
		seen = append(seen, dir)
		path += dir + ":"
	}
	return path + systemPath
}

// installs turns the prefixes of installations into directories to show. The top of the file system is no
// installation: a compiler in /usr/bin or /bin has /usr or / for a prefix, and those are shown as far as
// they should be. Of the home directory and ~/.local, which hold keys and mail, only programs and libraries are shown.
func (m *machine) installs(prefixes ...string) []string {
	var dirs []string
	for _, dir := range prefixes {
		switch dir = filepath.Clean(dir); {
		case !filepath.IsAbs(dir) || dir == "/" || dir == "/usr" || dir == "/home":
		case m.home() != "" && (within(dir, m.home()) || dir == filepath.Join(m.home(), ".local")):
			dirs = append(dirs, filepath.Join(dir, "bin"), filepath.Join(dir, "lib"))
		default:
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
