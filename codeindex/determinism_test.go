package codeindex

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/codeindex/facts"
	"pgregory.net/rapid"
)

// everything is what an index says, in one text.
func everything(x *Index) string {
	var b strings.Builder
	fmt.Fprintln(&b, x.Stats.Files, x.Files(), x.Problems(), x)
	for _, file := range x.Files() {
		for _, s := range x.Symbols(file) {
			fmt.Fprintln(&b, s, x.Callers(s), x.Callees(s))
		}
	}
	for kind := facts.Span; kind <= facts.Logger; kind++ {
		fmt.Fprintln(&b, x.Sites(kind))
	}
	fmt.Fprintln(&b, x.Tests())
	return b.String()
}

func allFixtures(t *testing.T) (fstest.MapFS, []expectation) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("fixtures: %v, %v", files, err)
	}
	all := fstest.MapFS{}
	var expected []expectation
	for _, file := range files {
		fsys, _, e := readFixture(t, file)
		for name, f := range fsys.(fstest.MapFS) {
			f.ModTime = time.Unix(1, 0)
			all[strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+name] = f
		}
		expected = append(expected, e...)
	}
	return all, expected
}

func TestTheSameIndexWithAnyNumberOfWorkers(t *testing.T) {
	fsys, expected := allFixtures(t)
	one := build(t, fsys, Options{Workers: 1})
	want := everything(one)
	for _, workers := range []int{2, 3, 8, 64} {
		x := build(t, fsys, Options{Workers: workers})
		if got := everything(x); got != want {
			t.Fatalf("%d workers: %s", workers, firstDifference(got, want))
		}
		for _, e := range expected {
			q := WeightedQuery{Query: e.query}
			if a, b := one.Locate(q), x.Locate(q); !reflect.DeepEqual(a, b) {
				t.Fatalf("%d workers: %s\n%s\n%s", workers, e.line, show(a), show(b))
			}
		}
	}
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range as {
		if i >= len(bs) || as[i] != bs[i] {
			return fmt.Sprintf("line %d: %.300s", i, as[i])
		}
	}
	return "shorter"
}

// An index that was refreshed step by step, from memory or from disk, is the index built at once.
func TestRefreshedIsTheSameAsBuilt(t *testing.T) {
	all, _ := allFixtures(t)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	rapid.Check(t, func(rt *rapid.T) {
		fsys := fstest.MapFS{}
		cache := t.TempDir()
		var previous *Index
		for step := range rapid.IntRange(1, 4).Draw(rt, "steps") {
			for range rapid.IntRange(1, 12).Draw(rt, "changes") {
				name := names[rapid.IntRange(0, len(names)-1).Draw(rt, "file")]
				switch rapid.IntRange(0, 3).Draw(rt, "change") {
				case 0:
					delete(fsys, name)
				case 1: // touched
					if f := fsys[name]; f != nil {
						fsys[name] = &fstest.MapFile{Data: f.Data, ModTime: time.Unix(int64(step+10), 0)}
					}
				case 2: // another content
					fsys[name] = &fstest.MapFile{Data: append([]byte("\n\n"), all[name].Data...), ModTime: time.Unix(int64(step+100), 0)}
				default:
					fsys[name] = &fstest.MapFile{Data: all[name].Data, ModTime: time.Unix(int64(step+1000), 0)}
				}
			}
			if len(fsys) == 0 {
				continue
			}
			want := everything(build(t, fsys, Options{}))
			fromMemory := build(t, fsys, Options{Previous: previous})
			if got := everything(fromMemory); got != want {
				rt.Fatalf("from memory, step %d: %s", step, firstDifference(got, want))
			}
			if got := everything(build(t, fsys, Options{Cache: cache})); got != want {
				rt.Fatalf("from disk, step %d: %s", step, firstDifference(got, want))
			}
			previous = fromMemory
		}
	})
}

