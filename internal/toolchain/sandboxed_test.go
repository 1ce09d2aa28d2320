package toolchain_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/toolchain"
)

// The test binary serves as the process inside the sandbox and as the build cache.
func TestMain(m *testing.M) {
	sandbox.Init()
	toolchain.Init()
	os.Exit(m.Run())
}

func newSandbox(t testing.TB) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	return s
}

func newToolchain(t testing.TB, language, dir string, opts toolchain.Options) toolchain.Toolchain {
	t.Helper()
	if opts.Scratch == "" {
		opts.Scratch = t.TempDir()
	}
	tc, err := toolchain.For(context.Background(), language, dir, opts)
	if err != nil {
		if strings.Contains(err.Error(), "is not on the PATH") {
			t.Skipf("NOT TESTED: %v", err)
		}
		t.Fatal(err)
	}
	return tc
}

func run(t testing.TB, s *sandbox.Sandbox, dir string, tc toolchain.Toolchain, extra map[string]string, command ...string) sandbox.Result {
	t.Helper()
	env := maps.Clone(tc.Env)
	maps.Copy(env, extra)
	r, err := s.Run(context.Background(), sandbox.Spec{
		Dir: dir, Command: command, Env: env, ReadOnly: tc.ReadOnly, Scratch: tc.Scratch, Timeout: 5 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// instrumented is a module whose one program serves HTTP and traces itself, with this module's own
// dependencies, which are on the disk of whoever builds it.
func instrumented(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(mod), "\n")
	write(t, dir, map[string]string{
		"go.mod": "module example.test/service\n" + rest,
		"go.sum": string(sum),
		"main.go": `package main

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
)

func answer() string { return "ok" }

func main() {
	if _, err := otlptracehttp.New(context.Background()); err != nil {
		panic(err)
	}
	http.Handle("/", otelhttp.NewHandler(http.NotFoundHandler(), answer()))
}
`,
		"main_test.go": `package main

import "testing"

func TestAnswer(t *testing.T) {
	if answer() != "ok" {
		t.Fail()
	}
}
`,
	})
	return dir
}

func TestGoBuildsAndTestsOffline(t *testing.T) {
	s := newSandbox(t)
	dir := instrumented(t)
	tc := newToolchain(t, toolchain.Go, dir, toolchain.Options{})
	start := time.Now()
	if r := run(t, s, dir, tc, nil, tc.Build...); r.Code != 0 {
		t.Fatalf("build: %+v", r)
	}
	t.Logf("build through the user's cache: %v", time.Since(start))
	start = time.Now()
	r := run(t, s, dir, tc, nil, tc.Test...)
	if r.Code != 0 || !strings.HasPrefix(r.Output, "ok") || strings.Contains(r.Output, "cached") {
		t.Fatalf("test: %+v", r)
	}
	t.Logf("test: %v", time.Since(start))
}

func TestGoBuildWithoutTheCacheForComparison(t *testing.T) {
	if os.Getenv("REMEDIATOR_MEASURE") == "" {
		t.Skip("takes a minute; set REMEDIATOR_MEASURE=1 to measure")
	}
	s := newSandbox(t)
	dir := instrumented(t)
	tc := newToolchain(t, toolchain.Go, dir, toolchain.Options{})
	delete(tc.Env, "GOCACHEPROG")
	start := time.Now()
	if r := run(t, s, dir, tc, nil, tc.Build...); r.Code != 0 {
		t.Fatalf("build: %+v", r)
	}
	t.Logf("build from nothing: %v", time.Since(start))
}

func TestGoCacheOfTheUserStaysAsItIs(t *testing.T) {
	s := newSandbox(t)
	dir := instrumented(t)
	tc := newToolchain(t, toolchain.Go, dir, toolchain.Options{})
	var user string
	for i, word := range strings.Fields(tc.Env["GOCACHEPROG"]) {
		if word == "--ro" {
			user = strings.Fields(tc.Env["GOCACHEPROG"])[i+1]
		}
	}
	if user == "" {
		t.Skip("NOT TESTED: the user has no cache")
	}
	write(t, dir, map[string]string{"main_test.go": `package main

import (
	"os"
	"testing"
)

func TestPoison(t *testing.T) {
	if err := os.WriteFile("` + user + `/00/poison", nil, 0o644); err == nil {
		t.Error("wrote to the user's cache")
	}
	if err := os.WriteFile(os.Getenv("GOMODCACHE") + "/poison", nil, 0o644); err == nil {
		t.Error("wrote to the module cache")
	}
	if err := os.WriteFile(os.Getenv("GOROOT") + "/poison", nil, 0o644); err == nil {
		t.Error("wrote to the compiler")
	}
}
`})
	if r := run(t, s, dir, tc, nil, tc.Test...); r.Code != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestGoWithCgo(t *testing.T) {
	s := newSandbox(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod": "module example.test/cgo\n\ngo 1.24\n",
		"main.go": `package main

// static int twice(int x) { return 2 * x; }
import "C"

import (
	"fmt"
	"net"
)

func main() {
	_, err := net.LookupHost("localhost")
	fmt.Println(C.twice(21), err)
}
`})
	tc := newToolchain(t, toolchain.Go, dir, toolchain.Options{})
	if tc.Env["CGO_ENABLED"] != "1" {
		t.Skip("NOT TESTED: no C compiler")
	}
	if r := run(t, s, dir, tc, nil, "go", "run", "."); r.Code != 0 || r.Output != "42 <nil>\n" {
		t.Errorf("got %+v", r)
	}
	// A second build of the case finds the first one's work.
	for _, compiles := range []bool{true, false} {
		r := run(t, s, dir, tc, nil, "go", "build", "-x", "-o", "/tmp/out", ".")
		if r.Code != 0 || strings.Contains(r.Output, "/compile -o") != compiles {
			t.Errorf("compiles: want %v: %+v", compiles, r)
		}
	}
}

func TestGoFetchThenOffline(t *testing.T) {
	dir := instrumented(t)
	tc := newToolchain(t, toolchain.Go, dir, toolchain.Options{})
	if err := toolchain.Fetch(context.Background(), toolchain.Go, dir, tc.Fetch); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"extra.go": "package main\n\nimport _ \"example.invalid/absent\"\n"})
	err := toolchain.Fetch(context.Background(), toolchain.Go, dir, tc.Fetch)
	if err == nil || !strings.Contains(err.Error(), "example.invalid/absent") {
		t.Errorf("got %v", err)
	}
}

