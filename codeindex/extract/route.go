package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// routerVerbs are functions, in lower case, that register a handler for one method.
var routerVerbs = map[string]string{
	"get": "GET", "post": "POST", "put": "PUT", "delete": "DELETE", "patch": "PATCH", "head": "HEAD", "options": "OPTIONS",
	"any": "", "all": "", "del": "DELETE",
}

// routeMarks are annotations and decorators, by the last part of their name, that make a route of a
// function: Spring, JAX-RS, Micronaut, NestJS, Flask, FastAPI, aiohttp.
var routeMarks = map[string]string{
	"GetMapping": "GET", "PostMapping": "POST", "PutMapping": "PUT", "DeleteMapping": "DELETE", "PatchMapping": "PATCH",
	"RequestMapping": "", "GET": "GET", "POST": "POST", "PUT": "PUT", "DELETE": "DELETE", "PATCH": "PATCH", "HEAD": "HEAD",
	"Get": "GET", "Post": "POST", "Put": "PUT", "Delete": "DELETE", "Patch": "PATCH", "Head": "HEAD", "All": "",
	"get": "GET", "post": "POST", "put": "PUT", "delete": "DELETE", "patch": "PATCH", "head": "HEAD",
	"route": "", "websocket": "GET", "api_route": "", "api_view": "", "Path": "",
	"GetExchange": "GET", "PostExchange": "POST", "PutExchange": "PUT", "DeleteExchange": "DELETE", "PatchExchange": "PATCH", "HttpExchange": "",
	"GrpcMethod": "POST", "MessagePattern": "", "EventPattern": "",
}

// routes recognises everything that registers a handler, with the prefixes of groups.
func (c *collector) routes() {
	c.routeMarks()
	prefixes := c.groups()
	for _, x := range c.calls {
		c.route(x, prefixes)
	}
}

// groups gives the prefix of every router variable: r.Group("/api"), Blueprint(url_prefix=...),
// APIRouter(prefix=...), PathPrefix("/api").Subrouter(). A group of a group carries both.
func (c *collector) groups() map[string]string {
	prefixes := map[string]string{}
	for _, x := range c.calls {
		outer := x
		if last(x.callee) == "Subrouter" && x.on != nil {
			outer = x
			x = x.on
		}
		prefix, ok := "", false
		switch last(x.callee) {
		case "Group", "PathPrefix", "Route", "basePath", "group":
			if prefix, ok = x.literal(0); ok {
				prefix = c.settle(prefix, x.fn)
			}
		case "Blueprint":
			if a, found := x.key("url_prefix"); found {
				prefix, ok = c.settle(a.orHole(), x.fn), true
			}
		case "APIRouter", "Router", "FastAPI", "Elysia":
			for _, key := range []string{"prefix", "root_path"} {
				if a, found := x.key(key); found {
					prefix, ok = c.settle(a.orHole(), x.fn), true
				}
			}
			for _, a := range x.args {
				if v, found := lookup(a.elems, "prefix"); found && a.kind == object {
					prefix, ok = c.settle(v.orHole(), x.fn), true
				}
			}
		}
		if !ok {
			continue
		}
		base := prefixes[front(x.callee)]
		if x.on != nil {
			base = ""
		}
		if target := outer.target; target != "" {
			prefixes[target] = slashed(base, prefix)
		}
		for _, a := range x.args {
			if a.kind == lambda && len(c.mounted) < maxMounted {
				c.mounted = append(c.mounted, span{a.line, a.to, slashed(base, prefix)})
			}
		}
	}
	return prefixes
}

// registers says whether a call puts a handler on a router, rather than calling a service.
func (c *collector) registers(x *call) bool {
	path, ok := x.literal(0)
	if !ok {
		return false
	}
	path = c.settle(path, x.fn)
	handler := false
	for i := 1; i < len(x.args); i++ {
		a := x.args[i]
		if a.key != "" {
			continue
		}
		if a.kind == lambda || a.kind == named && a.text != "nil" && a.text != "null" || a.kind == called {
			handler = true
		}
	}
	receiver := front(x.callee)
	if !handler || receiver == "" || !strings.HasPrefix(path, "/") && path != "" && path != "*" {
		return false
	}
	for _, a := range x.args[1:] {
		if a.kind == lambda && (a.key == "") && !c.isClient(receiver) {
			return true
		}
	}
	if c.isClient(receiver) && !c.isRouter(receiver) {
		return false
	}
	return c.isRouter(receiver)
}

