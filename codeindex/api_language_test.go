//go:build cgo

package codeindex

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// apiCase is one change of a file, and what of its public interface it touches.
type apiCase struct{ name, old, new, want string }

func checkAPI(t *testing.T, path, frame string, cases []apiCase) {
	t.Helper()
	for _, c := range cases {
		fill := func(s string) []byte { return []byte(strings.ReplaceAll(frame, "@", s)) }
		changes, err := DiffAPI(path, fill(c.old), fill(c.new))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, change := range changes {
			got = append(got, change.Symbol+" "+change.Change)
			if change.Change == Signature && (change.Old == "" || change.New == "" || change.Old == change.New) {
				t.Errorf("%s: a change that shows no difference: %+v", c.name, change)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %s\n-> %s\ngot %q, want %q", c.name, c.old, c.new, got, c.want)
		}
	}
}

func TestPublicInterfaceOfGo(t *testing.T) {
	checkAPI(t, "a/a.go", "package a\n@\n", []apiCase{
		{"body", "func F() int { return 1 }", "func F() int { return 2 }", ""},
		{"comment", "func F() {}", "// F does.\nfunc F() {}", ""},
		{"result added", "func F() {}", "func F() error { return nil }", "F signature"},
		{"result named", "func F() error { return nil }", "func F() (err error) { return nil }", ""},
		{"parameters joined", "func F(a int, b int) {}", "func F(a, b int) {}", ""},
		{"variadic", "func F(a []int) {}", "func F(a ...int) {}", "F signature"},
		{"pointer", "func F(a T) {}", "func F(a *T) {}", "F signature"},
		{"unexported", "func f(a int) {}", "", ""},
		{"method of unexported type", "func (t *t) F() {}", "", ""},
		{"method", "func (t *T) F() {}", "", "T.F removed"},
		{"receiver renamed", "func (t *T) F() {}", "func (x *T) F() {}", ""},
		{"method of a generic type", "func (t *T[K]) F(k K) {}", "func (t *T[K]) F(k K, n int) {}", "T.F signature"},
		{"field added", "type T struct { A int }", "type T struct { A, B int }", ""},
		{"field removed", "type T struct { A, B int }", "type T struct { A int }", "T.B removed"},
		{"field hidden", "type T struct { A int }", "type T struct { a int }", "T.A removed"},
		{"private field", "type T struct { a int }", "type T struct { a string }", ""},
		{"tag", "type T struct { A int `json:\"a\"` }", "type T struct { A int }", "T.A signature"},
		{"embedded removed", "type T struct { E }", "type T struct { }", "T.E removed"},
		{"struct to interface", "type T struct{}", "type T interface{}", "T signature"},
		{"alias", "type T = string", "type T string", "T signature"},
		{"interface reordered", "type I interface { B(); A() }", "type I interface { A(); B() }", ""},
		{"interface method changed", "type I interface { A(int) }", "type I interface { A(string) }", "I signature"},
		{"interface parameter renamed", "type I interface { A(a int) }", "type I interface { A(b int) }", ""},
		{"interface embedded", "type I interface { A() }", "type I interface { A(); io.Closer }", "I signature"},
		{"function type", "type F func(int) error", "type F func(string) error", "F signature"},
		{"constraint", "func F[T any](t T) {}", "func F[T ~int](t T) {}", "F signature"},
		{"constant", "const C = 1", "const C = 2", "C signature"},
		{"constant of a group", "const (\n\tA = iota\n\tB\n)", "const (\n\tA = iota\n)", "B removed"},
		{"variable", "var V = 1", "var V = 2", ""},
		{"variable typed", "var V int", "var V string", "V signature"},
		{"error", "var ErrX = errors.New(\"x\")", "", "ErrX removed"},
		{"moved", "func A() {}\nfunc B() {}", "func B() {}\nfunc A() {}", ""},
		{"channel", "func F(c chan int) {}", "func F(c <-chan int) {}", "F signature"},
		{"map", "func F(m map[string]int) {}", "func F(m map[string]int64) {}", "F signature"},
		{"anonymous struct field", "type T struct { A struct { B int } }", "type T struct { A struct { B string } }", "T.A signature"},
	})
}

func TestPublicInterfaceOfPython(t *testing.T) {
	checkAPI(t, "a/a.py", "@\n", []apiCase{
		{"body", "def f(a):\n    return a", "def f(a):\n    return a + 1", ""},
		{"docstring", "def f(a):\n    return a", "def f(a):\n    '''Does.'''\n    return a", ""},
		{"annotated", "def f(a):\n    pass", "def f(a: int) -> int:\n    pass", ""},
		{"default changed", "def f(a=1):\n    pass", "def f(a=2):\n    pass", ""},
		{"default dropped", "def f(a=1):\n    pass", "def f(a):\n    pass", "f signature"},
		{"default given", "def f(a):\n    pass", "def f(a=1):\n    pass", ""},
		{"optional added", "def f(a):\n    pass", "def f(a, b=1):\n    pass", ""},
		{"two optional added", "def f(a):\n    pass", "def f(a, b=1, c=2):\n    pass", ""},
		{"optional added first", "def f(a):\n    pass", "def f(b=1, a=2):\n    pass", "f signature"},
		{"keyword only added", "def f(a):\n    pass", "def f(a, *, b=1):\n    pass", ""},
		{"keyword only required", "def f(a):\n    pass", "def f(a, *, b):\n    pass", "f signature"},
		{"first optional added", "def f():\n    pass", "def f(a=None):\n    pass", ""},
		{"kwargs added", "def f(a):\n    pass", "def f(a, **kw):\n    pass", ""},
		{"renamed parameter", "def f(a):\n    pass", "def f(b):\n    pass", "f signature"},
		{"parameter dropped", "def f(a, b):\n    pass", "def f(a):\n    pass", "f signature"},
		{"private", "def _f(a):\n    pass", "", ""},
		{"async", "def f():\n    pass", "async def f():\n    pass", "f signature"},
		{"method", "class A:\n    def f(self):\n        pass", "class A:\n    x = 1", "A.f removed"},
		{"private class", "class _A:\n    def f(self):\n        pass", "", ""},
		{"base changed", "class A(B):\n    pass", "class A(C):\n    pass", "A signature"},
		{"property", "class A:\n    @property\n    def f(self):\n        pass", "class A:\n    def f(self):\n        pass", "A.f signature"},
		{"static", "class A:\n    @staticmethod\n    def f():\n        pass", "class A:\n    @classmethod\n    def f(cls):\n        pass", "A.f signature"},
		{"other decorator", "@cache\ndef f():\n    pass", "def f():\n    pass", ""},
		{"attribute", "class A:\n    x = 1", "class A:\n    x = 2", ""},
		{"attribute removed", "class A:\n    x = 1", "class A:\n    pass", "A.x removed"},
		{"constant removed", "TIMEOUT = 1", "", "TIMEOUT removed"},
		{"typed constant", "TIMEOUT: int = 1", "", "TIMEOUT removed"},
		{"listed", "__all__ = ['_f']\ndef _f():\n    pass\ndef g():\n    pass", "__all__ = ['_f']", "_f removed"},
		{"listed tuple", "__all__ = ('f', 'g')\ndef f():\n    pass", "__all__ = ('f', 'g')\ndef f(a):\n    pass", "f signature"},
		{"under a condition", "try:\n    def f():\n        pass\nexcept ImportError:\n    pass", "", "f removed"},
		{"overload", "class A:\n    def __init__(self, a, b=1):\n        pass", "class A:\n    def __init__(self, a, b=1, c=2):\n        pass", ""},
		{"nested class", "class A:\n    class B:\n        def f(self):\n            pass", "class A:\n    class B:\n        pass", "A.B.f removed"},
		{"rest added", "def f(a):\n    pass", "def f(a, *b):\n    pass", ""},
		{"splat", "def f(*a):\n    pass", "def f(a):\n    pass", "f signature"},
	})
}

func TestPublicInterfaceOfScripts(t *testing.T) {
	checkAPI(t, "a/a.ts", "@\n", []apiCase{
		{"body", "export function f(a: number) { return a }", "export function f(a: number) { return a + 1 }", ""},
		{"not exported", "function f(a: number) {}", "", ""},
		{"type of a parameter", "export function f(a: number) {}", "export function f(a: string) {}", "f signature"},
		{"optional added", "export function f(a: number) {}", "export function f(a: number, b?: string) {}", ""},
		{"default added", "export function f(a: number) {}", "export function f(a: number, b = 1) {}", ""},
		{"required added", "export function f(a: number) {}", "export function f(a: number, b: string) {}", "f signature"},
		{"result", "export function f(): number { return 1 }", "export function f(): string { return '' }", "f signature"},
		{"arrow", "export const f = (a: number) => a", "export const f = (a: string) => a", "f signature"},
		{"constant typed", "export const c: number = 1", "export const c: string = ''", "c signature"},
		{"class method", "export class A { f(a: number) {} }", "export class A { }", "A.f removed"},
		{"private method", "export class A { private f() {} }", "export class A { }", ""},
		{"protected method", "export class A { protected f() {} }", "export class A { }", ""},
		{"hash", "export class A { #f() {} }", "export class A { }", ""},
		{"field", "export class A { x: number = 1 }", "export class A { x: string = '' }", "A.x signature"},
		{"extends", "export class A extends B {}", "export class A extends C {}", "A signature"},
		{"interface", "export interface I { a: string }", "export interface I { a: number }", "I signature"},
		{"interface spaced", "export interface I { a: string }", "export interface I {\n  a: string\n}", ""},
		{"type", "export type T = A | B", "export type T = A", "T signature"},
		{"enum", "export enum E { A, B }", "export enum E { A }", "E signature"},
		{"default", "export default function (a: number) {}", "export default function (a: string) {}", "default signature"},
		{"default class", "export default class A { f() {} }", "export default class A {}", "default.f removed"},
		{"list", "const a = 1, b = 2; export { a, b }", "const a = 1; export { a }", "b removed"},
		{"renamed", "const a = 1; export { a as b }", "const a = 1; export { a as c }", "b removed"},
		{"again from", "export { a } from './x'", "export { a } from './y'", "a signature"},
		{"all from", "export * from './x'", "", "* ./x removed"},
		{"generic", "export function f<T>(a: T) {}", "export function f<T extends U>(a: T) {}", "f signature"},
		{"async", "export async function f() {}", "export async function f() { await 1 }", ""},
		{"abstract", "export abstract class A { abstract f(): void }", "export abstract class A { }", "A.f removed"},
	})
	checkAPI(t, "a/a.js", "@\n", []apiCase{
		{"module", "module.exports = { a, b }", "module.exports = { a }", "b removed"},
		{"module function", "module.exports = function (a) {}", "module.exports = function (a, b) {}", "default signature"},
		{"module class", "class A { f() {} } module.exports = A", "class A { } module.exports = A", "default.f removed"},
		{"named", "exports.f = function (a) {}", "", "f removed"},
		{"named in place", "module.exports = { f(a) {} }", "module.exports = { f(a, b) {} }", "f signature"},
		{"pair", "function g(a) {} module.exports = { f: g }", "function g() {} module.exports = { f: g }", "f signature"},
		{"optional", "exports.f = (a) => a", "exports.f = (a, b = 1) => a", ""},
		{"rest", "exports.f = (a) => a", "exports.f = (a, ...b) => a", ""},
	})
}

func TestPublicInterfaceOfJava(t *testing.T) {
	checkAPI(t, "src/main/java/A.java", "@\n", []apiCase{
		{"body", "public class A { public int f() { return 1; } }", "public class A { public int f() { return 2; } }", ""},
		{"package private", "class A { public void f() {} }", "", ""},
		{"private", "public class A { private void f() {} }", "public class A { }", ""},
		{"protected", "public class A { protected void f() {} }", "public class A { }", "A.f removed"},
		{"parameter renamed", "public class A { public void f(int a) {} }", "public class A { public void f(int b) {} }", ""},
		{"parameter final", "public class A { public void f(int a) {} }", "public class A { public void f(final int a) {} }", ""},
		{"parameter annotated", "public class A { public void f(int a) {} }", "public class A { public void f(@NonNull int a) {} }", ""},
		{"parameter type", "public class A { public void f(int a) {} }", "public class A { public void f(long a) {} }", "A.f signature"},
		{"result", "public class A { public int f() { return 1; } }", "public class A { public long f() { return 1; } }", "A.f signature"},
		{"throws", "public class A { public void f() {} }", "public class A { public void f() throws IOException {} }", "A.f signature"},
		{"varargs", "public class A { public void f(String[] a) {} }", "public class A { public void f(String... a) {} }", "A.f signature"},
		{"overload dropped", "public class A { public void f() {} public void f(int a) {} }", "public class A { public void f() {} }", "A.f signature"},
		{"overload added", "public class A { public void f() {} }", "public class A { public void f() {} public void f(int a) {} }", ""},
		{"constructor", "public class A { public A(int a) {} }", "public class A { public A() {} }", "A.A signature"},
		{"field", "public class A { public int a; }", "public class A { public long a; }", "A.a signature"},
		{"extends", "public class A extends B {}", "public class A {}", "A signature"},
		{"generic", "public class A<T> {}", "public class A<T extends B> {}", "A signature"},
		{"interface method", "public interface A { void f(); void g(); }", "public interface A { void f(); }", "A.g removed"},
		{"record", "public record A(int a) {}", "public record A(long a) {}", "A signature"},
		{"enum", "public enum A { X, Y }", "public enum A { Y }", "A.X removed"},
		{"inner", "public class A { public static class B { public void f() {} } }", "public class A { public static class B { } }", "A.B.f removed"},
		{"annotation", "public @interface A { String value(); }", "public @interface A { int value(); }", "A.value signature"},
		{"class to interface", "public class A {}", "public interface A {}", "A signature"},
		{"made private", "public class A { public void f() {} }", "public class A { void f() {} }", "A.f removed"},
	})
}

func TestSyntaxErrorsNameTheirPlace(t *testing.T) {
	for _, c := range []struct {
		path, src string
		line      int
		from, to  int // columns
	}{
		{"a.go", "package a\n\nfunc f() {\n\tx :=\n}\n", 5, 1, 1},
		{"a.go", "package a\nfunc f( {}\n", 2, 9, 9},
		{"a.go", "", 1, 1, 1},
		{"a.go", "package a\nfunc f() {\n", 2, 11, 12},
		{"a.go", "package a\nimport \"x\nfunc f() {}\n", 2, 8, 8},
		{"a.py", "def f():\n    return 1\n\nx = (1,\n", 4, 1, 8},
		{"a.py", "x = 1\nif x\n    y = 2\n", 2, 1, 6},
		{"a.py", "x = 1\r\ny = )\r\n", 2, 1, 6},
		{"a.py", "class A\n    pass\n", 1, 1, 9},
		{"a.js", "const a = 1;\nconst b = {a: 1, ;\n", 2, 1, 19},
		{"a.js", "f(\n", 1, 1, 3},
		{"a.js", "let a = `x${`;\n", 1, 1, 15},
		{"a.ts", "interface A {\n  a: string\n", 2, 1, 12},
		{"a.ts", "const a: = 1;\n", 1, 8, 11},
		{"a.tsx", "const a = <div><b></div>;\n", 1, 1, 26},
		{"A.java", "class A {\n  void f() {\n    int x = ;\n  }\n}\n", 3, 5, 14},
		{"A.java", "class A {\n  void f( {}\n}\n", 2, 3, 13},
		{"A.java", "class A {\n", 1, 1, 10},
	} {
		err := CheckSyntax(c.path, []byte(c.src))
		var bad *SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("%s %q: got %v", c.path, c.src, err)
			continue
		}
		if bad.Path != c.path || bad.Line != c.line || bad.Column < c.from || bad.Column > c.to || bad.Message == "" {
			t.Errorf("%s %q: got %v, want line %d, column %d to %d", c.path, c.src, bad, c.line, c.from, c.to)
		}
		if strings.Contains(bad.Error(), "\n") {
			t.Errorf("%q: an error of more than one line: %q", c.src, bad)
		}
	}
}

