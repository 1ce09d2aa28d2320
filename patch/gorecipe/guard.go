package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/remediator/remediator/patch"
)

const (
	otelTrace     = "go.opentelemetry.io/otel/trace"
	otelAttribute = "go.opentelemetry.io/otel/attribute"
	openFeature   = "github.com/open-feature/go-sdk/openfeature"
)

// guard is the flag of one change: how the code asks for it and how a test sets it.
type guard struct {
	flag *patch.Flag
	// client is an expression for the OpenFeature client, "" where an environment variable decides.
	client string
	files  []patch.FileEdit // that declare the flag, off
}

// newGuard names the flag after the service, the function and the effect. OpenFeature is used where the
// repository says so, the module has its SDK and the provider's file is at hand: a flag that a replay cannot turn on
// proves nothing. Anything else is an environment variable.
func newGuard(in *patch.Input, i int, f *fn, effect string) guard {
	service := in.Suspects[i].Service
	g := guard{flag: patch.EnvFlag(service+"_"+snake(f.decl.Name.Name), effect)}
	p := f.file.pkg
	if in.Provider != "openfeature" || in.FlagFile == "" || !p.usesOpenFeature() {
		return g
	}
	old := p.tree.read(in.FlagFile)
	name := patch.Slug("remediator-"+service+"-"+snake(f.decl.Name.Name)+"-"+effect, '-', 64)
	off, on, err := patch.DeclareFlag(old, name)
	if err != nil {
		return g
	}
	edit := patch.FileEdit{Path: in.FlagFile, Kind: patch.FlagFile, Mode: 0o100644}
	turnOn := edit
	edit.Old, edit.New = old, off
	turnOn.Old, turnOn.New = off, on
	g.files = []patch.FileEdit{edit}
	g.flag = &patch.Flag{
		Name: name, Provider: "openfeature",
		On: map[string]string{}, Off: map[string]string{},
		HowOn:  fmt.Sprintf("set defaultVariant of %s to \"on\" in %s", name, in.FlagFile),
		HowOff: fmt.Sprintf("set defaultVariant of %s to \"off\" in %s, or delete it there", name, in.FlagFile),
		Files:  []patch.FileEdit{turnOn},
	}
	g.client = p.flagClient(patch.Slug(service, '-', 40))
	return g
}

// flagClient is the expression for the OpenFeature client: the package's own variable where it has one, a new
// client of the domain otherwise.
func (p *pkg) flagClient(domain string) string {
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				s := s.(*ast.ValueSpec)
				for k, v := range s.Values {
					c, ok := v.(*ast.CallExpr)
					if !ok || callName(c) != "NewClient" || k >= len(s.Names) {
						continue
					}
					if sel, ok := c.Fun.(*ast.SelectorExpr); ok && f.imports[identName(sel.X)] == openFeature {
						return s.Names[k].Name
					}
				}
			}
		}
	}
	return fmt.Sprintf("openfeature.NewClient(%q)", domain)
}

func (p *pkg) usesOpenFeature() bool {
	for _, f := range p.files {
		if _, ok := f.imported(openFeature); ok {
			return true
		}
	}
	return p.module.has(openFeature)
}

// enabled is the expression that is true when the flag is on. name is a function for OpenFeature, whose
// declaration is returned for the file to hold.
func (g guard) enabled(r *rewrite, ctx, helper string) (expr, decl string) {
	if g.client == "" {
		return fmt.Sprintf("%s.Getenv(%q) == \"true\"", r.use("os"), g.flag.Name), ""
	}
	of, c := r.use(openFeature), r.use("context")
	if ctx == "" {
		ctx = c + ".Background()"
	}
	decl = fmt.Sprintf(`// %[1]s asks the feature flag; without an answer the behaviour stays as it was.
func %[1]s(ctx %[2]s.Context) bool {
	on, err := %[4]s.BooleanValue(ctx, %[5]q, false, %[3]s.EvaluationContext{})
	return err == nil && on
}
`, helper, c, of, strings.Replace(g.client, "openfeature.", of+".", 1), g.flag.Name)
	return fmt.Sprintf("%s(%s)", helper, ctx), decl
}

// not negates an expression made by enabled.
func not(expr string) string {
	if strings.Contains(expr, " == ") {
		return strings.Replace(expr, " == ", " != ", 1)
	}
	return "!" + expr
}

// setFlag is the statement of a test that turns the flag on or off.
func (g guard) setFlag(t *testText, on bool) string {
	if g.client == "" {
		return fmt.Sprintf("t.Setenv(%q, %q)", g.flag.Name, strconv.FormatBool(on))
	}
	variant := "off"
	if on {
		variant = "on"
	}
	mem := t.use(openFeature + "/memprovider")
	return fmt.Sprintf(`if err := %s.SetProviderAndWait(%s.NewInMemoryProvider(map[string]%s.InMemoryFlag{
	%q: {Key: %q, State: %s.Enabled, DefaultVariant: %q, Variants: map[string]any{"on": true, "off": false}},
})); err != nil {
	t.Fatal(err)
}`, t.use(openFeature), mem, mem, g.flag.Name, g.flag.Name, mem, variant)
}

