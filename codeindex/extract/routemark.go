package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// routeMarks recognises annotations and decorators that make a route of a function, together with
// the prefix that the class or the router adds.
func (c *collector) routeMarks() {
	prefix := map[int32]string{}
	feign := map[int32]string{}
	for _, m := range c.marks {
		switch last(m.name) {
		case "RequestMapping", "Path", "Controller", "RestController", "HttpExchange", "JsonController", "RoutePrefix":
			if c.isClass(m.symbol) {
				if p := c.markPath(m); p != "" {
					prefix[m.symbol] = p
				}
			}
		case "FeignClient", "RegisterRestClient", "Client":
			if c.isClass(m.symbol) {
				name := ""
				for _, key := range []string{"name", "value", "url", "baseUri", "configKey"} {
					if v, ok := lookup(m.args, key); ok && name == "" {
						name, _ = v.template()
					}
				}
				if name == "" && len(m.args) > 0 && m.args[0].key == "" {
					name, _ = m.args[0].template()
				}
				feign[m.symbol] = name
				if v, ok := lookup(m.args, "path"); ok {
					prefix[m.symbol], _ = v.template()
				}
			}
		}
	}
	groups := c.groups()
	c.mounted = nil // groups is called again with the calls
	// JAX-RS splits method and path over two annotations.
	paths := map[int32]string{}
	for _, m := range c.marks {
		if last(m.name) == "Path" && !c.isClass(m.symbol) {
			paths[m.symbol] = c.markPath(m)
		}
	}
	for _, m := range c.marks {
		method, ok := routeMarks[last(m.name)]
		if !ok || m.symbol < 0 || c.isClass(m.symbol) || last(m.name) == "Path" {
			continue
		}
		if c.file.Language == "python" && front(m.name) == "" && last(m.name) != "route" {
			continue // a bare decorator @get is somebody's own
		}
		path := c.markPath(m)
		if p, ok := paths[m.symbol]; ok && path == "" {
			path = p
		}
		if v, ok := lookup(m.args, "method"); ok && method == "" {
			method = methods(v)
		}
		if v, ok := lookup(m.args, "methods"); ok && method == "" {
			method = methods(v)
		}
		if method == "" && last(m.name) == "route" && c.file.Language == "python" {
			method = "GET"
		}
		full := path
		if c.file.Language == "python" {
			full = slashed(groups[front(m.name)], path)
		} else {
			full = slashed(rooted(prefix[m.class]), rooted(path))
			if full == "" {
				full = "/"
			}
		}
		s := facts.Site{Kind: facts.Route, Text: full, Method: method, Handler: c.name(m.symbol), Line: m.line, Func: m.symbol, Via: "@" + last(m.name)}
		if peer, ok := feign[m.class]; ok {
			s.Kind, s.Handler = facts.Outgoing, ""
			if peer != "" && !strings.Contains(peer, "://") {
				s.Text = "http://" + peer + full
			}
		} else if strings.HasSuffix(last(m.name), "Exchange") {
			s.Kind, s.Handler = facts.Outgoing, ""
		}
		c.site(s)
	}
}

// markPath is the path an annotation carries: its only argument, or value, path, rule.
func (c *collector) markPath(m mark) string {
	for _, key := range []string{"value", "path", "rule", "url", "uri"} {
		if v, ok := lookup(m.args, key); ok {
			return c.markText(v, m)
		}
	}
	for _, a := range m.args {
		if a.key == "" && a.kind != object {
			return c.markText(a, m)
		}
		if a.kind == object {
			if v, ok := lookup(a.elems, "path"); ok {
				return c.markText(v, m)
			}
		}
	}
	return ""
}

func (c *collector) markText(v value, m mark) string {
	if v.kind == list && len(v.elems) > 0 {
		v = v.elems[0]
	}
	t, ok := v.template()
	if !ok {
		return ""
	}
	return c.settle(t, m.symbol)
}

func (c *collector) isClass(symbol int32) bool {
	if symbol < 0 || int(symbol) >= len(c.file.Symbols) {
		return false
	}
	k := c.file.Symbols[symbol].Kind
	return k == facts.Class || k == facts.Interface
}

// rooted makes a path begin with a slash; "" stays.
func rooted(path string) string {
	if path == "" || strings.HasPrefix(path, "/") || strings.HasPrefix(path, facts.RefOpen) {
		return path
	}
	return "/" + path
}
