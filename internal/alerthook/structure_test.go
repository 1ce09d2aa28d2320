package alerthook

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// Credentials are compared by functions whose time does not depend on where two values differ, and every one of
// them is compared whatever the others were. That is shown by the code: a clock shows nothing reliably.
func TestCredentialsAreComparedInConstantTime(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "credentials.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var check *ast.FuncDecl
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "check" {
			check = f
		}
	}
	if check == nil {
		t.Fatal("there is no check any more: move this test to where credentials are compared")
	}
	calls := map[string]int{}
	ast.Inspect(check, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok {
				if pkg, ok := f.X.(*ast.Ident); ok {
					calls[pkg.Name+"."+f.Sel.Name]++
				}
			}
		}
		return true
	})
	for _, name := range []string{"subtle.ConstantTimeCompare", "hmac.Equal", "sha256.Sum256"} {
		if calls[name] != 1 {
			t.Errorf("%s is called %d times", name, calls[name])
		}
	}
	for _, name := range []string{"bytes.Equal", "bytes.Compare", "strings.EqualFold", "strings.HasPrefix", "slices.Equal", "reflect.DeepEqual"} {
		if calls[name] > 0 {
			t.Errorf("%s is called: its time shows where two values differ", name)
		}
	}
	// No way out before the last statement, which only looks at the verdicts.
	for _, s := range check.Body.List[:len(check.Body.List)-2] {
		ast.Inspect(s, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ReturnStmt, *ast.BranchStmt:
				t.Error("check ends early: what is compared then depends on what was wrong")
			case *ast.BinaryExpr:
				// Names of headers may be compared, values may not.
				if slices.Contains([]token.Token{token.EQL, token.NEQ}, n.Op) && !emptyText(n.Y) {
					t.Error("check compares with an operator")
				}
			}
			return true
		})
	}
}

func emptyText(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Value == `""`
}

func FuzzSignatures(f *testing.F) {
	sum := sign("k", alertBody)
	for _, seed := range []string{sum, "v1=" + sum + ",v1=" + sum, "sha256=" + sum, "0mVgiZc+NnAvXLZyyCIaEjLZkVjEyVsNDBrmr8pyMuo=", "v1=", ",,,,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := signatures([]string{value, value})
		if len(got) > maxSignatures {
			t.Fatalf("%d signatures", len(got))
		}
		for _, s := range got {
			if len(s) != 32 {
				t.Fatalf("a signature of %d bytes", len(s))
			}
		}
	})
}