func (c *collector) isRouter(receiver string) bool {
	receiver, _, _ = strings.Cut(receiver, ".With()") // chi: r.With(middleware).Get(...)
	end := strings.ToLower(last(strings.TrimSuffix(receiver, "()")))
	for _, known := range routerNames {
		if end == known {
			return true
		}
	}
	if strings.HasSuffix(end, "router") || strings.HasSuffix(end, "mux") || strings.HasSuffix(end, "group") || strings.HasSuffix(end, "routes") || strings.HasSuffix(end, "app") {
		return true
	}
	for _, maker := range c.makers(receiver) {
		switch last(maker) {
		case "Group", "NewRouter", "NewServeMux", "Default", "Router", "express", "fastify", "Fastify", "Subrouter", "Hono", "Flask", "FastAPI", "APIRouter", "Blueprint", "NewMux":
			return true
		case "New":
			switch front(maker) {
			case "gin", "echo", "fiber", "chi", "mux":
				return true
			}
		}
	}
	return false
}

// route recognises one registration.
func (c *collector) route(x *call, prefixes map[string]string) {
	name := last(x.callee)
	lower := strings.ToLower(name)
	receiver := front(x.callee)
	method, verb := routerVerbs[lower]
	pathAt, handlerAt := 0, 1
	switch {
	case (name == "HandleFunc" || name == "Handle" || name == "HandlerFunc" || name == "Handler") && x.on == nil:
		// net/http, gorilla, chi; gin's and httprouter's Handle and chi's Method begin with the method.
		if first, ok := x.arg(0); ok {
			if m := methodOf(first); m != "" && len(x.args) > 2 {
				method, pathAt, handlerAt = m, 1, 2
			}
		}
	case (name == "HandlerFunc" || name == "Handler" || name == "HandleFunc") && x.on != nil && chainPath(x) != nil:
		// gorilla: r.Methods("POST").Path("/x").HandlerFunc(h)
		p := chainPath(x)
		path, _ := p.literal(0)
		root := p
		for root.on != nil {
			root = root.on
		}
		h, _ := x.arg(0)
		c.addRoute(x, chainVerb(x), slashed(prefixes[front(root.callee)], c.settle(path, x.fn)), h)
		return
	case name == "Method" || name == "MethodFunc" || name == "Add" || name == "Handle":
		first, ok := x.arg(0)
		if !ok {
			return
		}
		if method = methodOf(first); method == "" {
			return
		}
		pathAt, handlerAt = 1, 2
	case verb && x.on != nil && last(x.on.callee) == "route":
		// express: router.route("/x").get(h)
		path, ok := x.on.literal(0)
		if !ok {
			return
		}
		c.addRoute(x, method, slashed(prefixes[front(x.on.callee)], c.settle(path, x.fn)), handlerOf(x, 0))
		return
	case verb && c.registers(x):
	case name == "route" && c.file.Language != "python" && len(x.args) == 1:
		c.routeObject(x, prefixes)
		return
	case name == "add_url_rule" || name == "add_api_route" || name == "add_route" || name == "add_get" || name == "add_post":
		c.urlRule(x, prefixes)
		return
	case x.callee == "path" || x.callee == "re_path" || x.callee == "url":
		c.django(x)
		return
	case name == "register" && c.file.Language == "python" && len(x.args) >= 2:
		if path, ok := x.literal(0); ok && static(c.settle(path, x.fn)) != "" && isName(x.args[1]) {
			c.addRoute(x, "", "/"+strings.Trim(c.settle(path, x.fn), "/"), x.args[1])
		}
		return
	case name == "Mount" || name == "use" || name == "include_router" || name == "register_blueprint" || name == "register":
		c.mount(x, prefixes)
		return
	default:
		return
	}
	path, ok := x.literal(pathAt)
	if !ok {
		return
	}
	path = c.settle(path, x.fn)
	if static(path) == "" && receiver != "http" && !c.isRouter(receiver) {
		return
	}
	// Patterns of net/http since Go 1.22 begin with the method: "POST /orders/{id}".
	if m, rest, cut := strings.Cut(path, " "); cut && httpMethods[m] {
		method, path = m, strings.TrimSpace(rest)
	}
	if path != "" && !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, facts.Hole) && !strings.HasPrefix(path, facts.RefOpen) && path != "*" {
		if i := strings.IndexByte(path, '/'); i < 0 || c.file.Language != "go" {
			return
		} else if name == "Handle" || name == "HandleFunc" { // a host before the path
			path = path[i:]
		}
	}
	prefix := prefixes[receiver]
	if prefix == "" {
		for _, m := range c.mounted {
			if x.line >= m.from && x.line <= m.to {
				prefix = slashed(prefix, m.prefix)
			}
		}
	}
	if x.on != nil && prefix == "" { // r.With(mw).Get("/x", h)
		root := x
		for root.on != nil {
			root = root.on
		}
		prefix = prefixes[front(root.callee)]
	}
	h := handlerOf(x, handlerAt)
	if strings.Contains(strings.Join(importPaths(c.file), " "), "labstack/echo") {
		h, _ = x.arg(handlerAt) // what follows the handler is middleware
	}
	if method == "" {
		method = c.later(x)
	}
	c.addRoute(x, method, slashed(prefix, path), h)
}

