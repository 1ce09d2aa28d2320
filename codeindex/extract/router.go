package extract

import "strings"

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
		if a.kind == lambda || a.kind == list && len(a.elems) > 0 || a.kind == named && a.text != "nil" && a.text != "null" || a.kind == called {
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
