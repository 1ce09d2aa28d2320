package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program writes an executable shell script.
func program(t *testing.T, dir, name, script string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, language, dir string, opts Options) Toolchain {
	t.Helper()
	if opts.Scratch == "" {
		opts.Scratch = t.TempDir()
	}
	tc, err := For(context.Background(), language, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return tc
}

func TestUnknownLanguageNamesTheKnown(t *testing.T) {
	_, err := For(context.Background(), "cobol", t.TempDir(), Options{Scratch: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "go, java, javascript, python, typescript") {
		t.Errorf("got %v", err)
	}
}

func TestMissingProgramIsNamed(t *testing.T) {
	for language, name := range map[string]string{Go: "go", Python: "python", JavaScript: "node", Java: "java"} {
		_, err := For(context.Background(), language, t.TempDir(), Options{Scratch: t.TempDir(), Environ: []string{"PATH=" + t.TempDir()}})
		if err == nil || !strings.Contains(err.Error(), name+" is not on the PATH; install it") {
			t.Errorf("%s: %v", language, err)
		}
	}
}

func TestNothingOfTheToolsEnvironmentIsPassedOn(t *testing.T) {
	t.Setenv("GITHUB_TOKEN", "canary")
	t.Setenv("GOFLAGS", "-tags=canary")
	t.Setenv("GOPRIVATE", "canary")
	for language := range finders {
		tc, err := For(context.Background(), language, t.TempDir(), Options{Scratch: t.TempDir()})
		if err != nil {
			t.Logf("NOT TESTED: %v", err)
			continue
		}
		for name, value := range tc.Env {
			if strings.Contains(value, "canary") {
				t.Errorf("%s: %s=%s", language, name, value)
			}
		}
	}
}

func TestGoIsAskedWithoutTheRepositorysFiles(t *testing.T) {
	bin, dir, root := t.TempDir(), t.TempDir(), t.TempDir()
	for _, sub := range []string{"goroot", "mod", "cache"} {
		if err := os.Mkdir(filepath.Join(root, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program(t, bin, "go", fmt.Sprintf(`[ "$PWD" = / ] && [ "$GOTOOLCHAIN" = local ] || exit 1
echo '{"GOROOT":"%[1]s/goroot","GOMODCACHE":"%[1]s/mod","GOCACHE":"%[1]s/cache","GOVERSION":"go9.9","CGO_ENABLED":"0","CC":"cc","CXX":"c++"}'`, root))
	touch(t, filepath.Join(dir, "vendor", "modules.txt"))
	scratch := t.TempDir()
	warm := t.TempDir()
	tc := find(t, Go, dir, Options{Scratch: scratch, Warm: []string{warm}, Executable: "/opt/tool", Environ: []string{"PATH=" + bin}})
	want := map[string]string{
		"GOFLAGS": "-mod=vendor -buildvcs=false", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOENV": "off", "CGO_ENABLED": "0",
		"GOCACHE": scratch + "/gocache", "GOMODCACHE": root + "/mod", "PATH": root + "/goroot/bin:" + systemPath,
		"GOCACHEPROG": "/opt/tool " + argCache + " --rw " + scratch + "/gocache --ro " + warm + " --ro " + root + "/cache",
	}
	for name, value := range want {
		if tc.Env[name] != value {
			t.Errorf("%s is %q, want %q", name, tc.Env[name], value)
		}
	}
	for _, path := range []string{root + "/goroot", root + "/mod", root + "/cache", warm} {
		if !slices.Contains(tc.ReadOnly, path) {
			t.Errorf("%s is not shown: %v", path, tc.ReadOnly)
		}
	}
	if tc.Version != "go9.9" || !slices.Equal(tc.Scratch, []string{scratch}) {
		t.Errorf("got %+v", tc)
	}
	if mode, err := os.ReadFile(scratch + "/home/.config/go/telemetry/mode"); err != nil || string(mode) != "off" {
		t.Errorf("telemetry mode %q, %v", mode, err)
	}
}

func TestPythonShowsEnvironmentAndBase(t *testing.T) {
	home := t.TempDir()
	venv, base, elsewhere := filepath.Join(home, "venv"), filepath.Join(home, "pyenv", "3.12"), filepath.Join(home, "editable")
	for _, dir := range []string{venv + "/bin", base + "/bin", elsewhere} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	answer := fmt.Sprintf(`{"executable":"%[1]s/bin/python3","version":"3.12.1","prefix":"%[1]s","base":"%[2]s",
		"path":["%[2]s/lib/python3.12","%[1]s/lib","%[3]s"],"user_base":"%[4]s/.local","user_site":"%[4]s/.local/lib","user_site_used":false,"pytest":true}`, venv, base, elsewhere, home)
	bin := t.TempDir()
	program(t, bin, "python3", "cat <<'E'\n"+answer+"\nE")
	tc := find(t, Python, t.TempDir(), Options{Environ: []string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + home}})
	if want := []string{elsewhere, base, venv}; !slices.Equal(tc.ReadOnly, want) {
		t.Errorf("shown %v, want %v", tc.ReadOnly, want)
	}
	if !strings.HasPrefix(tc.Env["PATH"], venv+"/bin:"+base+"/bin:") || tc.Env["VIRTUAL_ENV"] != venv || tc.Env["PYTHONNOUSERSITE"] != "1" {
		t.Errorf("got %v", tc.Env)
	}
	if !slices.Contains(tc.Test, "pytest") || len(tc.Fetch) > 0 || len(tc.Notes) == 0 {
		t.Errorf("got %+v", tc)
	}

	// The checkout's own environment comes first.
	checkout := t.TempDir()
	program(t, filepath.Join(checkout, ".venv", "bin"), "python3", "cat <<'E'\n"+strings.ReplaceAll(strings.ReplaceAll(answer, venv, checkout+"/.venv"), "true", "false")+"\nE")
	touch(t, filepath.Join(checkout, ".venv", "pyvenv.cfg"))
	tc = find(t, Python, t.TempDir(), Options{Checkout: checkout, Environ: []string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + home}})
	if tc.Env["VIRTUAL_ENV"] != checkout+"/.venv" || !slices.Contains(tc.Test, "unittest") {
		t.Errorf("got %+v", tc)
	}
}

func TestPythonOfTheSystemShowsNothingMore(t *testing.T) {
	bin := t.TempDir()
	program(t, bin, "python3", `echo '{"executable":"/usr/bin/python3","version":"3.11","prefix":"/usr","base":"/usr","path":["/usr/lib/python3.11"],"user_base":"","user_site":""}'`)
	tc := find(t, Python, t.TempDir(), Options{Environ: []string{"PATH=" + bin}})
	if len(tc.ReadOnly) != 0 || tc.Env["PATH"] != systemPath || tc.Env["VIRTUAL_ENV"] != "" {
		t.Errorf("got %+v", tc)
	}
}

func TestPythonThatAnswersNonsense(t *testing.T) {
	for script, want := range map[string]string{
		"echo hello":             "answer of",
		"echo '{}'":              "does not say where it is installed",
		"echo broken >&2;exit 3": "broken",
	} {
		bin := t.TempDir()
		program(t, bin, "python3", script)
		_, err := For(context.Background(), Python, t.TempDir(), Options{Scratch: t.TempDir(), Environ: []string{"PATH=" + bin}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestNodePicksTheManagerByItsLockFile(t *testing.T) {
	install := t.TempDir()
	bin := t.TempDir()
	program(t, bin, "node", "echo v22.1.0; echo "+install+"/bin/node")
	for lock, want := range map[string]string{
		"package-lock.json": "npm ci --ignore-scripts --no-audit --no-fund", "yarn.lock": "yarn install --frozen-lockfile --ignore-scripts",
		"pnpm-lock.yaml": "pnpm install --frozen-lockfile --ignore-scripts", "README": "",
	} {
		dir := t.TempDir()
		touch(t, filepath.Join(dir, lock))
		touch(t, filepath.Join(dir, "package.json"))
		tc := find(t, TypeScript, dir, Options{Environ: []string{"PATH=" + bin}})
		if got := strings.Join(tc.Fetch, " "); got != want {
			t.Errorf("%s: %q, want %q", lock, got, want)
		}
		if (want == "") != (len(tc.Notes) > 0) {
			t.Errorf("%s: notes %v", lock, tc.Notes)
		}
		if !slices.Equal(tc.ReadOnly, []string{install}) || tc.Version != "node v22.1.0" || tc.Env["npm_config_offline"] != "true" {
			t.Errorf("%s: %+v", lock, tc)
		}
	}
	if tc := find(t, JavaScript, t.TempDir(), Options{Environ: []string{"PATH=" + bin}}); strings.Join(tc.Test, " ") != "node --test" {
		t.Errorf("without package.json: %v", tc.Test)
	}
}

func TestJavaShowsTheRepositoryButNotTheSettings(t *testing.T) {
	home, jdk, bin := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "maven", "bin")
	program(t, bin, "java", "echo '    java.home = "+jdk+"' >&2; echo '    java.version = 21.0.1'")
	program(t, bin, "mvn", "true")
	repository := filepath.Join(home, ".m2", "repository")
	touch(t, filepath.Join(repository, "x"))
	touch(t, filepath.Join(home, ".m2", "settings.xml"))
	scratch := t.TempDir()
	environ := []string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + home}
	tc := find(t, Java, t.TempDir(), Options{Scratch: scratch, Environ: environ})
	if !slices.Contains(tc.ReadOnly, repository) || slices.Contains(tc.ReadOnly, filepath.Join(home, ".m2")) || !slices.Contains(tc.ReadOnly, jdk) {
		t.Errorf("shown %v", tc.ReadOnly)
	}
	settings, err := os.ReadFile(filepath.Join(scratch, "home", ".m2", "settings.xml"))
	if err != nil || !strings.Contains(string(settings), "<localRepository>"+repository+"</localRepository><offline>true</offline>") {
		t.Errorf("settings %q, %v", settings, err)
	}
	if tc.Env["JAVA_HOME"] != jdk || !strings.Contains(tc.Env["MAVEN_OPTS"], "-Duser.home="+scratch) || tc.Version != "java 21.0.1" || tc.Test[0] != "mvn" {
		t.Errorf("got %+v", tc)
	}

	dir := t.TempDir()
	touch(t, filepath.Join(dir, "build.gradle.kts"))
	touch(t, filepath.Join(home, ".gradle", "caches", "modules-2", "x"))
	tc = find(t, Java, dir, Options{Scratch: scratch, Environ: environ})
	if tc.Test[0] != "gradle" || tc.Env["GRADLE_RO_DEP_CACHE"] != filepath.Join(home, ".gradle", "caches") || len(tc.Notes) != 1 {
		t.Errorf("got %+v", tc)
	}
}

func TestInstallsNeverShowTheHomeDirectory(t *testing.T) {
	m := &machine{env: map[string]string{"HOME": "/home/u"}}
	for prefix, want := range map[string]string{
		"/": "", "/usr": "", "/home": "", "relative": "",
		"/home/u":                 "/home/u/bin /home/u/lib",
		"/home/u/.local":          "/home/u/.local/bin /home/u/.local/lib",
		"/home/u/.nvm/versions/x": "/home/u/.nvm/versions/x",
		"/opt/node":               "/opt/node",
		"/home/user":              "/home/user",
	} {
		if got := strings.Join(m.installs(prefix), " "); got != want {
			t.Errorf("%s: %q, want %q", prefix, got, want)
		}
	}
}

func TestShownLeavesOutWhatIsShownAnyway(t *testing.T) {
	dir := t.TempDir()
	inner, other := filepath.Join(dir, "a", "b"), filepath.Join(dir, "ab")
	for _, path := range []string{inner, other} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := shown([]string{inner, other, filepath.Join(dir, "a"), "/usr/lib", "/usr", "", filepath.Join(dir, "absent"), other})
	if want := []string{filepath.Join(dir, "a"), other}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFetchEnvironmentIsReduced(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	program(t, bin, "fetcher", `env > got; pwd >> got`)
	environ := []string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=/h", "GITHUB_TOKEN=canary", "AWS_SECRET_ACCESS_KEY=canary", "GOFLAGS=-mod=mod", "HTTPS_PROXY=http://proxy", "PYTHONPATH=/evil"}
	if err := fetch(context.Background(), Go, dir, []string{"fetcher"}, environ); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "got"))
	if err != nil {
		t.Fatal(err)
	}
	got := string(data)
	for _, want := range []string{"HTTPS_PROXY=http://proxy\n", "HOME=/h\n", "GOTOOLCHAIN=local\n", "GOFLAGS=-mod=readonly", dir + "\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	for _, secret := range []string{"canary", "evil", "-mod=mod"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in %s", secret, got)
		}
	}
}

func TestFetchFailureOffersTheNextStep(t *testing.T) {
	for said, want := range map[string]string{
		"go: go.mod requires go >= 1.99 (running go 1.26)":                                                      "install the newer version",
		"dial tcp: lookup proxy.golang.org: no such host":                                                       "network cannot be reached",
		"main.go:3:8: missing go.sum entry for module providing":                                                "go mod tidy",
		"fatal: could not read Username for 'https://x': terminal":                                              "credentials",
		"npm error `npm ci` can only install packages when your package.json and package-lock.json are in sync": "npm install",
		"something else": "run it by hand",
	} {
		bin := t.TempDir()
		program(t, bin, "fetcher", "cat <<'E' >&2\n"+said+"\nE\nexit 4")
		err := fetch(context.Background(), Go, t.TempDir(), []string{"fetcher", "all"}, []string{"PATH=" + bin + ":/usr/bin:/bin"})
		var failed *FetchError
		if !errors.As(err, &failed) {
			t.Fatalf("%s: got %v", said, err)
		}
		if !strings.Contains(failed.Next, want) || !strings.Contains(err.Error(), said) || !strings.Contains(err.Error(), "`fetcher all`") {
			t.Errorf("%s: %v", said, err)
		}
	}
}

func TestFetchRunsNoProgramOfTheRepository(t *testing.T) {
	dir := t.TempDir()
	program(t, dir, "install.sh", "touch ran")
	for _, command := range []string{"./install.sh", "sub/../install.sh", "install.sh"} {
		if err := fetch(context.Background(), Go, dir, []string{command}, []string{"PATH=.:"}); err == nil {
			t.Errorf("%s: ran", command)
		}
	}
	if exists(filepath.Join(dir, "ran")) {
		t.Error("it ran")
	}
	if err := Fetch(context.Background(), Python, dir, nil); err != nil {
		t.Errorf("nothing to fetch: %v", err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := fetch(ctx, Go, t.TempDir(), []string{"sleep", "1000"}, []string{"PATH=/usr/bin:/bin"})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "start again") {
		t.Errorf("got %v", err)
	}
}

func TestLastBytes(t *testing.T) {
	b := &lastBytes{max: 10}
	for i := range 1000 {
		fmt.Fprintf(b, "%d ", i)
	}
	if len(b.buf) > 20 || !strings.HasSuffix(string(b.buf), "998 999 ") {
		t.Errorf("kept %q", b.buf)
	}
}