func TestPythonTestsInside(t *testing.T) {
	s := newSandbox(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"test_sum.py": `import json, sqlite3, ssl, unittest

class SumTest(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(sum([1, 2]), 3)
`})
	tc := newToolchain(t, toolchain.Python, dir, toolchain.Options{})
	for _, command := range [][]string{tc.Build, tc.Test} {
		if r := run(t, s, dir, tc, nil, command...); r.Code != 0 {
			t.Errorf("%v: %+v", command, r)
		}
	}
	// Nothing was written into the working copy.
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestPythonVirtualEnvironmentInside(t *testing.T) {
	s := newSandbox(t)
	home := t.TempDir() // as if below the home directory: hidden unless it is shown
	venv := filepath.Join(home, ".venv")
	python := newToolchain(t, toolchain.Python, home, toolchain.Options{})
	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", venv).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: no virtual environment: %v: %s", err, out)
	}
	site, err := filepath.Glob(filepath.Join(venv, "lib", "*", "site-packages"))
	if err != nil || len(site) != 1 {
		t.Fatalf("%v, %v", site, err)
	}
	write(t, site[0], map[string]string{"installed_here.py": "answer = 42\n"})
	dir := t.TempDir()
	tc := newToolchain(t, toolchain.Python, dir, toolchain.Options{Checkout: home})
	r := run(t, s, dir, tc, nil, "python3", "-c", "import installed_here; print(installed_here.answer)")
	if r.Code != 0 || r.Output != "42\n" {
		t.Errorf("got %+v", r)
	}
	if r := run(t, s, dir, python, nil, "python3", "-c", "import installed_here"); r.Code == 0 {
		t.Error("found without the environment")
	}
}

func TestNodeTestsInside(t *testing.T) {
	s := newSandbox(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"package.json": `{"name":"x","scripts":{"test":"node --test","build":"node -e 'console.log(\"built\")'"}}`,
		"sum.test.js":  `const test = require("node:test"); const assert = require("node:assert"); test("sum", () => assert.equal(1 + 2, 3));`,
	})
	tc := newToolchain(t, toolchain.JavaScript, dir, toolchain.Options{})
	for _, command := range [][]string{tc.Build, tc.Test} {
		if r := run(t, s, dir, tc, nil, command...); r.Code != 0 {
			t.Errorf("%v: %+v", command, r)
		}
	}
}

func TestJavaRunsInside(t *testing.T) {
	s := newSandbox(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"Hello.java": `class Hello {
	public static void main(String[] args) { System.out.println(System.getProperty("user.name") + " " + (1 + 2)); }
}`})
	tc := newToolchain(t, toolchain.Java, dir, toolchain.Options{})
	if r := run(t, s, dir, tc, nil, "java", "Hello.java"); r.Code != 0 || r.Output != "sandbox 3\n" {
		t.Errorf("got %+v", r)
	}
	if r := run(t, s, dir, tc, nil, "mvn", "-v"); r.Code != 0 || !strings.Contains(r.Output, "Apache Maven") {
		t.Logf("NOT TESTED: Maven: %+v", r)
	}
}
