package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// handlerOf takes the last function among the arguments from i on: what stands before it is
// middleware.
func handlerOf(x *call, i int) value {
	var h value
	for ; ; i++ {
		a, ok := x.arg(i)
		if !ok {
			return h
		}
		if a.kind == lambda || a.kind == named || a.kind == called || a.kind == list && len(a.elems) > 0 || a.madeOf() != "" {
			h = a
		}
	}
}

// madeOf is the type of a Go literal: &API{} and what is like it.
func (v value) madeOf() string {
	if v.kind == list || v.kind == object {
		return v.text
	}
	return ""
}

func isName(v value) bool { return v.kind == named || v.kind == called || v.kind == lambda }

// handlerName is how a handler is written: a name; the name inside of wrappers such as
// http.HandlerFunc(h); or, for a function that makes a handler, both candidates.
func handlerName(v value) string {
	if t := v.madeOf(); t != "" {
		return t + ".ServeHTTP"
	}
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

// servedBy is the handler's name; for a Go variable that holds an http.Handler made in this file, the
// method that does the work as well.
func (c *collector) servedBy(v value) string {
	name := handlerName(v)
	if c.file.Language != "go" || v.kind != named {
		return name
	}
	for _, b := range c.binds {
		if b.target == v.text {
			if t := b.value.madeOf(); t != "" {
				return name + "|" + t + ".ServeHTTP"
			}
		}
	}
	return name
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
	s := facts.Site{Kind: facts.Route, Text: path, Method: method, Handler: c.servedBy(handler), Line: x.line, Func: x.fn, Via: shorten(x.callee)}
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
