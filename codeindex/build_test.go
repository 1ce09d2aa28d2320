package codeindex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"
)

func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, content := range files {
		out[name] = &fstest.MapFile{Data: []byte(content), ModTime: time.Unix(1, 0)}
	}
	return out
}

func build(t *testing.T, fsys fs.FS, o Options) *Index {
	t.Helper()
	x, err := Build(context.Background(), fsys, o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestWhatIsNotTheRepositorysOwnIsLeftOut(t *testing.T) {
	x := build(t, tree(map[string]string{
		"main.go":                         "package main",
		"pkg/a.py":                        "",
		"web/app.tsx":                     "",
		"src/A.java":                      "class A {}",
		"vendor/x/x.go":                   "package x",
		"web/node_modules/y/index.js":     "",
		".git/hooks/x.py":                 "",
		".venv/lib/x.py":                  "",
		"venv/lib/python3/site/x.py":      "",
		"pkg/testdata/x.go":               "package x",
		"web/dist/x.js":                   "",
		"web/jquery.min.js":               "",
		"api/x.pb.go":                     "package api",
		"api/x_pb2.py":                    "",
		"types/x.d.ts":                    "",
		"api/zz_generated.deepcopy.go":    "package api",
		"README.md":                       "# x",
		"Makefile":                        "",
		"deploy/third_party/jsonnet/x.js": "",
	}), Options{})
	want := []string{"main.go", "pkg/a.py", "src/A.java", "web/app.tsx"}
	if !reflect.DeepEqual(x.Files(), want) {
		t.Errorf("got %v, want %v", x.Files(), want)
	}
	for name, skipped := range map[string]bool{"a/vendor/b.go": true, "a/b.go": false, "a/b.rs": true, "a/.x/b.go": true} {
		if reason, got := Skipped(name); got != skipped || got && reason == "" {
			t.Errorf("Skipped(%q) = %q, %v", name, reason, got)
		}
	}
}

func TestSymbolicLinksAreNotFollowed(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "main.go"), "package main")
	write(t, filepath.Join(outside, "secret.go"), "package secret")
	for link, target := range map[string]string{"dir": outside, "file.go": filepath.Join(outside, "secret.go"), "loop": dir} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	x := build(t, os.DirFS(dir), Options{})
	if got := x.Files(); !reflect.DeepEqual(got, []string{"main.go"}) {
		t.Errorf("got %v", got)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNothingToIndexIsAnErrorWithTheNextStep(t *testing.T) {
	for name, fsys := range map[string]fs.FS{"empty": fstest.MapFS{}, "no language": tree(map[string]string{"a.rs": "fn main() {}", "README.md": "x"})} {
		_, err := Build(context.Background(), fsys, Options{})
		if !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), "check") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Build(context.Background(), os.DirFS(filepath.Join(t.TempDir(), "absent")), Options{}); err == nil || !strings.Contains(err.Error(), "check the path") {
		t.Errorf("absent: got %v", err)
	}
}

func TestBoundsHold(t *testing.T) {
	files := map[string]string{"big.go": "package a // " + strings.Repeat("x", 5000), "a.go": "package a", "b.go": "package a"}
	x := build(t, tree(files), Options{MaxFileSize: 1000})
	if got := x.Files(); !reflect.DeepEqual(got, []string{"a.go", "b.go"}) {
		t.Errorf("got %v", got)
	}
	if _, err := Build(context.Background(), tree(files), Options{MaxFiles: 2}); !errors.Is(err, errTooMany) {
		t.Errorf("got %v, want too many", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Build(ctx, tree(files), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	files := map[string]string{}
	for i := range 60 {
		files[fmt.Sprintf("p%d/a.go", i)] = fmt.Sprintf("package p%d\nfunc Do() { tracer.Start(ctx, \"same\"); Other() }\nfunc Other() {}\n", i)
	}
	var first []Location
	for i := range 5 {
		got := build(t, tree(files), Options{Workers: i + 1}).Locate(WeightedQuery{Query: Query{Span: "same"}})
		if i == 0 {
			first = got
		} else if !reflect.DeepEqual(got, first) {
			t.Fatalf("run %d differs:\n%+v\n%+v", i, got, first)
		}
	}
	if len(first) != maxLocations {
		t.Errorf("%d locations, want %d", len(first), maxLocations)
	}
	if !strings.Contains(first[0].Reason, "one of 60 such places") || first[0].Confidence > 0.3 {
		t.Errorf("sixty places that look the same: %+v", first[0])
	}
}

func TestUnchangedFilesAreNotParsedAgain(t *testing.T) {
	files := map[string]string{"a.go": "package a\nfunc A() {}", "b.py": "def b():\n  pass\n", "c/C.java": "class C {}"}
	fsys := tree(files)
	first := build(t, fsys, Options{})
	if first.Stats != (Stats{Files: 3, Parsed: 3}) {
		t.Fatalf("first: %+v", first.Stats)
	}
	again := build(t, fsys, Options{Previous: first})
	if again.Stats != (Stats{Files: 3, Reused: 3}) {
		t.Fatalf("unchanged: %+v", again.Stats)
	}
	fsys["b.py"] = &fstest.MapFile{Data: []byte("def bb():\n  pass\n"), ModTime: time.Unix(2, 0)}
	delete(fsys, "a.go")
	changed := build(t, fsys, Options{Previous: again})
	if changed.Stats != (Stats{Files: 2, Parsed: 1, Reused: 1}) {
		t.Fatalf("changed: %+v", changed.Stats)
	}
	if _, ok := changed.Lookup("b.py", "bb"); !ok {
		t.Error("the change is not seen")
	}
	// A file that was only touched is read but not parsed.
	fsys["b.py"].ModTime = time.Unix(3, 0)
	if touched := build(t, fsys, Options{Previous: changed}); touched.Stats.Parsed != 0 {
		t.Errorf("touched: %+v", touched.Stats)
	}
}

func TestCacheOnDiskIsTheSameAsBuildingAgain(t *testing.T) {
	archive, _, expectations := readFixture(t, "testdata/java.txtar")
	cache := t.TempDir()
	first := build(t, archive, Options{Cache: cache})
	second := build(t, archive, Options{Cache: cache})
	if second.Stats.Parsed != 0 || second.Stats.Reused != first.Stats.Files {
		t.Fatalf("from the cache: %+v", second.Stats)
	}
	for _, e := range expectations {
		q := WeightedQuery{Query: e.query}
		if a, b := first.Locate(q), second.Locate(q); !reflect.DeepEqual(a, b) {
			t.Errorf("%s differs:\n%+v\n%+v", e.line, a, b)
		}
	}
}

func TestDamagedCacheIsBuiltAgain(t *testing.T) {
	fsys := tree(map[string]string{"a.go": "package a\nfunc A() {}"})
	rapid.Check(t, func(rt *rapid.T) {
		cache := t.TempDir()
		build(t, fsys, Options{Cache: cache})
		names, _ := filepath.Glob(filepath.Join(cache, "*.bin"))
		if len(names) != 1 {
			rt.Fatalf("cache files: %v", names)
		}
		b, err := os.ReadFile(names[0])
		if err != nil {
			rt.Fatal(err)
		}
		at := rapid.IntRange(0, len(b)-1).Draw(rt, "at")
		damaged := bytes.Clone(b)
		damaged[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "by"))
		if rapid.Bool().Draw(rt, "cut") {
			damaged = damaged[:at]
		}
		if err := os.WriteFile(names[0], damaged, 0o600); err != nil {
			rt.Fatal(err)
		}
		x := build(t, fsys, Options{Cache: cache})
		if x.Stats.Parsed != 1 {
			rt.Fatalf("damage at %d of %d was taken for facts: %+v", at, len(b), x.Stats)
		}
		if _, ok := x.Lookup("a.go", "A"); !ok {
			rt.Fatal("A is lost")
		}
	})
}

func TestCacheThatCannotBeWrittenIsAProblemNotAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	x := build(t, tree(map[string]string{"a.go": "package a"}), Options{Cache: filepath.Join(file, "cache")})
	if p := x.Problems(); len(p) != 1 || !strings.Contains(p[0].String(), "cache") {
		t.Errorf("problems: %v", p)
	}
}

type hashed struct {
	fstest.MapFS
	hashes map[string]string
}

func (h hashed) BlobHash(name string) (string, bool) {
	s, ok := h.hashes[name]
	return s, ok
}

func TestBlobHashesOfTheTreeDecide(t *testing.T) {
	fsys := hashed{tree(map[string]string{"a.go": "package a\nfunc A() {}"}), map[string]string{"a.go": strings.Repeat("ab", 20)}}
	first := build(t, fsys, Options{})
	fsys.MapFS["a.go"].ModTime = time.Unix(99, 0)
	if x := build(t, fsys, Options{Previous: first}); x.Stats.Reused != 1 {
		t.Errorf("same hash: %+v", x.Stats)
	}
	fsys.hashes["a.go"] = strings.Repeat("cd", 20)
	if x := build(t, fsys, Options{Previous: first}); x.Stats.Parsed != 1 {
		t.Errorf("another hash: %+v", x.Stats)
	}
}

func TestBlobHashIsGits(t *testing.T) {
	// git hash-object of a file that holds "hello\n"
	if got := blobHash([]byte("hello\n")); got != "ce013625030ba8dba906f756967f9e9ca394464a" {
		t.Errorf("got %s", got)
	}
}

func TestGeneratedCodeIsLastChoice(t *testing.T) {
	x := build(t, tree(map[string]string{
		"gen.go":  "// Code generated by x. DO NOT EDIT.\n\npackage a\n\nfunc Charge() { tracer.Start(ctx, \"charge\") }\n",
		"real.go": "package a\n\nfunc (c *C) Charge() { tracer.Start(ctx, \"charge\") }\n",
	}), Options{})
	got := x.Locate(WeightedQuery{Query: Query{Function: "Charge", Span: "charge"}})
	if len(got) < 2 || got[0].File != "real.go" || got[1].Confidence > got[0].Confidence/2 {
		t.Errorf("got %s", show(got))
	}
	if frame := x.Locate(WeightedQuery{Query: Query{File: "/x/gen.go", Line: 5}}); len(frame) == 0 || frame[0].Function != "Charge" {
		t.Errorf("a frame in generated code: %s", show(frame))
	}
}
