package gorecipe

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strings"

	"github.com/remediator/remediator/patch"
)

// Branch is a change of one function's body that was written elsewhere, to be put behind a flag by abstraction: the
// old function stays as it is but for one statement at its top, which leads to a copy that holds the change
// when the flag is on. So the flag's off side is the old code by construction, whatever the change is.
type Branch struct {
	Suspect  int
	File     string
	Function string   // "Type.Method" or "function"
	Body     string   // the new body, braces and all, as it would stand in the file
	Imports  []string // import paths that the new body needs and the file does not have
}

// Draft writes the patch: the guard, the copy, and a test that calls the function and sees the copy run with the
// flag on only. The test says nothing of whether the change mends anything.
func (b Branch) Draft(in *patch.Input) (*patch.Patch, error) {
	f, err := b.find(in)
	if err != nil {
		return nil, err
	}
	args, err := passOn(f)
	if err != nil {
		return nil, err
	}
	g := newGuard(in, b.Suspect, f, "revised")
	r := newRewrite(f)
	for _, p := range b.Imports {
		if name := r.use(p); name != importName(p) {
			return nil, fmt.Errorf("%s cannot be imported into %s under its own name, which is taken there", p, b.File)
		}
	}
	copied := freshCopy(f)
	enabled, decl := g.enabled(r, contextParam(f), f.file.pkg.freshName(f, lower(f.decl.Name.Name)+"RevisedEnabled"))
	note, telemetry := attribute(r, contextParam(f), "revised function", "remediator.revised", "String", fmt.Sprintf("%q", f.key()))
	call := copied + "(" + strings.Join(args, ", ") + ")"
	if f.decl.Recv != nil {
		call = f.decl.Recv.List[0].Names[0].Name + "." + call
	}
	if f.decl.Type.Results.NumFields() > 0 {
		call = "return " + call
	} else {
		call += "\nreturn"
	}
	r.into(f.decl.Body, fmt.Sprintf("if %s {\n%s%s}\n", enabled, indent(note, "\t"), indent(call, "\t")), "\t")
	head := string(f.file.src[f.file.offset(f.decl.Pos()):f.file.offset(f.decl.Body.Lbrace)])
	at := f.file.offset(f.decl.Name.Pos()) - f.file.offset(f.decl.Pos())
	head = head[:at] + copied + head[at+len(f.decl.Name.Name):]
	text := fmt.Sprintf("// %s is %s as it is when the flag %s is on.\n%s%s\n", copied, f.decl.Name.Name, g.flag.Name, head, b.Body)
	if decl != "" {
		text += "\n" + decl
	}
	r.after(f.decl, text)
	source, err := r.bytes()
	if err != nil {
		return nil, err
	}
	p := &patch.Patch{
		Files:     append(g.files, patch.FileEdit{Path: b.File, Kind: patch.SourceFile, Old: f.file.src, New: source}),
		Flag:      g.flag,
		Telemetry: []string{telemetry},
	}
	return p, branchTest{f, g, telemetry}.write(p)
}

func (b Branch) find(in *patch.Input) (*fn, error) {
	p := newTree(in.Base).pkg(path.Dir(b.File))
	if p == nil {
		return nil, fmt.Errorf("the package of %s does not parse", b.File)
	}
	recv, name, method := strings.Cut(b.Function, ".")
	if !method {
		recv, name = "", b.Function
	}
	f := p.function(recv, name)
	if f == nil || f.file.path != b.File {
		return nil, fmt.Errorf("%s has no function %s", b.File, b.Function)
	}
	if f.decl.Type.TypeParams != nil {
		return nil, fmt.Errorf("%s has type parameters, which a copy beside it cannot be called with", b.Function)
	}
	if f.decl.Recv == nil && (name == "init" || name == "main") {
		return nil, fmt.Errorf("%s runs once, so a flag cannot switch it", b.Function)
	}
	if _, err := parser.ParseExpr("func()" + b.Body); err != nil {
		return nil, fmt.Errorf("the new body of %s does not parse: %w", b.Function, err)
	}
	return f, nil
}

// passOn lists the parameters as arguments of the copy.
func passOn(f *fn) ([]string, error) {
	named := func(l *ast.FieldList) error {
		for _, p := range l.List {
			if len(p.Names) == 0 || p.Names[0].Name == "_" {
				return fmt.Errorf("%s has a parameter or receiver without a name, so nothing can be passed on", f.key())
			}
		}
		return nil
	}
	if f.decl.Recv != nil {
		if err := named(f.decl.Recv); err != nil {
			return nil, err
		}
	}
	if err := named(f.decl.Type.Params); err != nil {
		return nil, err
	}
	var out []string
	for _, p := range f.decl.Type.Params.List {
		for _, n := range p.Names {
			if n.Name == "_" {
				return nil, fmt.Errorf("%s has a parameter without a name, so nothing can be passed on", f.key())
			}
			arg := n.Name
			if _, ok := p.Type.(*ast.Ellipsis); ok {
				arg += "..."
			}
			out = append(out, arg)
		}
	}
	return out, nil
}

// contextParam is the name of the function's context, "" without one.
func contextParam(f *fn) string {
	for _, p := range f.file.params(f.decl.Type.Params) {
		if p.typ.isContext() && p.name != "" && p.name != "_" {
			return p.name
		}
	}
	return ""
}