// attribute is a statement that leaves a trace of the change in the telemetry the service has: an attribute of
// the current span, or a line of the log. It belongs behind the flag.
func attribute(r *rewrite, ctx, message, key, goKind, value string) (stmt, telemetry string) {
	if ctx != "" && r.file.pkg.hasTracing() {
		return fmt.Sprintf("%s.SpanFromContext(%s).SetAttributes(%s.%s(%q, %s))",
			r.use(otelTrace), ctx, r.use(otelAttribute), goKind, key, value), "span attribute " + key
	}
	if m := r.file.pkg.module; m != nil && m.minor >= 21 {
		if ctx != "" {
			return fmt.Sprintf("%s.InfoContext(%s, %q, %q, %s)", r.use("log/slog"), ctx, message, key, value), "log field " + key
		}
		return fmt.Sprintf("%s.Info(%q, %q, %s)", r.use("log/slog"), message, key, value), "log field " + key
	}
	return fmt.Sprintf("%s.Printf(\"%s: %s=%%v\", %s)", r.use("log"), message, key, value), "log field " + key
}

// hasTracing says whether the package can import the tracing API: a file of it does, or its module
// requires it.
func (p *pkg) hasTracing() bool {
	for _, f := range p.files {
		if _, ok := f.imported(otelTrace); ok {
			return true
		}
	}
	return p.module.has(otelTrace) && p.module.has(otelAttribute)
}

// snake splits a Go name into words joined by underscores.
func snake(name string) string {
	var b strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// freshName is a package-level name that nothing in the package or the function uses.
func (p *pkg) freshName(f *fn, base string) string {
	used := f.names()
	for i := 1; ; i++ {
		name := base
		if i > 1 {
			name += strconv.Itoa(i)
		}
		if !used[name] && !p.declares(name) && f.file.imports[name] == "" {
			return name
		}
	}
}

// lower makes a helper's name of a function's: "Charge" -> "charge", "HTTPGet" -> "httpGet".
func lower(name string) string {
	rs := []rune(name)
	for i := range rs {
		if i > 0 && i+1 < len(rs) && unicode.IsLower(rs[i+1]) {
			break
		}
		rs[i] = unicode.ToLower(rs[i])
	}
	return string(rs)
}

// zeros finds what the function returns beside an error when it fails: in the words of one of its own
// returns, or the zero values of its results. ok is false where it returns no error.
func (s scope) zeros(r *rewrite) (prefix string, ok bool) {
	ft, body := s.enclosing()
	results := s.file().params(ft.Results)
	if len(results) == 0 || !results[len(results)-1].typ.isError() {
		return "", false
	}
	if len(results) == 1 {
		return "", true
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok {
			return false
		}
		ret, isReturn := n.(*ast.ReturnStmt)
		if !isReturn || prefix != "" || len(ret.Results) != len(results) || isNil(ret.Results[len(results)-1]) {
			return true
		}
		var parts []string
		for _, e := range ret.Results[:len(results)-1] {
			if !s.zeroLike(e) {
				return true
			}
			parts = append(parts, s.file().text(e))
		}
		prefix = strings.Join(parts, ", ") + ", "
		return true
	})
	if prefix != "" {
		return prefix, true
	}
	var parts []string
	for i, p := range results[:len(results)-1] {
		z := s.zero(p.typ, ft, i)
		if z == "" {
			return "", false
		}
		parts = append(parts, z)
	}
	return strings.Join(parts, ", ") + ", ", true
}

// zeroLike says whether an expression is a zero value by its looks.
func (s scope) zeroLike(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value == "0" || e.Value == `""` || e.Value == "0.0"
	case *ast.Ident:
		if d := s.declared(e.Name); d != nil { // "var zero T" that stays so
			return d.typ != nil && d.value == nil && !d.param && !d.elem && !reassignedLater(s.fn, e.Name) && !s.addressed(e.Name)
		}
		return e.Name == "nil" || e.Name == "false"
	case *ast.CompositeLit:
		return len(e.Elts) == 0
	}
	return false
}

// addressed says whether the function takes the address of a variable, through which it may change.
func (s scope) addressed(name string) bool {
	hit := false
	ast.Inspect(s.fn.decl.Body, func(n ast.Node) bool {
		u, ok := n.(*ast.UnaryExpr)
		hit = hit || ok && u.Op == token.AND && identName(u.X) == name
		return true
	})
	return hit
}

func isNil(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "nil"
}

// zero is the zero value of a result's type in source, "" where it is not known.
func (s scope) zero(t typ, ft *ast.FuncType, i int) string {
	u := t.under(s.pkg())
	switch u.kind {
	case pointer, slice, mapping, channel, function, iface:
		return "nil"
	case basic:
		switch {
		case u.name == "string":
			return `""`
		case u.name == "bool":
			return "false"
		case u.name == "error" || u.name == "any":
			return "nil"
		}
		return "0"
	case strukt:
		n := 0
		for _, f := range ft.Results.List {
			k := max(1, len(f.Names))
			if i < n+k {
				return s.file().text(f.Type) + "{}"
			}
			n += k
		}
	}
	return ""
}

// service finds the configuration of a suspect's service.
func service(in *patch.Input, i int) patch.Service { return in.Services[in.Suspects[i].Service] }

// testCommand runs one test of a package from the repository's root.
func testCommand(p *pkg, name string) []string {
	dir := "."
	if p.module != nil && p.module.dir != "." {
		dir = p.module.dir
	}
	rel := strings.TrimPrefix(strings.TrimPrefix(p.dir, dir), "/")
	if dir == "." {
		rel = p.dir
	}
	target := "./" + path.Clean(rel)
	if rel == "" || rel == "." {
		target = "."
	}
	cmd := []string{"go"}
	if dir != "." {
		cmd = append(cmd, "-C", dir)
	}
	return append(cmd, "test", "-count=1", "-run", "^"+name+"$", target)
}