func TestWellFormedSourceOfEveryLanguagePasses(t *testing.T) {
	for _, c := range []struct{ path, src string }{
		{"a.go", "package a\n\nimport \"iter\"\n\nfunc F[T any](s []T) iter.Seq[T] {\n\treturn func(yield func(T) bool) {\n\t\tfor i := range len(s) {\n\t\t\tif !yield(s[i]) {\n\t\t\t\treturn\n\t\t\t}\n\t\t}\n\t}\n}\n"},
		{"a.py", "import a\n\n\nasync def f(*, x: int | None = None, **kw) -> None:\n    match x:\n        case 1 | 2:\n            pass\n        case _:\n            async with a.b() as c, a.d():\n                print(f\"{x!r:>{10}} {kw['a']}\")\n    if (n := 3) > 2:\n        raise E from None\n"},
		{"a.py", "\ufeffx = 1\r\n"},
		{"a.py", ""},
		{"a.js", "#!/usr/bin/env node\nimport a, { b as c } from 'a';\nexport const f = async ({ x = 1, ...r }) => x?.y ?? r;\nclass A { static #n = 1n; static { this.m = 2; } get x() { return this.#p; } #p; }\nfor await (const z of f()) { label: for (;;) break label; }\n"},
		{"a.mjs", "const x = `a${`b${1}`}`;\n"},
		{"a.ts", "abstract class A<T extends object = {}> implements I { constructor(private readonly x: T, public y?: string) {} abstract f(): asserts this is B; }\ndeclare module 'x' { export type M<T> = { readonly [K in keyof T]?: T[K] extends infer U ? U : never } }\nexport enum E { A = 1 << 2 }\nlet v = <const>['a'];\nfunction g(this: Window, ...a: [x: number, y?: string]): a is string { return true as unknown as boolean }\n"},
		{"a.tsx", "export const C = <T,>({ a }: P<T>) => <><D {...a} on={() => 1}>{a.map((x) => <li key={x}>&nbsp;{x}</li>)}</D></>;\n"},
		{"A.java", "package a;\n\nsealed interface S permits A, B {}\nrecord A(int x) implements S { A { if (x < 0) throw new E(); } }\nenum N { X { void f() {} }; abstract void f(); }\n@interface Q { String[] v() default {}; }\nclass C<T extends Comparable<? super T>> { int f(Object o) { return switch (o) { case Integer i -> i; default -> { yield 1; } }; } String s = \"\"\"\n  x \"y\"\n  \"\"\"; Runnable r = () -> {}; }\n"},
	} {
		if err := CheckSyntax(c.path, []byte(c.src)); err != nil {
			t.Errorf("%s: %v\n%s", c.path, err, c.src)
		}
	}
}