// freshCopy is a name that no file of the package holds, be it a field's or a method's.
func freshCopy(f *fn) string {
	for i := 1; ; i++ {
		name := lower(f.decl.Name.Name) + "Revised"
		if i > 1 {
			name += fmt.Sprint(i)
		}
		word := regexp.MustCompile(`\b` + name + `\b`)
		taken := false
		for _, other := range f.file.pkg.files {
			taken = taken || word.Match(other.src)
		}
		for _, t := range f.file.pkg.tests {
			taken = taken || word.Match(f.file.pkg.tree.read(path.Join(f.file.pkg.dir, t)))
		}
		if !taken && token.IsIdentifier(name) {
			return name
		}
	}
}

// branchTest writes the test of the guard.
type branchTest struct {
	fn        *fn
	guard     guard
	telemetry string
}

var errNoCall = errors.New("no test could be generated: no call of it can be made up from the types of its parameters")

func (b branchTest) write(p *patch.Patch) error {
	f := b.fn
	name := f.file.pkg.freshTest("Test" + upper(f.recv()) + upper(f.decl.Name.Name) + "IsRevisedByItsFlagOnly")
	t := newTestText(f.file.pkg)
	s := newSynth(t)
	s.database = true
	call, ok := s.call(f)
	if !ok {
		return fmt.Errorf("%s: %w", f.key(), errNoCall)
	}
	run := b.watch(t)
	all := strings.Join(s.setup, "\n") + call
	if strings.Contains(all, "arrive") {
		run += fmt.Sprintf("arrive := func(%s.Context) error { return nil }\n", t.use("context"))
	}
	if strings.Contains(all, "server.") {
		h := t.use("net/http")
		run += fmt.Sprintf("server := %s.NewServer(%s.HandlerFunc(func(w %s.ResponseWriter, _ *%s.Request) {\n\tw.Header().Set(\"Content-Type\", \"application/json\")\n\t_, _ = %s.WriteString(w, \"{}\")\n}))\ndefer server.Close()\n", t.use("net/http/httptest"), h, h, h, t.use("io"))
	}
	run += strings.Join(s.setup, "\n")
	if len(s.setup) > 0 {
		run += "\n"
	}
	// What the call comes to does not matter here, and made-up arguments may well make it panic.
	run += "func() {\n\tdefer func() { _ = recover() }()\n" + indent(discard(t, f, call), "\t") + "}()\n"
	run += b.seen(t)
	t.body = fmt.Sprintf(`// %[1]s calls %[2]s and looks which of its two bodies ran.
func %[1]s(t *%[3]s.T) {
	revised := func(t *testing.T) bool {
		t.Helper()
%[4]s	}

	t.Run("flag on", func(t *testing.T) {
%[5]s		if !revised(t) {
			t.Error("the revised body did not run although the flag is on")
		}
	})
	t.Run("flag off", func(t *testing.T) {
%[6]s		if revised(t) {
			t.Error("the revised body ran although the flag is off")
		}
	})
}
`, name, f.key(), t.use("testing"), indent(run, "\t\t"), indent(b.guard.setFlag(t, true), "\t\t"), indent(b.guard.setFlag(t, false), "\t\t"))
	src, err := t.bytes()
	if err != nil {
		return err
	}
	file := freshFile(f.file, "revised")
	p.Files = append(p.Files, patch.FileEdit{Path: file, Kind: patch.TestFile, New: src})
	p.Tests = append(p.Tests, patch.Test{File: file, Name: name, Command: testCommand(f.file.pkg, name), Behavioural: true,
		Checks: fmt.Sprintf("with the flag on the revised body of %s runs, and with it off the old one", f.key())})
	return nil
}

// watch makes what the guard writes visible to the test: a span that keeps its attributes, or the log in memory.
func (b branchTest) watch(t *testText) string {
	ctx := contextParam(b.fn)
	if strings.HasPrefix(b.telemetry, "span attribute") {
		trace, attr := t.use(otelTrace), t.use(otelAttribute)
		name := b.fn.file.pkg.freshDecl("revisedSpan")
		t.decls = append(t.decls, fmt.Sprintf(`// %[1]s keeps the attributes it is given.
type %[1]s struct {
	%[2]s.Span
	set []%[3]s.KeyValue
}

func (s *%[1]s) SetAttributes(kv ...%[3]s.KeyValue) { s.set = append(s.set, kv...) }
`, name, trace, attr))
		return fmt.Sprintf("span := &%s{Span: %s.SpanFromContext(%s.Background())}\nctx := %s.ContextWithSpan(%s.Background(), span)\n", name, trace, t.use("context"), trace, t.use("context"))
	}
	out := ""
	if ctx != "" {
		out = fmt.Sprintf("ctx := %s.Background()\n", t.use("context"))
	}
	out += fmt.Sprintf("var written %s.Buffer\n", t.use("bytes"))
	if m := b.fn.file.pkg.module; m != nil && m.minor >= 21 {
		l := t.use("log/slog")
		return out + fmt.Sprintf("before := %s.Default()\n%s.SetDefault(%s.New(%s.NewTextHandler(&written, nil)))\ndefer %s.SetDefault(before)\n", l, l, l, l, l)
	}
	l := t.use("log")
	return out + fmt.Sprintf("before := %s.Writer()\n%s.SetOutput(&written)\ndefer %s.SetOutput(before)\n", l, l, l)
}

func (b branchTest) seen(t *testText) string {
	if strings.HasPrefix(b.telemetry, "span attribute") {
		return "for _, kv := range span.set {\n\tif kv.Key == \"remediator.revised\" {\n\t\treturn true\n\t}\n}\nreturn false\n"
	}
	return fmt.Sprintf("return %s.Contains(written.Bytes(), []byte(\"remediator.revised\"))\n", t.use("bytes"))
}