func TestOneIndexAnswersManyAtOnce(t *testing.T) {
	fsys, expected := allFixtures(t)
	quiet := build(t, fsys, Options{})
	var want [][]Location
	for _, e := range expected {
		want = append(want, quiet.Locate(WeightedQuery{Query: e.query}))
	}
	x := build(t, fsys, Options{})
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range expected {
				n := (i*7 + w*13) % len(expected)
				if got := x.Locate(WeightedQuery{Query: expected[n].query}); !reflect.DeepEqual(got, want[n]) {
					t.Errorf("%s: %s", expected[n].line, show(got))
				}
			}
		}()
	}
	wait.Wait()
}

// The order of the leads does not decide about the places.
func TestTheOrderOfLeadsChangesNoPlace(t *testing.T) {
	fsys, expected := allFixtures(t)
	x := build(t, fsys, Options{})
	rapid.Check(t, func(t *rapid.T) {
		var leads []WeightedQuery
		for range rapid.IntRange(2, 5).Draw(t, "n") {
			leads = append(leads, WeightedQuery{Query: rapid.SampledFrom(expected).Draw(t, "lead").query, Weight: rapid.SampledFrom([]float64{0.2, 0.5, 1}).Draw(t, "weight")})
		}
		a := x.Locate(leads...)
		for i, j := 0, len(leads)-1; i < j; i, j = i+1, j-1 {
			leads[i], leads[j] = leads[j], leads[i]
		}
		b := x.Locate(leads...)
		if len(a) != len(b) {
			t.Fatalf("%d and %d places", len(a), len(b))
		}
		for i := range a {
			if a[i].Confidence != b[i].Confidence {
				t.Fatalf("place %d: %v and %v", i, a[i], b[i])
			}
		}
	})
}

// Caches that somebody else may have written: links, directories, huge claims, other versions.
func TestCachesOfOthersAreNotTrusted(t *testing.T) {
	fsys := tree(map[string]string{"a.go": "package a\nfunc A() {}"})
	name := fmt.Sprintf(cacheName, facts.Version)
	for what, plant := range map[string]func(dir string) error{
		"directory": func(dir string) error { return os.MkdirAll(filepath.Join(dir, name, "x"), 0o755) },
		"link to nowhere": func(dir string) error {
			return os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, name))
		},
		"empty": func(dir string) error { return os.WriteFile(filepath.Join(dir, name), nil, 0o600) },
		"short": func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte{1, 2, 3}, 0o600) },
		"zeros": func(dir string) error { return os.WriteFile(filepath.Join(dir, name), make([]byte, 4096), 0o600) },
		"other version": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "codeindex-v0.bin"), []byte("x"), 0o600)
		},
	} {
		cache := t.TempDir()
		if err := plant(cache); err != nil {
			t.Skipf("%s: %v", what, err)
		}
		x := build(t, fsys, Options{Cache: cache})
		if _, ok := x.Lookup("a.go", "A"); !ok || x.Stats.Parsed != 1 {
			t.Errorf("%s: %+v", what, x.Stats)
		}
	}
	// A link to a cache is not followed when it is read, and what it points to is not written.
	cache, other := t.TempDir(), t.TempDir()
	build(t, fsys, Options{Cache: other})
	before, err := os.ReadFile(filepath.Join(other, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(other, name), filepath.Join(cache, name)); err != nil {
		t.Skip(err)
	}
	if x := build(t, tree(map[string]string{"a.go": "package a\nfunc B() {}"}), Options{Cache: cache}); x.Stats.Parsed != 1 {
		t.Errorf("a link was followed: %+v", x.Stats)
	}
	if after, _ := os.ReadFile(filepath.Join(other, name)); string(after) != string(before) {
		t.Error("the file behind a link was written")
	}
}

func TestTwoBuildsMayShareACache(t *testing.T) {
	cache := t.TempDir()
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			fsys := tree(map[string]string{"a.go": fmt.Sprintf("package a\nfunc A%d() {}", i)})
			fsys["a.go"].ModTime = time.Unix(int64(i+1), 0)
			x, err := Build(context.Background(), fsys, Options{Cache: cache})
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok := x.Lookup("a.go", fmt.Sprintf("A%d", i)); !ok {
				t.Errorf("build %d got another's facts: %v", i, x.Symbols("a.go"))
			}
		}()
	}
	wait.Wait()
	if left, _ := filepath.Glob(filepath.Join(cache, "*.tmp")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}
