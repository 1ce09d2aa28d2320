package pyrecipe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// deadlineTest lets the function call a server that accepts and never answers, and expects it to come back.
func deadlineTest(s *source, c outgoing, g *guard, seconds string) body {
	return body{
		name:     testName(s, c.function, "gives_up"),
		title:    fmt.Sprintf("%s gives up on a peer that does not answer.", s.qualified(c.function)),
		imports:  []string{"import http.server", "import threading"},
		function: c.function,
		checks:   fmt.Sprintf("%s comes back from a call to a server that never answers, with the flag on", s.qualified(c.function)),
		write: func(t *script) error {
			w := newWorld(s, c.function)
			deadline, err := strconv.ParseFloat(seconds, 64)
			if err != nil {
				return err
			}
			url, err := requestURL(s, c)
			if err != nil {
				return err
			}
			env, err := w.pointAt(url, 0)
			if err != nil {
				return err
			}
			if err := w.reach(c.call); err != nil {
				return err
			}
			if err := w.realClient(c, t.module); err != nil {
				return err
			}
			w.words(url)
			w.numbers()
			t.add("released = threading.Event()")
			t.add("")
			t.add("class Silent(http.server.BaseHTTPRequestHandler):")
			t.add("    def do_GET(self):")
			t.add("        released.wait(60)")
			t.add("")
			t.add("    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET")
			t.add("")
			t.add("server = http.server.ThreadingHTTPServer((\"127.0.0.1\", 0), Silent)")
			t.add("server.daemon_threads = True")
			t.add("threading.Thread(target=server.serve_forever, daemon=True).start()")
			t.add("address = \"127.0.0.1:%%d\" %% server.server_port")
			if env != "" {
				t.with("mock.patch.dict(os.environ, {%s: \"http://\" + address})", env)
			}
			call, err := w.prepare(t)
			if err != nil {
				return err
			}
			t.add("")
			t.add("def attempt():")
			t.add("    try:")
			t.add("        %s", call)
			t.add("    except Exception:")
			t.add("        pass  # giving up may surface as an error")
			t.add("")
			t.add("caller = threading.Thread(target=attempt, daemon=True)")
			t.add("caller.start()")
			t.add("caller.join(%s)", short(deadline*s.attempts(c.call)+2))
			t.add("hanging = caller.is_alive()")
			t.add("released.set()")
			t.add("server.shutdown()")
			t.add("server.server_close()")
			t.add("caller.join(10)")
			t.add("assert not hanging, \"still waiting for an answer\"")
			return nil
		},
	}
}

// attempts is how often a call around which there is a loop may be made.
func (s *source) attempts(call ts.Node) float64 {
	loop := s.enclosing(call, "for_statement", "while_statement", "function_definition")
	if s.is(loop, "function_definition") {
		return 1
	}
	if n, ok := s.rangeCount(loop); ok {
		return float64(n)
	}
	return 10
}

// requestURL is the expression of the address that is called.
func requestURL(s *source, c outgoing) (ts.Node, error) {
	skip := 0
	if strings.HasSuffix(s.text(s.child(c.call, "function")), ".request") {
		skip = 1
	}
	for _, a := range s.children(s.child(c.call, "arguments")) {
		if s.is(a, "keyword_argument") {
			if s.text(s.child(a, "name")) == "url" {
				return s.child(a, "value"), nil
			}
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		return a, nil
	}
	return ts.None, errors.New("the called address is not among the arguments")
}

// pointAt makes the address that an expression computes begin with the test's server. It returns the
// variable of the environment, as a literal, where the address comes from there.
func (w *world) pointAt(e ts.Node, depth int) (string, error) {
	s := w.s
	lost := errors.New("the called address cannot be set from outside the function")
	if depth > 8 || e == ts.None {
		return "", lost
	}
	switch s.kind(e) {
	case "parenthesized_expression":
		return w.pointAt(s.tree.First(e), depth+1)
	case "binary_operator":
		if op := s.text(s.child(e, "operator")); op == "%" {
			return w.pointAt(s.tree.First(s.child(e, "right")), depth+1)
		}
		return w.pointAt(s.child(e, "left"), depth+1)
	case "string":
		parts := s.children(e)
		if len(parts) < 3 {
			return "", lost
		}
		first := parts[1]
		if s.is(first, "string_content") && s.text(first) == "http://" && len(parts) > 3 {
			a, ok := s.resolve(w.function, s.child(parts[2], "expression"), 0)
			if !ok || !w.set(a, "address") {
				return "", lost
			}
			return "", nil
		}
		if s.is(first, "interpolation") {
			return w.pointAt(s.child(first, "expression"), depth+1)
		}
		return "", lost
	case "call":
		f := s.child(e, "function")
		args := s.children(s.child(e, "arguments"))
		switch name := s.text(f); {
		case (name == "os.environ.get" || name == "os.getenv") && len(args) > 0 && s.is(args[0], "string"):
			return s.text(args[0]), nil
		case strings.HasSuffix(name, "urljoin") && len(args) > 0, strings.HasSuffix(name, "Request") && len(args) > 0:
			return w.pointAt(args[0], depth+1)
		case s.is(f, "attribute") && strings.Contains("rstrip strip format", s.text(s.child(f, "attribute"))):
			return w.pointAt(s.child(f, "object"), depth+1)
		}
	case "subscript":
		if s.text(s.child(e, "value")) == "os.environ" && s.is(s.child(e, "subscript"), "string") {
			return s.text(s.child(e, "subscript")), nil
		}
	case "identifier":
		// A local variable that is assigned once may be put together from what can be set.
		var right ts.Node = ts.None
		count := 0
		for _, a := range s.own(w.function, "assignment") {
			if s.text(s.child(a, "left")) == s.text(e) && a < e {
				right = s.child(a, "right")
				count++
			}
		}
		if count == 1 {
			return w.pointAt(right, depth+1)
		}
		if count > 1 {
			return "", lost
		}
	}
	a, ok := s.resolve(w.function, e, 0)
	if !ok || !w.set(a, `"http://" + address`) {
		return "", lost
	}
	return "", nil
}

// realClient makes the object whose method is called a real client where the test would otherwise put a
// stand-in in its place.
func (w *world) realClient(c outgoing, module string) error {
	s := w.s
	f := s.child(c.call, "function")
	if !s.is(f, "attribute") || s.text(s.child(f, "object")) == c.library || c.library == "urllib" {
		return nil
	}
	a, ok := s.resolve(w.function, s.child(f, "object"), 0)
	if !ok || a.kind == globalRoot && len(a.steps) == 1 {
		return nil // made inside the function
	}
	for _, st := range a.steps {
		if st.kind == callStep || st.kind == enterStep {
			return nil
		}
	}
	maker := clientMakers[c.library][0]
	if c.library == "httpx" && s.async(w.function) {
		return errors.New("the client is asynchronous")
	}
	if !s.imported(need{c.library, ""}) {
		return errors.New("the client's library is imported under another name")
	}
	if !w.set(a, fmt.Sprintf("%s.%s.%s()", module, c.library, maker)) {
		return errors.New("the client is used in a way a generated test cannot follow")
	}
	return nil
}
