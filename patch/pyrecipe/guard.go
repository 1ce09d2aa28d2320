package pyrecipe

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
	"github.com/remediator/remediator/patch"
)

// guard is the flag around new behaviour, as code in one file, and the mark it leaves in the telemetry.
type guard struct {
	flag  *patch.Flag
	on    string // expression that is true when the flag is on
	needs []need
	// marks are the lines that leave a mark in the telemetry; a tab is one step of indentation.
	marks     []string
	telemetry []string
	files     []patch.FileEdit // that declare the flag, off
	// setup are lines for a test that turn the flag on, imports what they need.
	setup   []string
	imports []string
}

// newGuard chooses the flag's form: OpenFeature where the service's Python uses it and the provider's file is at
// hand, so that a replay can turn the flag on; else an environment variable that is read at every call.
func newGuard(in *patch.Input, suspect int, s *source, function ts.Node, effect string) (*guard, error) {
	operation := in.Suspects[suspect].Service + "_" + strings.TrimSuffix(path.Base(s.path), ".py")
	if function != ts.None {
		operation = in.Suspects[suspect].Service + "_" + s.qualified(function)
	}
	g := &guard{flag: patch.EnvFlag(operation, effect)}
	if !g.openFeature(in, s, operation, effect) {
		g.on = fmt.Sprintf("os.environ.get(%q) == \"true\"", g.flag.Name)
		g.needs = append(g.needs, need{"os", ""})
	}
	if _, err := s.imports(g.needs...); err != nil {
		return nil, err
	}
	g.mark(in.Base, s, function, effect)
	return g, nil
}

// openFeature makes the flag one of OpenFeature's if it can.
func (g *guard) openFeature(in *patch.Input, s *source, operation, effect string) bool {
	if in.Provider != "openfeature" && in.Provider != "flagd" || in.FlagFile == "" || !importsModule(s, "openfeature") && !beside(in.Base, s, openFeatureImport) {
		return false
	}
	old, mode, err := patch.ReadBase(in.Base, in.FlagFile)
	if err != nil {
		return false
	}
	name := patch.Slug("remediator-"+operation+"-"+effect, '-', 64)
	off, on, err := patch.DeclareFlag(old, name)
	if err != nil {
		return false
	}
	g.files = []patch.FileEdit{{Path: in.FlagFile, Kind: patch.FlagFile, Mode: mode, Old: old, New: off}}
	g.flag = &patch.Flag{
		Name:     name,
		Provider: "openfeature",
		On:       map[string]string{},
		Off:      map[string]string{},
		HowOn:    fmt.Sprintf("set defaultVariant of %s to \"on\" in %s", name, in.FlagFile),
		HowOff:   fmt.Sprintf("set defaultVariant of %s to \"off\" in %s, or delete it there", name, in.FlagFile),
		Files:    []patch.FileEdit{{Path: in.FlagFile, Kind: patch.FlagFile, Mode: mode, Old: off, New: on}},
	}
	client := openFeatureClient(s)
	if client == "" {
		client = "api.get_client()"
		g.needs = append(g.needs, need{"openfeature", "api"})
	}
	g.on = fmt.Sprintf("%s.get_boolean_value(%q, False)", client, name)
	g.imports = []string{"from openfeature import api", "from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider"}
	g.setup = []string{fmt.Sprintf(`api.set_provider(InMemoryProvider({%q: InMemoryFlag("on", {"on": True, "off": False})}))`, name)}
	return true
}

// mark chooses what a reviewer of telemetry will see of the new behaviour: an attribute of the current span where
// the service has OpenTelemetry for certain, the same through a module of the service that does without
// where it is not installed, else a line in the log.
func (g *guard) mark(base fs.FS, s *source, function ts.Node, effect string) {
	key := "remediator." + patch.Slug(effect, '_', 40)
	attribute := fmt.Sprintf("trace.get_current_span().set_attribute(%q, True)", key)
	try := func(marks []string, telemetry string, needs ...need) bool {
		if _, err := s.imports(needs...); err != nil {
			return false
		}
		g.marks, g.telemetry, g.needs = marks, []string{telemetry}, append(g.needs, needs...)
		return true
	}
	if function != ts.None { // at import there is no span
		if importsModule(s, "opentelemetry") || beside(base, s, openTelemetryImport) {
			if try([]string{attribute}, key, need{"opentelemetry", "trace"}) {
				return
			}
		}
		if module := optionalTrace(base, s); module != "" && try([]string{"if trace is not None:", "\t" + attribute}, key, need{module, "trace"}) {
			return
		}
	}
	message := fmt.Sprintf("(%q)", key)
	if logger := moduleLogger(s); logger != "" && try([]string{logger + ".info" + message}, "log: "+key) {
		return
	}
	try([]string{"logging.getLogger(__name__).info" + message}, "log: "+key, need{"logging", ""})
}

