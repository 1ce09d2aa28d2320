package workbench

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/toolchain"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	toolchain.Init()
	os.Exit(m.Run())
}

var program = map[string]string{
	"go.mod": "module example.com/echo\n\ngo 1.24\n",
	"main.go": `package main

import (
	"io"
	"net/http"
	"os"
)

func greeting() string { return "hello" }

func main() {
	if os.Getenv("CRASH") != "" {
		println("cannot read the database")
		os.Exit(3)
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {})
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		res, err := http.Get(os.Getenv("BACKEND_URL") + "/name")
		if err != nil {
			http.Error(w, err.Error(), 502)
			return
		}
		name, _ := io.ReadAll(res.Body)
		io.WriteString(w, greeting()+" "+string(name)+" "+os.Getenv("MOOD"))
	})
	http.ListenAndServe("127.0.0.1:8080", nil)
}
`,
	"main_test.go": `package main

import "testing"

func TestGreeting(t *testing.T) {
	if greeting() != "hello" {
		t.Error("rude")
	}
}
`,
	".remediator.yaml": `services:
  echo:
    paths: ["**"]
    language: go
    build: [go, build, -o, bin/echo, .]
    test: [go, test, ./...]
    run: [bin/echo]
    port: 8080
    health: /health
    dependencies:
      - {name: backend, env: BACKEND_URL, port: 9090}
`,
	"CODEOWNERS": "* @team\n*.go @gophers\n",
}

// bench makes a repository of the program and a bench for it.
func bench(t *testing.T) (*Bench, *Repository) {
	t.Helper()
	fence, err := sandbox.New(sandbox.Options{AllowWeak: true})
	if err != nil {
		t.Fatal(err)
	}
	src := t.TempDir()
	for name, text := range program {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", "git init -q -b main && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm first")
	cmd.Dir = src
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	repo, err := OpenRepository(context.Background(), src, filepath.Join(t.TempDir(), "clone.git"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if notes, err := repo.LoadConfig(); err != nil || len(notes) != 0 {
		t.Fatal(err, notes)
	}
	return New(fence, repo, t.TempDir(), src), repo
}

func variantOf(t *testing.T, b *Bench, r *Repository, name string, edits ...patch.FileEdit) remedy.Variant {
	t.Helper()
	v, err := b.Variant(context.Background(), name, r.Base().Commit, edits)
	if err != nil {
		t.Fatal(err)
	}
	res, err := v.Build(context.Background(), "echo")
	if err != nil || res.Code != 0 {
		t.Fatalf("build: %v, exit code %d\n%s", err, res.Code, res.Output)
	}
	return v
}

func TestVariantsAreBuiltTestedAndApart(t *testing.T) {
	b, r := bench(t)
	ctx := context.Background()
	base := variantOf(t, b, r, "base")
	rude := strings.Replace(program["main.go"], `"hello"`, `"bah"`, 1)
	patched := variantOf(t, b, r, "rude", patch.FileEdit{Path: "main.go", Mode: 0o100644, Old: []byte(program["main.go"]), New: []byte(rude)})
	if res, err := base.Test(ctx, "echo", nil); err != nil || res.Code != 0 {
		t.Errorf("the base's tests: %v, %+v", err, res)
	}
	res, err := patched.Test(ctx, "echo", nil)
	if err != nil || res.Code == 0 || !strings.Contains(res.Output, "rude") {
		t.Errorf("the patched tests: %v, %+v; want them red", err, res)
	}
	res, err = patched.Command(ctx, "echo", []string{"sh", "-c", "echo $MOOD"}, map[string]string{"MOOD": "fine"})
	if err != nil || strings.TrimSpace(res.Output) != "fine" {
		t.Errorf("command: %v, %q", err, res.Output)
	}
	if res, err := base.Fetch(ctx, "echo"); err != nil || res.Code != 0 {
		t.Errorf("fetch: %v, %+v", err, res)
	}
	if res, err := base.Build(ctx, "nobody"); err != nil || !res.Skipped {
		t.Errorf("a service nobody configured: %v, %+v", err, res)
	}
}

// listen serves a stand-in.
func listen(t *testing.T, body string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return l
}

func TestLaunchedServiceReachesItsStandIns(t *testing.T) {
	b, r := bench(t)
	v := variantOf(t, b, r, "base")
	launcher, err := v.Launcher("echo", map[string]string{"MOOD": "happy"})
	if err != nil {
		t.Fatal(err)
	}
	// The context of the launch ends with it; the service must not.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	in, err := launcher.Launch(ctx, replay.Launch{StandIns: map[string]net.Listener{"backend": listen(t, "stand-in")}, OTLP: listen(t, "")})
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Stop(context.Background()) }()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return in.Dial(ctx) }}}
	res, err := client.Get("http://echo/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); string(text) != "hello stand-in happy" {
		t.Errorf("the service answers %q", text)
	}
}

func TestServiceThatEndsAtOnceSaysWhy(t *testing.T) {
	b, r := bench(t)
	launcher, err := variantOf(t, b, r, "base").Launcher("echo", map[string]string{"CRASH": "1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = launcher.Launch(context.Background(), replay.Launch{})
	if err == nil || !strings.Contains(err.Error(), "cannot read the database") || !strings.Contains(err.Error(), "before it was healthy") {
		t.Errorf("Launch = %v, want the reason and the output", err)
	}
}

func TestReviewersAndOwners(t *testing.T) {
	_, r := bench(t)
	if got := r.Reviewers([]string{"main.go", "go.mod"}); !slices.Equal(got, []string{"@gophers", "@team"}) {
		t.Errorf("reviewers %v", got)
	}
	changes, notes, err := r.Changes(context.Background(), time.Now().Add(time.Hour), 10)
	if err != nil || len(notes) != 0 || len(changes) != 1 || changes[0].Service != "echo" {
		t.Errorf("changes %+v, %v", changes, err)
	}
	if _, err := r.Resolve("0123456789"); err == nil {
		t.Error("a commit that is not there was resolved")
	}
}

func TestSettings(t *testing.T) {
	c, err := config.Parse([]byte(program[".remediator.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	s := Settings(c, "test", nil)
	if len(s.Allowed) != len(patch.Rungs()) || s.Autonomy != config.DefaultAutonomy || !s.Services["echo"].Run || s.Services["echo"].Peers["backend"] != "backend" {
		t.Errorf("settings %+v", s)
	}
	if sets, err := s.Golden("echo", fstest.MapFS{}); err != nil || sets != nil {
		t.Errorf("golden sets of a service without any: %v, %v", sets, err)
	}
	c.Ladder = []string{}
	if s := Settings(c, "test", nil); len(s.Allowed) != 0 {
		t.Errorf("an empty ladder allows %v", s.Allowed)
	}
	if s.Redact("mail to jane.doe@acme.com") == "mail to jane.doe@acme.com" {
		t.Error("an address is not redacted")
	}
}
