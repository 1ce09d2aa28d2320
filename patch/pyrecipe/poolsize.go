package pyrecipe

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

type poolSize struct{}

// NewPoolSize returns the recipe that enlarges a pool whose size is a literal in code: SQLAlchemy, psycopg,
// asyncpg, aiohttp, redis, pymongo, urllib3 and thread pools.
func NewPoolSize() patch.Recipe { return poolSize{} }

func (poolSize) Name() string     { return "py-pool-size@1" }
func (poolSize) Rung() patch.Rung { return patch.Code }

// poolArguments names the argument that bounds the pool, by the last part of the maker's name; a number is a
// position.
var poolArguments = map[string][]string{
	"create_engine":          {"pool_size"},
	"create_async_engine":    {"pool_size"},
	"QueuePool":              {"pool_size", "1"},
	"ConnectionPool":         {"max_size", "max_connections"},
	"AsyncConnectionPool":    {"max_size"},
	"BlockingConnectionPool": {"max_connections"},
	"Redis":                  {"max_connections"},
	"SimpleConnectionPool":   {"maxconn", "1"},
	"ThreadedConnectionPool": {"maxconn", "1"},
	"create_pool":            {"max_size", "maxsize"},
	"MySQLConnectionPool":    {"pool_size"},
	"PooledDB":               {"maxconnections"},
	"TCPConnector":           {"limit"},
	"MongoClient":            {"maxPoolSize"},
	"HTTPAdapter":            {"pool_maxsize"},
	"PoolManager":            {"maxsize"},
	"HTTPConnectionPool":     {"maxsize"},
	"ThreadPoolExecutor":     {"max_workers", "0"},
	"Semaphore":              {"value", "0"},
	"BoundedSemaphore":       {"value", "0"},
}

// poolLiteral is the number that bounds a pool.
type poolLiteral struct {
	s     *source
	call  ts.Node
	value ts.Node
	name  string // keyword of the argument, or its position
}

func (r poolSize) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	p, ok := pattern(in.Suspects[i], localize.PatternPoolWait)
	if !ok {
		return nil, nil
	}
	leave := func(format string, args ...any) ([]patch.Option, []patch.Left) {
		return nil, []patch.Left{{Rung: patch.Code, Recipe: r.Name(), Why: fmt.Sprintf(format, args...)}}
	}
	files := pythonFiles(in, i)
	if len(files) == 0 {
		return nil, nil
	}
	size := int(value(p, "max"))
	if size == 0 || float64(size) != value(p, "max") {
		return leave("the size of the saturated pool is not recorded; record the pool's maximum as a metric")
	}
	want, why := patch.PoolSize(p)
	if want == 0 {
		return leave("%s", why)
	}
	var found []poolLiteral
	for _, f := range files {
		s, err := open(in.Base, f)
		if err != nil {
			continue // a file that does not parse holds no literal for us
		}
		found = append(found, s.pools(size)...)
	}
	if len(found) == 0 {
		return leave("no pool in the service's Python code is made with the literal size %d", size)
	}
	if len(found) > 1 {
		var at []string
		for _, f := range found {
			at = append(at, fmt.Sprintf("%s:%d", f.s.path, f.s.line(f.value)))
		}
		return leave("ambiguous: pools of size %d are made at %s", size, strings.Join(at, ", "))
	}
	f := found[0]
	return []patch.Option{{
		ID:     "code-py-pool-size",
		Rung:   patch.Code,
		Title:  fmt.Sprintf("Raise the pool in %s from %d to %d", path.Base(f.s.path), size, want),
		Why:    why,
		Recipe: r.Name(),
		Params: map[string]string{"file": f.s.path, "from": strconv.Itoa(size), "to": strconv.Itoa(want)},
		Target: fmt.Sprintf("%s:%d", f.s.path, f.s.line(f.value)),
		Size:   1,
	}}, nil
}

// pools lists the pools that a file makes with this size.
func (s *source) pools(size int) (out []poolLiteral) {
	for _, c := range s.all(s.tree.Root(), "call") {
		f := s.text(s.child(c, "function"))
		names := poolArguments[f[strings.LastIndexByte(f, '.')+1:]]
		position := 0
		for _, a := range s.children(s.child(c, "arguments")) {
			v, name := a, strconv.Itoa(position)
			if s.is(a, "keyword_argument") {
				v, name = s.child(a, "value"), s.text(s.child(a, "name"))
			} else {
				position++
			}
			if slices.Contains(names, name) && s.is(v, "integer") && s.text(v) == strconv.Itoa(size) {
				out = append(out, poolLiteral{s, c, v, name})
			}
		}
	}
	return out
}

