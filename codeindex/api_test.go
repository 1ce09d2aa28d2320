package codeindex

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChangesOfThePublicInterface(t *testing.T) {
	for _, c := range []struct{ path, old, new, want string }{
		{"a.go", "package a\nfunc F(a int) {}\nfunc g() {}\n", "package a\nfunc F(renamed int) { body() }\n", ""},
		{"a.go", "package a\nfunc F(a int) {}\n", "package a\nfunc F(a, b int) {}\n", "F signature"},
		{"a.go", "package a\nfunc F() {}\n", "package a\n", "F removed"},
		{"a.go", "package a\ntype T struct{ A int; b int }\n", "package a\ntype T struct{ A int; c string; D int }\n", ""},
		{"a.go", "package a\ntype T struct{ A int }\n", "package a\ntype T struct{ A string }\n", "T.A signature"},
		{"a.go", "package a\ntype T struct{ A int `json:\"a\"` }\n", "package a\ntype T struct{ A int `json:\"b\"` }\n", "T.A signature"},
		{"a.go", "package a\ntype I interface{ A(); B() }\n", "package a\ntype I interface{ B(); A() }\n", ""},
		{"a.go", "package a\ntype I interface{ A() }\n", "package a\ntype I interface{ A(); B() }\n", "I signature"},
		{"a.go", "package a\nfunc (t *T) M() {}\n", "package a\nfunc (t T) M() {}\n", "T.M signature"},
		{"a.go", "package a\nfunc (t t) M() {}\n", "package a\n", ""},
		{"a.go", "package a\nconst A = 1\nvar B = 2\n", "package a\nconst A = 2\nvar B = 3\n", "A signature"},
		{"a.go", "package a\nfunc F[T any](t T) {}\n", "package a\nfunc F[T comparable](t T) {}\n", "F signature"},
		{"a_test.go", "package a\nfunc TestF() {}\n", "package a\n", ""},
		{"a.py", "def f(a, b=1):\n    pass\ndef _g():\n    pass\n", "def f(a, b=2):\n    return 1\n", ""},
		{"a.py", "def f(a):\n    pass\n", "def f(a, timeout=None):\n    pass\n", ""},
		{"a.py", "def f(a):\n    pass\n", "def f(a, timeout):\n    pass\n", "f signature"},
		{"a.py", "def f(a):\n    pass\n", "def f(b):\n    pass\n", "f signature"},
		{"a.py", "class A:\n    def f(self):\n        pass\n    def _g(self):\n        pass\n", "class A:\n    pass\n", "A.f removed"},
		{"a.py", "class A:\n    def __init__(self, a):\n        pass\n", "class A:\n    def __init__(self, a, b):\n        pass\n", "A.__init__ signature"},
		{"a.py", "__all__ = ['f']\ndef f():\n    pass\ndef g():\n    pass\n", "__all__ = ['f']\ndef f():\n    pass\n", ""},
		{"a.py", "async def f():\n    pass\n", "def f():\n    pass\n", "f signature"},
		{"a.py", "X = 1\n", "Y = 1\n", "X removed"},
		{"a.js", "export function f(a) {}\nfunction g() {}\n", "export function f(a) { return 1 }\n", ""},
		{"a.js", "export function f(a) {}\n", "export function f(a, b) {}\n", "f signature"},
		{"a.js", "export function f(a) {}\n", "export function f(a, b = 1) {}\n", ""},
		{"a.js", "function f() {}\nmodule.exports = { f, g: 1 };\n", "function f() {}\nmodule.exports = { f };\n", "g removed"},
		{"a.js", "exports.f = (a) => a;\n", "exports.f = (a, b) => a;\n", "f signature"},
		{"a.js", "function f() {}\nexport { f as g };\n", "function f() {}\nexport { f };\n", "g removed"},
		{"a.ts", "export default class A { f(a: string): void {} private g() {} }\n", "export default class A { f(a: number): void {} }\n", "default.f signature"},
		{"a.ts", "export const f = (a: string): number => 1;\n", "export const f = (a: string, b?: string): number => 2;\n", ""},
		{"a.ts", "export interface I { a: string }\n", "export interface I { a: string; b: number }\n", "I signature"},
		{"a.ts", "export type T = 'a' | 'b';\n", "export type T = 'a';\n", "T signature"},
		{"a.tsx", "export function C(p: P) { return <a/>; }\n", "export function C(p: P) { return <b/>; }\n", ""},
		{"A.java", "public class A { public void f(int a) {} void g() {} }\n", "public class A { public void f(int b) { h(); } }\n", ""},
		{"A.java", "public class A { public void f(int a) {} }\n", "public class A { public void f(long a) {} }\n", "A.f signature"},
		{"A.java", "public class A { public void f(int a) {} public void f(String s) {} }\n", "public class A { public void f(int a) {} }\n", "A.f signature"},
		{"A.java", "public interface A { void f(); }\n", "public interface A { }\n", "A.f removed"},
		{"A.java", "class A { public void f() {} }\n", "class A { }\n", ""},
		{"A.java", "public enum A { X, Y }\n", "public enum A { X }\n", "A.Y removed"},
		{"A.java", "public class A { public static final int N = 1; }\n", "public class A { public static final int N = 2; }\n", ""},
		{"A.rs", "pub fn f() {}", "", ""},
	} {
		changes, err := DiffAPI(c.path, []byte(c.old), []byte(c.new))
		if err != nil {
			t.Errorf("%s %q: %v", c.path, c.old, err)
			continue
		}
		var got []string
		for _, change := range changes {
			got = append(got, change.Symbol+" "+change.Change)
			if change.Path != c.path || change.Old == "" && change.Change == Signature {
				t.Errorf("incomplete: %+v", change)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s\n%s-> %s\ngot %q, want %q", c.path, c.old, c.new, got, c.want)
		}
	}
}

func TestDeletedAndNewFiles(t *testing.T) {
	src := []byte("package a\nfunc F() {}\n")
	if got, err := DiffAPI("a.go", nil, src); err != nil || len(got) != 0 {
		t.Errorf("a new file removes nothing: %v, %v", got, err)
	}
	if got, err := DiffAPI("a.go", src, nil); err != nil || len(got) != 1 || got[0].Change != Removed {
		t.Errorf("a deleted file: %v, %v", got, err)
	}
}

func TestBrokenSourceIsNotAnEmptyInterface(t *testing.T) {
	_, err := DiffAPI("a.py", []byte("def f():\n    pass\n"), []byte("def f(:\n"))
	var bad *SyntaxError
	if !errors.As(err, &bad) || bad.Line != 1 {
		t.Errorf("got %v", err)
	}
	if err := CheckSyntax("a.py", []byte("def f():\n    pass\n")); err != nil {
		t.Errorf("well-formed: %v", err)
	}
}

func TestPublicAPIHasKindsAndLines(t *testing.T) {
	got, err := PublicAPI("a.go", []byte("package a\n\n// T is.\ntype T struct {\n\tA, B int\n}\n\nfunc (T) M(a, b string) (err error) { return nil }\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Declaration{{"T", "type", "type struct", 4}, {"T.A", "field", "int", 5}, {"T.B", "field", "int", 5}, {"T.M", "method", "func(string, string) (error)", 8}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// A file never differs from itself, and adding a declaration changes nothing that was there.
func TestAdditionsAreNoChanges(t *testing.T) {
	declarations := map[string][]string{
		"a.go":   {"func F%d(a int) error { return nil }", "type T%d struct{ A int }", "const C%d = 1", "type I%d interface{ M(string) }"},
		"a.py":   {"def f%d(a, *b, c=1, **d):\n    pass", "class C%d(Base):\n    def m(self, x):\n        pass", "X%d = 1"},
		"a.ts":   {"export function f%d(a: string): void {}", "export class C%d { m(a: number) {} }", "export const c%d = 1;", "export enum E%d { A }"},
		"A.java": {"public class C%d { public void m(int a) {} }", "public interface I%d { void m(); }"},
	}
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom([]string{"a.go", "a.py", "a.ts", "A.java"}).Draw(t, "path")
		lines := []string{}
		if path == "a.go" {
			lines = append(lines, "package a")
		}
		for i := range rapid.IntRange(1, 8).Draw(t, "n") {
			lines = append(lines, fmt.Sprintf(rapid.SampledFrom(declarations[path]).Draw(t, "declaration"), i))
		}
		old := []byte(strings.Join(lines[:len(lines)-1], "\n") + "\n")
		new := []byte(strings.Join(lines, "\n") + "\n")
		if got, err := DiffAPI(path, old, new); err != nil || len(got) != 0 {
			t.Fatalf("an addition: %v, %v", got, err)
		}
		if got, err := DiffAPI(path, new, old); err != nil || len(got) == 0 {
			t.Fatalf("a removal is not seen: %v, %v", got, err)
		}
	})
}
