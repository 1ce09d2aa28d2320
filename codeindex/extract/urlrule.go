package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

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