func (r poolSize) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	s, err := open(in.Base, o.Params["file"])
	if err != nil {
		return nil, err
	}
	found := s.pools(number(o.Params["from"]))
	if len(found) != 1 {
		return nil, fmt.Errorf("%s makes %d pools of size %s; the plan expected one", s.path, len(found), o.Params["from"])
	}
	f := found[0]
	function := s.enclosing(f.call, "function_definition")
	g, err := newGuard(in, o.Suspect, s, function, "pool_size")
	if err != nil {
		return nil, err
	}
	edits := []edit{{s.tree.Start(f.value), s.tree.Stop(f.value), fmt.Sprintf("%s if %s else %s", o.Params["to"], g.on, o.Params["from"])}}
	st := s.statement(f.call)
	if ind, err := s.indent(st); err == nil {
		at, nl := s.lineStart(s.tree.Start(st)), s.newline()
		edits = append(edits, edit{at, at, ind + "if " + g.on + ":" + nl + g.lines(ind+s.unit(), s.unit(), nl)})
	} else {
		g.telemetry = nil
	}
	p, err := finish(in, s, o, g, edits)
	if err != nil {
		return nil, err
	}
	p.Summary = []string{fmt.Sprintf("With the flag on when the pool is made, it holds %s rather than %s.", o.Params["to"], o.Params["from"])}
	p.Risks = []string{
		"The flag is read when the pool is made; switching it takes a restart.",
		"What the pool connects to has to accept that many more connections from every instance.",
	}
	return p, addTest(in, p, s, g, poolTest(s, f, function, g, o.Params["to"]))
}

// poolTest makes the pool with its maker replaced and looks at the size it is given.
func poolTest(s *source, f poolLiteral, function ts.Node, g *guard, want string) body {
	name := "test_pool_size"
	if function != ts.None {
		name = testName(s, function, "pool_size")
	} else {
		name = "test_" + patch.Slug(strings.TrimSuffix(path.Base(s.path), ".py"), '_', 40) + "_pool_size"
	}
	return body{
		name:     name,
		title:    "The pool is made with the larger size.",
		imports:  []string{"import importlib"},
		function: function,
		checks:   "the maker of the pool is called with the new size when the flag is on",
		write: func(t *script) error {
			maker := s.text(s.child(f.call, "function"))
			object, attribute := t.module, maker
			if k := strings.LastIndexByte(maker, '.'); k >= 0 {
				object, attribute = t.module+"."+maker[:k], maker[k+1:]
			}
			argument := fmt.Sprintf(".kwargs[%q]", f.name)
			if f.name[0] <= '9' {
				argument = fmt.Sprintf(".args[%s]", f.name)
			}
			if function == ts.None {
				// The module makes the pool when it is imported: import it again. A name that it imports from elsewhere is
				// replaced where it comes from.
				origin, err := s.origin(maker)
				if err != nil {
					return err
				}
				t.with("mock.patch(%q) as maker", origin+"."+attribute)
				t.add("importlib.reload(%s)", t.module)
			} else {
				w := newWorld(s, function)
				if err := w.reach(f.call); err != nil {
					return err
				}
				w.numbers()
				t.with("mock.patch.object(%s, %q) as maker", object, attribute)
				call, err := w.prepare(t)
				if err != nil {
					return err
				}
				t.add("%s", call)
			}
			t.add("assert maker.call_args%s == %s", argument, want)
			return nil
		},
	}
}

// origin is the module from which the file has the maker.
func (s *source) origin(maker string) (string, error) {
	root, rest, dotted := strings.Cut(maker, ".")
	for _, i := range s.topImports() {
		for _, c := range s.children(i) {
			if s.is(c, "aliased_import") && s.text(s.child(c, "alias")) == root {
				from := s.text(s.child(c, "name"))
				if s.is(i, "import_from_statement") {
					from = s.importModule(i) + "." + from
				}
				if k := strings.LastIndexByte(rest, '.'); k >= 0 {
					from += "." + rest[:k]
				}
				return from, nil
			}
			if !s.is(c, "dotted_name") || s.tree.Field(c) != "name" {
				continue
			}
			switch {
			case s.is(i, "import_from_statement") && s.text(c) == root:
				from := s.importModule(i)
				if dotted {
					from += "." + root
					if k := strings.LastIndexByte(rest, '.'); k >= 0 {
						from += "." + rest[:k]
					}
				}
				return from, nil
			case s.is(i, "import_statement") && dotted && (s.text(c) == root || strings.HasPrefix(s.text(c), root+".")):
				return maker[:strings.LastIndexByte(maker, '.')], nil
			}
		}
	}
	return "", fmt.Errorf("where %s comes from is not evident from the imports", maker)
}

// pythonFiles lists the Python sources of the suspect's service, or those beside its located code.
func pythonFiles(in *patch.Input, i int) []string {
	var out []string
	add := func(p string) {
		if path.Ext(p) == ".py" && patch.KindOf(p) == patch.SourceFile && !slices.Contains(out, p) && len(out) < 300 {
			out = append(out, p)
		}
	}
	dirs := map[string]bool{}
	if i < len(in.Locations) {
		for _, l := range in.Locations[i] {
			if path.Ext(l.File) == ".py" {
				dirs[path.Dir(l.File)] = true
			}
		}
	}
	if globs := in.Services[in.Suspects[i].Service].Paths; len(globs) > 0 {
		seen := 0
		_ = fs.WalkDir(in.Base, ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // what cannot be read makes no pool
			}
			if seen++; seen > 50_000 {
				return fs.SkipAll
			}
			if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == ".venv" || d.Name() == "site-packages") {
				return fs.SkipDir
			}
			if d.Type().IsRegular() && slices.ContainsFunc(globs, func(g string) bool { return patch.MatchGlob(g, p) }) {
				add(p)
			}
			return nil
		})
		return out
	}
	for dir := range dirs {
		entries, err := fs.ReadDir(in.Base, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.Type().IsRegular() {
				add(path.Join(dir, e.Name()))
			}
		}
	}
	slices.Sort(out)
	return out
}
