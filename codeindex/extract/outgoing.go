package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// httpMethods are the methods of HTTP that name a client's function or stand among its arguments.
var httpMethods = map[string]bool{
	"GET": true, "POST": true, "PUT": true, "DELETE": true, "PATCH": true, "HEAD": true, "OPTIONS": true,
}

// clientVerbs are functions of HTTP clients, in lower case, with the method they use.
var clientVerbs = map[string]string{
	"get": "GET", "post": "POST", "put": "PUT", "delete": "DELETE", "patch": "PATCH", "head": "HEAD", "postform": "POST",
	"getforobject": "GET", "getforentity": "GET", "postforobject": "POST", "postforentity": "POST", "postforlocation": "POST",
	"patchforobject": "PATCH", "exchange": "", "request": "", "fetch": "", "urlopen": "", "uri": "", "url": "", "do": "",
	"newrequest": "", "newrequestwithcontext": "", "newbuilder": "", "send": "", "call": "", "invoke": "", "execute": "",
	"axios": "", "got": "", "ky": "", "superagent": "",
}

// clientNames are parts of receivers, in lower case, that speak for a client rather than a router.
var clientNames = []string{"http", "client", "axios", "requests", "session", "rest", "fetch", "resty", "got", "ky", "superagent", "api", "request", "feign", "ok", "gateway", "urllib"}

// routerNames are ends of receivers, in lower case, that speak for a router.
var routerNames = []string{"app", "router", "mux", "server", "srv", "r", "e", "g", "engine", "fastify", "blueprint", "bp", "group", "route", "routes", "web", "v1", "v2"}

// outgoing recognises a call of another service.
func (c *collector) outgoing(x *call) {
	verb := x.verb()
	method, known := clientVerbs[verb]
	if !known {
		c.wrapped(x)
		return
	}
	if c.registers(x) {
		return
	}
	receiver := front(x.callee)
	client := receiver == "" && (verb == "fetch" || verb == "axios" || verb == "got" || verb == "ky" || verb == "urlopen") || c.isClient(receiver) || verb == "newrequest" || verb == "newrequestwithcontext"
	if root := x.on; root != nil && !client {
		for root.on != nil {
			root = root.on
		}
		client = c.isClient(front(root.callee)) || c.isClient(root.callee)
	}
	var url string
	told := false // a method stood before the address
	for i := range x.args {
		a, ok := x.arg(i)
		if !ok {
			break
		}
		if m := methodOf(a); m != "" && method == "" {
			method, told = m, true
			continue
		}
		t, ok := a.template()
		if !ok || url != "" {
			continue
		}
		if !client && i > 0 && !told {
			continue // the default of a look-up: environ.get("URL", "http://localhost")
		}
		settled := c.settle(t, x.fn)
		if isPath(settled) || client && a.kind == textual && strings.Contains(settled, "/") && !strings.ContainsAny(settled, " \n") {
			url = settled
		}
	}
	for _, key := range []string{"url", "uri", "path"} {
		if a, ok := x.key(key); ok && url == "" {
			url = c.settle(a.orHole(), x.fn)
		}
	}
	for _, a := range x.args {
		if a.kind != object && a.key == "" {
			continue
		}
		options := a.elems
		if a.key != "" {
			options = []value{a}
		}
		if m, ok := lookup(options, "method"); ok {
			if t, ok := m.template(); ok && httpMethods[strings.ToUpper(t)] {
				method = strings.ToUpper(t)
			} else if t := methodOf(m); t != "" {
				method = t
			}
		}
		if u, ok := lookup(options, "url"); ok && url == "" {
			url = c.settle(u.orHole(), x.fn)
		}
	}
	if method == "" {
		method = c.chainMethod(x)
	}
	if !client && (receiver == "" || static(url) == "" || static(url) == "/") {
		return
	}
	if url == "" || !client && !strings.Contains(url, "://") && !strings.HasPrefix(url, facts.Hole) {
		if url == "" || !isPath(url) || verb == "uri" && x.on == nil {
			return
		}
		if !client && (receiver == "" || verb == "url" || verb == "call" || verb == "send" || verb == "execute" || verb == "invoke" || verb == "do" && method == "") {
			return
		}
	}
	if verb == "fetch" && method == "" {
		method = "GET"
	}
	c.site(facts.Site{Kind: facts.Outgoing, Text: url, Method: method, Line: x.line, Func: x.fn, Via: shorten(x.callee)})
}

