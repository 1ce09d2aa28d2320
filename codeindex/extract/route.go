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

// route recognises one registration.
func (c *collector) route(x *call, prefixes map[string]string) {
	name := last(x.callee)
	lower := x.verb()
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
	case verb && chainRoute(x) != nil:
		// express: router.route("/x").get(h).put(k)
		r := chainRoute(x)
		path, ok := r.literal(0)
		if !ok {
			return
		}
		c.addRoute(x, method, slashed(prefixes[front(r.callee)], c.settle(path, x.fn)), handlerOf(x, 0))
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

// next is the call on the result of x: in a.b(x).c(y), next of b is c.
func (c *collector) next(x *call) *call {
	if c.chained == nil {
		c.chained = map[*call]*call{}
		for _, y := range c.calls {
			if y.on != nil {
				c.chained[y.on] = y
			}
		}
	}
	return c.chained[x]
}

// later finds the method that gorilla is told after the handler: HandleFunc(...).Methods("POST").
func (c *collector) later(x *call) string {
	y := c.next(x)
	for y != nil && last(y.callee) != "Methods" {
		y = c.next(y)
	}
	if y == nil {
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

func chainRoute(x *call) *call {
	for on := x.on; on != nil; on = on.on {
		if last(on.callee) == "route" {
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

func importPaths(f *facts.File) []string {
	out := make([]string, len(f.Imports))
	for i, im := range f.Imports {
		out[i] = im.Path
	}
	return out
}
