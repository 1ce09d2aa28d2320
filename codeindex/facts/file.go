package facts

// File is what one source file says. Positions are lines from 1; functions are positions in
// Symbols, None where a fact stands outside of any function.
type File struct {
	Language string
	Package  string // Go package name, Java package, "" elsewhere
	// Generated files are indexed, since stack frames lead into them, but never first choice.
	Generated bool
	Test      bool // a test file by the conventions of its language

	Symbols []Symbol
	Calls   []Call
	Sites   []Site
	Consts  []Const
	Imports []Import
	// Broken says that the file has syntax errors, so that facts may be missing.
	Broken bool
}

// None is the function of a fact at file level.
const None = -1

// SymbolKind is what a symbol declares.
type SymbolKind uint8

// The kinds of symbols.
const (
	Function SymbolKind = iota
	Method
	Class
	Interface
	Type
	Constant
	Variable
	// Closure is a function without a name that is registered at file level, such as an Express
	// handler; its name is the registration: `app.post("/orders/:id")`.
	Closure
)

func (k SymbolKind) String() string {
	switch k {
	case Function:
		return "function"
	case Method:
		return "method"
	case Class:
		return "class"
	case Interface:
		return "interface"
	case Type:
		return "type"
	case Constant:
		return "constant"
	case Variable:
		return "variable"
	case Closure:
		return "closure"
	}
	return "unknown"
}

// Callable says whether code runs in symbols of the kind.
func (k SymbolKind) Callable() bool { return k == Function || k == Method || k == Closure }

// Symbol is one declaration.
type Symbol struct {
	Name     string // qualified within the file: "Type.Method", "Outer.Inner.method"
	Kind     SymbolKind
	From, To int32
	Exported bool
	// Bases are the superclasses and interfaces that a class names.
	Bases []string
	// Test names the framework whose test this is: "go test", "testify", "pytest", "unittest",
	// "jest", "junit"; "" for everything else.
	Test string
}

// Call is one call expression.
type Call struct {
	Callee string // as written, without arguments: "s.bank.Charge", "tracer.spanBuilder().startSpan"
	Line   int32
	Func   int32 // the calling function
}

// SiteKind is what telemetry a site explains.
type SiteKind uint8

// The kinds of sites.
const (
	Span      SiteKind = iota // a span is started here
	Route                     // a handler is registered for a route here
	Mount                     // a group of routes gets a prefix here
	Log                       // a log record is written here
	Outgoing                  // another service is called here
	Statement                 // a database statement stands here
	Logger                    // a logger is named here
)

func (k SiteKind) String() string {
	return [...]string{"span", "route", "mount", "log", "call", "statement", "logger"}[k]
}

// Site is a literal, or what is known of a computed text, that telemetry shows again. In Text,
// Hole stands for a value known at run time only, and RefOpen name RefClose for a constant that is
// declared elsewhere.
type Site struct {
	Kind    SiteKind
	Text    string
	Method  string // HTTP method, upper case; "" when not known
	Handler string // of a route: the handler as written; of a mount: the router
	// HandlerFrom and HandlerTo are the lines of a handler that is written in place.
	HandlerFrom, HandlerTo int32
	Line                   int32
	Func                   int32
	Via                    string // how the site was recognised: "tracer.Start", "@PostMapping"
}

// What stands in Site.Text for parts that are no literals.
const (
	Hole     = "<*>"
	RefOpen  = "\x01"
	RefClose = "\x02"
)

// Const is a text constant that other files may refer to.
type Const struct {
	Name  string // "routeCharge", "Routes.CHARGE"
	Value string
}

// Import binds a name to what another file or package declares.
type Import struct {
	Name string // local name; "" when the language binds the path's last element
	Path string // as written: "example.com/shop/bank", "./bank", "app.bank"
	Item string // the imported declaration, "" for the whole module
}
