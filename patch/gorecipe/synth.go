package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"unicode"
)

// synth makes up the arguments of a call in a test from the types and names of its parameters. What the call
// reaches outside is either the test's HTTP server, by the address it is given, or a stub made for an
// interface or a function value; used says which.
type synth struct {
	t        *testText
	pkg      *pkg
	attempts int // for parameters that bound attempts
	setup    []string
	server   bool // the server's address is given somewhere
	stubbed  bool // a stub that answers is given somewhere
	stubs    map[string]string
	depth    int
	uses     map[string]int // how often a variable's name was given out
	// fields fixes values of struct fields by name: conditions on the way to the place under test.
	fields map[string]string
	// nilAt leaves a field nil: "Type.Field".
	nilAt string
	// database lets a stub stand for the database too.
	database bool
	bounds   map[string]bool   // names of parameters and fields that bound the attempts
	params   map[string]string // fixed values of parameters of the function under test
	// For tests of a missing value: slices get an element, which is nil itself if so asked, stubs return nil
	// pointers, and nilMade says that the value in question will be nil.
	elements, nilElement, nilResults, missing, nilMade bool

	typeParams map[string]bool // of the function under test
	handler    bool            // the function under test answers requests
}

func newSynth(t *testText) *synth {
	return &synth{t: t, pkg: t.pkg, attempts: 4, stubs: map[string]string{}, uses: map[string]int{}, params: map[string]string{}, bounds: map[string]bool{}, fields: map[string]string{}}
}

var (
	addressName  = regexp.MustCompile(`(?i)(url|uri|addr|address|base|baseurl|endpoint|host|target|server|origin|remote|upstream)$|^(url|addr|base|endpoint|host)`)
	pathName     = regexp.MustCompile(`(?i)(path|route)$`)
	attemptsName = regexp.MustCompile(`(?i)(attempt|retr|tries|max)`)
	timeoutName  = regexp.MustCompile(`(?i)(timeout|deadline|budget|ttl|limit|max)`)
	pauseName    = regexp.MustCompile(`(?i)(delay|wait|sleep|interval|backoff|pause|base|min)`)
)

// call makes the expression that calls f, receiver and all.
func (s *synth) call(f *fn) (string, bool) {
	s.typeParams = map[string]bool{}
	if tp := f.decl.Type.TypeParams; tp != nil {
		for _, p := range tp.List {
			for _, n := range p.Names {
				s.typeParams[n.Name] = true
			}
		}
	}
	var args []string
	params := f.file.params(f.decl.Type.Params)
	for _, p := range params {
		s.handler = s.handler || p.typ.is("net/http", "ResponseWriter")
	}
	for _, p := range params {
		if p.variadic {
			continue
		}
		if p.typ.kind == unknown && s.typeParams[p.typ.name] {
			args = append(args, "1")
			continue
		}
		v, ok := s.params[p.name]
		if !ok {
			v, ok = s.value(p.typ, p.name)
		}
		if !ok {
			return "", false
		}
		args = append(args, v)
	}
	list := "(" + strings.Join(args, ", ") + ")"
	if f.decl.Recv == nil {
		return f.decl.Name.Name + list, true
	}
	recv := f.file.params(f.decl.Recv)
	if len(recv) == 0 || recv[0].typ.kind == unknown {
		return "", false
	}
	v, ok := s.receiver(recv[0].typ)
	if !ok {
		return "", false
	}
	return v + "." + f.decl.Name.Name + list, true
}

// receiver makes a value of a method's receiver and gives it a name.
func (s *synth) receiver(t typ) (string, bool) {
	v, ok := s.value(t, "receiver")
	if !ok {
		return "", false
	}
	if strings.HasPrefix(v, "&") || strings.Contains(v, "{") || !isName(v) {
		name := s.name("subject")
		s.setup = append(s.setup, name+" := "+v)
		return name, true
	}
	return v, true
}

func isName(s string) bool {
	for _, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return s != ""
}

func (s *synth) name(base string) string {
	s.uses[base]++
	if s.uses[base] == 1 {
		return base
	}
	return fmt.Sprintf("%s%d", base, s.uses[base])
}