// Cutting a well-formed file anywhere never panics, and an error is within the file.
func TestErrorsOfCutFilesLieWithinThem(t *testing.T) {
	sources := map[string]string{
		"a.go": "package a\n\nfunc F(a int) error {\n\treturn g(a, `x`, 'c')\n}\n", "a.py": "class A(B):\n    @p\n    def f(self, *, a=1):\n        return f'{a}' \"x\"\n",
		"a.ts": "export class A<T> { private f(a?: string): void { return `x${a}` as any } }\n", "A.java": "public class A { @P(\"x\") public void f(int a) { g(() -> a); } }\n",
	}
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom([]string{"a.go", "a.py", "a.ts", "A.java"}).Draw(t, "path")
		src := sources[path]
		from := rapid.IntRange(0, len(src)).Draw(t, "from")
		cut := src[:from] + src[rapid.IntRange(from, len(src)).Draw(t, "to"):]
		err := CheckSyntax(path, []byte(cut))
		var bad *SyntaxError
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("%q: %v", cut, err)
		}
		lines := strings.Split(cut, "\n")
		if bad != nil && (bad.Line < 1 || bad.Line > len(lines) || bad.Column < 1 || bad.Column > len(lines[bad.Line-1])+2) {
			t.Fatalf("%q: %v", cut, bad)
		}
		changes, err := DiffAPI(path, []byte(src), []byte(cut))
		if (err != nil) != (bad != nil) {
			t.Fatalf("%q: the interface is compared although the syntax is wrong, or not although it is right: %v, %v", cut, err, bad)
		}
		if cut == src && len(changes) > 0 {
			t.Fatalf("no change: %v", changes)
		}
	})
}