// later finds the method that gorilla is told after the handler: HandleFunc(...).Methods("POST").
func (c *collector) later(x *call) string {
	if c.chained == nil {
		c.chained = map[*call]*call{}
		for _, y := range c.calls {
			if y.on != nil && last(y.callee) == "Methods" {
				c.chained[y.on] = y
			}
		}
	}
	y, ok := c.chained[x]
	if !ok {
		return ""
	}
	var methods []string
	for _, a := range y.args {
		if m := methodOf(a); m != "" {
			methods = append(methods, m)
		}
	}
	return strings.Join(methods, ",")
}

func chainPath(x *call) *call {
	for on := x.on; on != nil; on = on.on {
		if n := last(on.callee); n == "Path" || n == "PathPrefix" {
			return on
		}
	}
	return nil
}

func chainVerb(x *call) string {
	for on := x.on; on != nil; on = on.on {
		if last(on.callee) == "Methods" {
			if a, ok := on.arg(0); ok {
				return methodOf(a)
			}
		}
	}
	return ""
}

// routeObject recognises fastify.route({method, url, handler}).
func (c *collector) routeObject(x *call, prefixes map[string]string) {
	o, _ := x.arg(0)
	if o.kind != object {
		return
	}
	var path string
	for _, key := range []string{"url", "path"} {
		if v, ok := lookup(o.elems, key); ok {
			path = c.settle(v.orHole(), x.fn)
		}
	}
	if path == "" {
		return
	}
	method := ""
	if v, ok := lookup(o.elems, "method"); ok {
		method = methods(v)
	}
	h, _ := lookup(o.elems, "handler")
	c.addRoute(x, method, slashed(prefixes[front(x.callee)], path), h)
}

// methods reads one HTTP method or a list of them.
func methods(v value) string {
	if v.kind != list {
		if t, ok := v.template(); ok && httpMethods[strings.ToUpper(t)] {
			return strings.ToUpper(t)
		}
		return methodOf(v)
	}
	var all []string
	for _, e := range v.elems {
		if m := methods(e); m != "" {
			all = append(all, m)
		}
	}
	return strings.Join(all, ",")
}

// urlRule recognises app.add_url_rule("/x", "name", view), app.add_api_route("/x", view).
func (c *collector) urlRule(x *call, prefixes map[string]string) {
	path, ok := x.literal(0)
	if !ok {
		return
	}
	method := ""
	if m, ok := x.key("methods"); ok {
		method = methods(m)
	}
	switch last(x.callee) {
	case "add_get":
		method = "GET"
	case "add_post":
		method = "POST"
	case "add_route":
		if first, ok := x.arg(0); ok && methodOf(first) != "" {
			method = methodOf(first)
			path, _ = x.literal(1)
		}
	}
	var h value
	for _, key := range []string{"view_func", "endpoint"} {
		if v, ok := x.key(key); ok && isName(v) {
			h = v
		}
	}
	if h.kind == other {
		h = handlerOf(x, 1)
	}
	c.addRoute(x, method, slashed(prefixes[front(x.callee)], c.settle(path, x.fn)), h)
}