// value makes an expression of a type for a parameter or field of a name.
func (s *synth) value(t typ, name string) (string, bool) {
	if s.depth > 6 {
		return "", false
	}
	s.depth++
	defer func() { s.depth-- }()
	if v, ok := s.known(t, name); ok {
		return v, true
	}
	switch t.kind {
	case basic:
		return s.basic(t, name)
	case pointer:
		return s.pointer(t, name)
	case named:
		return s.named(t, name)
	case slice:
		if t.elem.isBasic("byte") {
			return "[]byte(`{}`)", true
		}
		return s.slice(t, name), true
	case mapping, channel:
		return "nil", true
	case function:
		return s.function(t)
	case iface:
		if len(t.expr.(*ast.InterfaceType).Methods.List) == 0 {
			return "nil", true
		}
	case strukt:
		return "", false
	}
	return "", false
}

// slice is nil, or holds one element where elements are asked for.
func (s *synth) slice(t typ, name string) string {
	if !s.elements {
		return "nil"
	}
	text, ok := s.typeText(t)
	if !ok {
		return "nil"
	}
	if s.nilElement && t.elem.kind == pointer {
		return text + "{nil}"
	}
	v, ok := s.value(*t.elem, name)
	if !ok {
		return "nil"
	}
	return text + "{" + v + "}"
}

func (s *synth) basic(t typ, name string) (string, bool) {
	switch {
	case t.name == "string":
		if addressName.MatchString(name) {
			s.server = true
			if s.pkg.prefixesScheme(name) {
				return "server.Listener.Addr().String()", true
			}
			return "server.URL", true
		}
		if pathName.MatchString(name) {
			return `"/remediator"`, true
		}
		return `"remediator"`, true
	case t.isInteger():
		if s.bounds[name] || attemptsName.MatchString(name) {
			return fmt.Sprint(s.attempts), true
		}
		return "1", true
	case t.name == "bool":
		return "false", true
	case t.name == "float64" || t.name == "float32":
		return "1", true
	case t.name == "error":
		return s.t.use("errors") + `.New("remediator")`, true
	case t.name == "any":
		return "nil", true
	}
	return "", false
}

// prefixesScheme says whether the package puts "http://" before a field or variable of this name.
func (p *pkg) prefixesScheme(name string) bool {
	re := regexp.MustCompile(`"https?://("\s*\+\s*|%s[^\n]*)([a-zA-Z_]+\.)*` + regexp.QuoteMeta(name) + `\b`)
	for _, f := range p.files {
		if re.Match(f.src) {
			return true
		}
	}
	return false
}

