//go:build cgo

package extract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/remediator/remediator/codeindex/facts"
)

// symbolsOf are the symbols of a source as "kind name from-to", with a star for exported ones.
func symbolsOf(f *facts.File) string {
	var out []string
	for _, s := range f.Symbols {
		star := ""
		if s.Exported {
			star = "*"
		}
		out = append(out, fmt.Sprintf("%s %s%s %d-%d", s.Kind, s.Name, star, s.From, s.To))
	}
	return strings.Join(out, "\n")
}

func TestSymbolsOfEveryLanguage(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"a.go", `package a

const A, b = 1, 2

var (
	V int
)

type S struct {
	E
	f func()
}

type I interface{ M() }

type F func()

func (s *S) M() {
	func() {
	}()
}

func (g G[K, V]) m() {}

func init() {}
`, `constant A* 3-3
constant b 3-3
variable V* 6-6
class S* 9-12
interface I* 14-14
type F* 16-16
method S.M* 18-21
method G.m 23-23
function init 25-25`},
		{"a.py", `X = 1


class A(B, C):
    y = 2

    @property
    def f(self):
        def g():
            pass
        return g

    async def _h(self):
        pass

    class D:
        def e(self): pass


@decorated(
    1,
)
def k(): return 1
`, `constant X* 1-1
class A* 4-17
method A.f* 7-11
function A.f.g 9-10
method A._h 13-14
class A.D* 16-17
method A.D.e* 17-17
function k* 20-23`},
		{"a.ts", `export const A = 1;
let b = 2;
export function f() {
  function g() {}
}
export const h = async () => {
  return 1;
};
export abstract class C extends D implements I {
  x = () => 1;
  #y = 2;
  constructor() { super(); }
  private m() {}
  get z() { return 1; }
  static s() {}
}
export interface I { a: string }
export type T = string;
export enum E { A }
export default function () {}
`, `constant A* 1-1
variable b 2-2
function f* 3-5
function f.g 4-4
function h* 6-8
class C* 9-16
method C.x* 10-10
method C.constructor* 12-12
method C.m 13-13
method C.z* 14-14
method C.s* 15-15
interface I* 17-17
type T* 18-18
type E* 19-19
function default* 20-20`},
		{"a.js", `const x = require('x');
exports.f = function () {
};
module.exports.g = () => 1;
A.prototype.h = function () {};
app.get('/x', (req, res) => {
  res.end();
});
module.exports = {
  i() {},
  j: async () => {
  },
};
`, `constant x 1-1
function f* 2-3
function g* 4-4
function A.h 5-5
closure app.get("/x") 6-8
function i 10-10
function j 11-12`},
		{"A.java", `package a.b;

@Service
public class A extends B implements C, D<E> {
    private static final int N = 1, M = 2;
    String s;

    A() {
    }

    @Override
    public void f() {
        new Runnable() {
            public void run() {}
        };
    }

    enum X { P, Q; void g() {} }

    interface Y { void h(); }

    record Z(int i) {}
}
`, `class A* 3-23
constant A.N 5-5
constant A.M 5-5
variable A.s 6-6
method A.A 8-9
method A.f* 11-16
method A.f.run* 14-14
class A.X 18-18
method A.X.g 18-18
interface A.Y 20-20
method A.Y.h 20-20
class A.Z 22-22`},
	} {
		if got := symbolsOf(extracted(t, c.name, c.src)); got != c.want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestBasesAndImports(t *testing.T) {
	for _, c := range []struct{ name, src, bases, imports string }{
		{"a.go", "package a\nimport (\n\t\"x/y\"\n\tz \"x/w\"\n\t_ \"q\"\n)\ntype A struct { B; *c.D }\n", "B D", "|x/y| z|x/w| _|q|"},
		{"a.py", "import x.y\nimport x as z\nfrom . import w\nfrom .p import q as r, s\nclass A(B, c.D, metaclass=M): pass\n", "B c.D", "|x.y| z|x| w|.|w r|.p|q s|.p|s"},
		{"a.ts", "import x, { y as z } from './a';\nimport * as w from 'b';\nimport 'side';\nexport class A extends B<T> implements C {}\n", "B C", "x|./a|default z|./a|y w|b|"},
		{"a.js", "const x = require('./a');\nconst { y, z: w } = require('b');\nclass A extends B.C {}\n", "B.C", "x|./a| y|b|y w|b|z"},
		{"A.java", "package a; import b.C; import static d.E.f; class A extends B implements C, D {}", "B C D", "C|b.C| f|d.E.f|"},
	} {
		f := extracted(t, c.name, c.src)
		var bases, imports []string
		for _, s := range f.Symbols {
			bases = append(bases, s.Bases...)
		}
		for _, i := range f.Imports {
			imports = append(imports, i.Name+"|"+i.Path+"|"+i.Item)
		}
		if strings.Join(bases, " ") != c.bases || strings.Join(imports, " ") != c.imports {
			t.Errorf("%s: bases %q, want %q\nimports %q\nwant    %q", c.name, bases, c.bases, strings.Join(imports, " "), c.imports)
		}
	}
}