// wrapped recognises a program's own client: a function that gets both a method and a path.
func (c *collector) wrapped(x *call) {
	if len(x.args) < 2 {
		return
	}
	method, url := "", ""
	for _, a := range x.args {
		if m := methodOf(a); m != "" && method == "" {
			method = m
			continue
		}
		if t, ok := a.template(); ok && method != "" && url == "" && a.kind != called {
			if t = c.settle(t, x.fn); isPath(t) {
				url = t
			}
		}
	}
	if method != "" && url != "" && !c.registers(x) {
		c.site(facts.Site{Kind: facts.Outgoing, Text: url, Method: method, Line: x.line, Func: x.fn, Via: shorten(x.callee)})
	}
}

// chainMethod finds the method in a chain: client.post().uri("/charge"), request.method(POST), and
// behind the address: newBuilder(uri).POST(body), new Request.Builder().url(u).post(body).
func (c *collector) chainMethod(x *call) string {
	for on := x.on; on != nil; on = on.on {
		if m := strings.ToUpper(last(on.callee)); httpMethods[m] {
			return m
		}
		if last(on.callee) == "method" {
			if a, ok := on.arg(0); ok {
				return methodOf(a)
			}
		}
	}
	if verb := strings.ToLower(last(x.callee)); verb == "newbuilder" || verb == "url" || verb == "uri" {
		for y := c.next(x); y != nil; y = c.next(y) {
			if m := strings.ToUpper(last(y.callee)); httpMethods[m] {
				return m
			}
			if last(y.callee) == "method" {
				if a, ok := y.arg(0); ok {
					return methodOf(a)
				}
			}
		}
	}
	return ""
}

// methodOf reads an HTTP method from "POST", http.MethodPost, HttpMethod.POST, Method.POST.
func methodOf(v value) string {
	switch v.kind {
	case textual:
		if httpMethods[v.text] {
			return v.text
		}
	case named:
		end := strings.ToUpper(strings.TrimPrefix(last(v.text), "Method"))
		if httpMethods[end] && (strings.HasPrefix(last(v.text), "Method") || strings.Contains(v.text, "ethod.")) {
			return end
		}
	}
	return ""
}

// isPath says whether a template looks like a URL or the path of one.
func isPath(t string) bool {
	if strings.ContainsAny(t, " \n\"'") {
		return false
	}
	if strings.HasPrefix(t, "/") || strings.Contains(t, "://") {
		return true
	}
	for _, mark := range []string{facts.Hole + "/", facts.RefClose + "/"} {
		if strings.Contains(t, mark) {
			return true
		}
	}
	return false
}

func (c *collector) isClient(receiver string) bool {
	if receiver == "" {
		return false
	}
	end := strings.ToLower(last(strings.TrimSuffix(receiver, "()")))
	for _, part := range clientNames {
		if len(part) <= 3 && end == part || len(part) > 3 && strings.Contains(end, part) {
			return true
		}
	}
	for _, maker := range c.makers(receiver) {
		switch maker = strings.ToLower(maker); {
		case strings.HasPrefix(maker, "axios."), strings.HasPrefix(maker, "requests."), strings.HasPrefix(maker, "httpx."),
			strings.HasPrefix(maker, "aiohttp."), strings.HasPrefix(maker, "resty."), strings.Contains(maker, "httpclient"),
			strings.Contains(maker, "webclient"), strings.Contains(maker, "resttemplate"):
			return true
		}
	}
	return false
}