// known makes values of types of other packages.
func (s *synth) known(t typ, name string) (string, bool) {
	base := t
	if t.kind == pointer {
		base = *t.elem
	}
	if base.kind != named {
		return "", false
	}
	isPtr := t.kind == pointer
	switch base.path + "." + base.name {
	case "context.Context":
		return "ctx", !isPtr
	case "net/http.Client":
		if isPtr {
			return "server.Client()", true
		}
		return "*server.Client()", true
	case "net/http.RoundTripper":
		return "server.Client().Transport", !isPtr
	case "net/http.Request":
		if s.handler {
			return fmt.Sprintf(`%s.NewRequest("POST", "/", %s.NewReader("{}"))`, s.t.use("net/http/httptest"), s.t.use("strings")), isPtr
		}
		req := s.name("req")
		s.server = true
		s.setup = append(s.setup, fmt.Sprintf("%s, err := %s.NewRequestWithContext(ctx, %s.MethodGet, server.URL, nil)\nif err != nil {\n\tt.Fatal(err)\n}", req, s.t.use("net/http"), s.t.use("net/http")))
		return req, isPtr
	case "net/http.ResponseWriter":
		return s.t.use("net/http/httptest") + ".NewRecorder()", !isPtr
	case "database/sql.DB":
		if v, ok := s.db(); ok && isPtr {
			return v, true
		}
		return "", false
	case "net/http.Header":
		return "nil", !isPtr
	case "net/url.URL":
		u := s.name("address")
		s.server = true
		s.setup = append(s.setup, fmt.Sprintf("%s, err := %s.Parse(server.URL)\nif err != nil {\n\tt.Fatal(err)\n}", u, s.t.use("net/url")))
		if isPtr {
			return u, true
		}
		return "*" + u, true
	case "net/url.Values":
		return "nil", !isPtr
	case "time.Duration":
		tm := s.t.use("time")
		switch {
		case isPtr:
			return "", false
		case timeoutName.MatchString(name):
			return "30 * " + tm + ".Second", true
		case pauseName.MatchString(name):
			return tm + ".Millisecond", true
		}
		return tm + ".Second", true
	case "time.Time":
		if isPtr {
			return "nil", true
		}
		return s.t.use("time") + ".Now()", true
	case "log/slog.Logger":
		sl := s.t.use("log/slog")
		return fmt.Sprintf("%s.New(%s.NewTextHandler(%s.Discard, nil))", sl, sl, s.t.use("io")), isPtr
	case "log.Logger":
		return fmt.Sprintf("%s.New(%s.Discard, \"\", 0)", s.t.use("log"), s.t.use("io")), isPtr
	case "go.uber.org/zap.Logger":
		return s.t.use("go.uber.org/zap") + ".NewNop()", isPtr
	case "io.Reader":
		return s.t.use("strings") + `.NewReader("{}")`, !isPtr
	case "io.Writer":
		return s.t.use("io") + ".Discard", !isPtr
	case "testing.T":
		return "t", isPtr
	case "sync.Mutex", "sync.RWMutex", "sync.WaitGroup", "sync.Once", "sync.Map":
		if !isPtr {
			return "", false // left at its zero value
		}
		return "&" + s.t.use("sync") + "." + base.name + "{}", true
	case "go.opentelemetry.io/otel/trace.Tracer":
		return s.t.use("go.opentelemetry.io/otel/trace/noop") + `.NewTracerProvider().Tracer("")`, !isPtr
	case "go.opentelemetry.io/otel/trace.TracerProvider":
		return s.t.use("go.opentelemetry.io/otel/trace/noop") + ".NewTracerProvider()", !isPtr
	}
	if base.path == "go.opentelemetry.io/otel/metric" && !isPtr {
		noop := s.t.use("go.opentelemetry.io/otel/metric/noop")
		switch base.name {
		case "Meter":
			return noop + `.NewMeterProvider().Meter("")`, true
		case "MeterProvider":
			return noop + ".NewMeterProvider()", true
		}
		return noop + "." + base.name + "{}", true
	}
	return "", false
}

// pointer makes a pointer to a struct of the repository: by its constructor where there is one that can be
// called, as a literal otherwise.
func (s *synth) pointer(t typ, name string) (string, bool) {
	if t.elem.kind != named {
		return "", false
	}
	if v, ok := s.construct(*t.elem, true); ok {
		return v, true
	}
	if t.elem.under(s.pkg).kind != strukt {
		return "", false
	}
	v, ok := s.literal(*t.elem)
	return "&" + v, ok
}

func (s *synth) named(t typ, name string) (string, bool) {
	if s.pkg.tree.imported(s.pkg, t.path) == nil {
		return "", false
	}
	u := t.under(s.pkg)
	switch u.kind {
	case strukt:
		if v, ok := s.construct(t, false); ok {
			return v, true
		}
		return s.literal(t)
	case iface:
		return s.stub(t, u)
	case function:
		return s.function(u)
	case basic, named:
		v, ok := s.value(u, name)
		if !ok {
			return "", false
		}
		return s.ref(t) + "(" + v + ")", s.ref(t) != ""
	case slice:
		if s.elements && s.ref(t) != "" {
			if v := s.slice(u, name); v != "nil" {
				return s.ref(t) + "(" + v + ")", true
			}
		}
		return "nil", true
	case mapping:
		return "nil", true
	}
	return "", false
}

// ref writes the name of a type of the repository in the test file, "" when it is not visible there.
func (s *synth) ref(t typ) string {
	if t.path == s.pkg.path {
		return t.name
	}
	if !token.IsExported(t.name) {
		return ""
	}
	return s.t.use(t.path) + "." + t.name
}
