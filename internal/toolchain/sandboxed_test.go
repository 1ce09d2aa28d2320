package toolchain_test

import (
	"context"
	"maps"
	"os"
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
