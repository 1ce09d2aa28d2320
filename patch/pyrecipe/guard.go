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

// guard is the flag around new behaviour, as code in one file.
type guard struct {
	flag      *patch.Flag
	on        string // expression that is true when the flag is on
	needs     []need
	attribute string // statement that marks the span, "" without OpenTelemetry
	telemetry []string
	// setup are lines for a test that turn the flag on, indented by one step of four within a
	// with statement that env opens.
	setup   []string
	imports []string
}

// newGuard chooses the flag's form: OpenFeature where the repository uses it, else an environment variable
// that is read at every call.
func newGuard(in *patch.Input, s *source, operation, effect string) (*guard, error) {
	g := &guard{flag: patch.EnvFlag(operation, effect)}
	if in.Provider == "openfeature" || in.Provider == "flagd" || importsModule(s, "openfeature") {
		name := patch.Slug("remediator-"+operation+"-"+effect, '-', 64)
		g.flag = &patch.Flag{
			Name:     name,
			Provider: "openfeature",
			HowOn:    "turn the boolean flag " + name + " on in the OpenFeature provider",
			HowOff:   "turn the boolean flag " + name + " off in the OpenFeature provider, or delete it: the default is off",
		}
		client := openFeatureClient(s)
		if client == "" {
			client = "api.get_client()"
			g.needs = append(g.needs, need{"openfeature", "api"})
		}
		g.on = fmt.Sprintf("%s.get_boolean_value(%q, False)", client, name)
		g.imports = []string{"from openfeature import api", "from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider"}
		g.setup = []string{fmt.Sprintf(`api.set_provider(InMemoryProvider({%q: InMemoryFlag("on", {"on": True, "off": False})}))`, name)}
	} else {
		g.on = fmt.Sprintf("os.environ.get(%q) == \"true\"", g.flag.Name)
		g.needs = append(g.needs, need{"os", ""})
	}
	if usesOpenTelemetry(in.Base, s) {
		key := "remediator." + patch.Slug(effect, '_', 40)
		g.attribute = fmt.Sprintf("trace.get_current_span().set_attribute(%q, True)", key)
		g.telemetry = []string{key}
		g.needs = append(g.needs, need{"opentelemetry", "trace"})
	}
	if _, err := s.imports(g.needs...); err != nil {
		if g.attribute == "" {
			return nil, err
		}
		// Without the attribute the change still stands; the flag is what it cannot do without.
		g.attribute, g.telemetry, g.needs = "", nil, g.needs[:len(g.needs)-1]
		if _, err := s.imports(g.needs...); err != nil {
			return nil, err
		}
	}
	return g, nil
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

var openTelemetryImport = regexp.MustCompile(`(?m)^(from|import) +opentelemetry\b`)

// usesOpenTelemetry reports whether the file, or another in its directory, imports OpenTelemetry.
func usesOpenTelemetry(base fs.FS, s *source) bool {
	if importsModule(s, "opentelemetry") {
		return true
	}
	entries, err := fs.ReadDir(base, path.Dir(s.path))
	if err != nil {
		return false
	}
	for _, e := range entries[:min(200, len(entries))] {
		if !e.Type().IsRegular() || path.Ext(e.Name()) != ".py" {
			continue
		}
		if src, _, err := patch.ReadBase(base, path.Join(path.Dir(s.path), e.Name())); err == nil && openTelemetryImport.Match(src) {
			return true
		}
	}
	return false
}