// lines writes the marks at an indentation.
func (g *guard) lines(indent, unit, nl string) string {
	var b strings.Builder
	for _, m := range g.marks {
		b.WriteString(indent + strings.ReplaceAll(m, "\t", unit) + nl)
	}
	return b.String()
}

// moduleLogger is the module's logger, "" if it has none.
func moduleLogger(s *source) string {
	for _, c := range s.children(s.tree.Root()) {
		a := s.ofKind(c, "assignment")
		if a != ts.None && s.is(s.child(a, "left"), "identifier") && strings.HasSuffix(s.text(s.child(s.child(a, "right"), "function")), "getLogger") {
			return s.text(s.child(a, "left"))
		}
	}
	return ""
}

// importsModule reports whether a file imports a module or a part of it at the top level.
func importsModule(s *source, module string) bool {
	for _, i := range s.topImports() {
		if m := s.importModule(i); m == module || strings.HasPrefix(m, module+".") {
			return true
		}
	}
	return false
}

// openFeatureClient is the module-level name of a client, "" if there is none.
func openFeatureClient(s *source) string {
	for _, c := range s.children(s.tree.Root()) {
		a := s.ofKind(c, "assignment")
		if a == ts.None || !s.is(s.child(a, "left"), "identifier") {
			continue
		}
		if f := s.text(s.child(s.child(a, "right"), "function")); strings.HasSuffix(f, "get_client") && importsModule(s, "openfeature") {
			return s.text(s.child(a, "left"))
		}
	}
	return ""
}

var (
	openTelemetryImport = regexp.MustCompile(`(?m)^(from|import) +opentelemetry\b`)
	openFeatureImport   = regexp.MustCompile(`(?m)^(from|import) +openfeature\b`)
	// A module that sets trace to None where OpenTelemetry is not installed.
	traceOrNone = regexp.MustCompile(`(?s)try:.*?from opentelemetry import [^\n]*\btrace\b.*?except (ImportError|ModuleNotFoundError).*?\n[ \t]+trace *= *None`)
)

// siblings reads the Python files in a file's directory, tests left out.
func siblings(base fs.FS, s *source, visit func(name string, src []byte) bool) {
	entries, err := fs.ReadDir(base, path.Dir(s.path))
	if err != nil {
		return
	}
	for _, e := range entries[:min(200, len(entries))] {
		name := path.Join(path.Dir(s.path), e.Name())
		if !e.Type().IsRegular() || path.Ext(name) != ".py" || isTest(e.Name()) || name == s.path {
			continue
		}
		if src, _, err := patch.ReadBase(base, name); err == nil && visit(e.Name(), src) {
			return
		}
	}
}

// beside reports whether another file in the directory has such an import at its top level.
func beside(base fs.FS, s *source, re *regexp.Regexp) (found bool) {
	siblings(base, s, func(_ string, src []byte) bool {
		found = re.Match(src)
		return found
	})
	return found
}

// optionalTrace is the module of the same package that has trace, or None in its place; "" if there is none, or
// if it imports this file in turn.
func optionalTrace(base fs.FS, s *source) (module string) {
	stem := strings.TrimSuffix(path.Base(s.path), ".py")
	siblings(base, s, func(name string, src []byte) bool {
		if !traceOrNone.Match(src) || regexp.MustCompile(`(?m)^\s*(from|import)\b.*\b`+regexp.QuoteMeta(stem)+`\b`).Match(src) {
			return false
		}
		module = strings.TrimSuffix(name, ".py")
		if exists(base, path.Join(path.Dir(s.path), "__init__.py")) {
			module = "." + module
		}
		return true
	})
	return module
}