// django recognises path("orders/<int:id>/", views.create) in a urlpatterns list.
func (c *collector) django(x *call) {
	if c.file.Language != "python" || len(x.args) < 2 {
		return
	}
	path, ok := x.literal(0)
	if !ok {
		return
	}
	path = "/" + strings.TrimLeft(c.settle(path, x.fn), "^/")
	h := x.args[1]
	if h.kind == called {
		switch last(h.text) {
		case "include":
			if target, ok := h.call.arg(0); ok {
				name, _ := target.template()
				c.site(facts.Site{Kind: facts.Mount, Text: path, Handler: strings.Trim(name, facts.RefOpen+facts.RefClose), Line: x.line, Func: x.fn, Via: "include"})
			}
			return
		case "as_view":
			h = value{kind: named, text: front(h.text)}
		}
	}
	c.addRoute(x, "", path, h)
}

// mount notes that the routes of another router, mostly of another file, get a prefix.
func (c *collector) mount(x *call, prefixes map[string]string) {
	path, hasPath := x.literal(0)
	target := handlerOf(x, 1)
	for _, key := range []string{"prefix", "url_prefix"} {
		if v, ok := x.key(key); ok {
			path, hasPath = v.orHole(), true
			target, _ = x.arg(0)
		}
		for _, a := range x.args {
			if v, ok := lookup(a.elems, key); ok && a.kind == object {
				path, hasPath = v.orHole(), true
				target, _ = x.arg(0)
			}
		}
	}
	if !hasPath || target.kind == other || target.kind == textual {
		return
	}
	path = c.settle(path, x.fn)
	if !strings.HasPrefix(path, "/") {
		return
	}
	prefix := prefixes[front(x.callee)]
	for _, m := range c.mounted {
		if x.line >= m.from && x.line <= m.to && prefix == "" {
			prefix = m.prefix
		}
	}
	c.site(facts.Site{Kind: facts.Mount, Text: slashed(prefix, path), Handler: handlerName(target), Line: x.line, Func: x.fn, Via: shorten(x.callee)})
}

// handlerOf takes the last function among the arguments from i on: what stands before it is
// middleware.
func handlerOf(x *call, i int) value {
	var h value
	for ; ; i++ {
		a, ok := x.arg(i)
		if !ok {
			return h
		}
		if a.kind == lambda || a.kind == named || a.kind == called || a.kind == list && len(a.elems) > 0 {
			h = a
		}
	}
}

func isName(v value) bool { return v.kind == named || v.kind == called || v.kind == lambda }

// handlerName is how a handler is written: a name; the name inside of wrappers such as
// http.HandlerFunc(h); or, for a function that makes a handler, both candidates.
func handlerName(v value) string {
	switch v.kind {
	case named:
		return v.text
	case list:
		if len(v.elems) > 0 {
			return handlerName(v.elems[len(v.elems)-1])
		}
	case called:
		if v.call == nil {
			return v.text
		}
		var inner string
		for _, a := range v.call.args {
			if a.kind == lambda {
				return ""
			}
			if n := handlerName(a); n != "" && inner == "" {
				inner = n
			}
		}
		if last(v.text) == "bind" && inner != "" { // controller.create.bind(controller)
			return front(v.text)
		}
		if inner == "" {
			return v.text
		}
		return inner + "|" + v.text
	}
	return ""
}

func handlerLines(v value) (from, to int32) {
	switch v.kind {
	case lambda:
		return v.line, v.to
	case called:
		if v.call == nil {
			return 0, 0
		}
		for _, a := range v.call.args {
			if from, to := handlerLines(a); from > 0 {
				return from, to
			}
		}
	case list:
		if len(v.elems) > 0 {
			return handlerLines(v.elems[len(v.elems)-1])
		}
	}
	return 0, 0
}

func (c *collector) addRoute(x *call, method, path string, handler value) {
	s := facts.Site{Kind: facts.Route, Text: path, Method: method, Handler: handlerName(handler), Line: x.line, Func: x.fn, Via: shorten(x.callee)}
	s.HandlerFrom, s.HandlerTo = handlerLines(handler)
	if handler.kind == other && s.HandlerFrom == 0 {
		return
	}
	c.site(s)
}

// slashed joins a prefix and a path with one slash.
func slashed(prefix, path string) string {
	switch {
	case prefix == "":
		return path
	case path == "" || path == "/":
		return prefix
	}
	return strings.TrimSuffix(prefix, "/") + "/" + strings.TrimPrefix(path, "/")
}

func importPaths(f *facts.File) []string {
	out := make([]string, len(f.Imports))
	for i, im := range f.Imports {
		out[i] = im.Path
	}
	return out
}
