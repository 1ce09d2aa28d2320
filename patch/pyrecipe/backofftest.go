package pyrecipe

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// backoffTest lets every attempt fail and adds up what the function sleeps.
func backoffTest(s *source, l retryLoop, g *guard, base string) body {
	return body{
		name:     testName(s, l.function, "backs_off"),
		title:    fmt.Sprintf("%s waits longer before each further attempt.", s.qualified(l.function)),
		function: l.function,
		checks:   fmt.Sprintf("the delays between the attempts of %s add up to more than the outage, with the flag on", s.qualified(l.function)),
		write: func(t *script) error {
			b, err := strconv.ParseFloat(base, 64)
			if err != nil {
				return err
			}
			w := newWorld(s, l.function)
			if err := w.reach(l.call); err != nil {
				return err
			}
			t.add("delays = []")
			if s.async(l.function) {
				t.with("mock.patch(\"asyncio.sleep\", mock.AsyncMock(side_effect=delays.append))")
			} else {
				t.with("mock.patch(\"time.sleep\", side_effect=delays.append)")
			}
			if err := w.fail(l, t); err != nil {
				return err
			}
			w.numbers()
			call, err := w.prepare(t)
			if err != nil {
				return err
			}
			t.add("try:")
			t.add("    %s", call)
			t.add("except Exception:")
			t.add("    pass  # every attempt fails")
			t.add("assert sum(delays) >= %s", short(math.Floor(b/2*(math.Pow(2, float64(l.attempts-1))-1)*1000)/1000))
			return nil
		},
	}
}

// fail makes the repeated call fail in the way that the loop retries.
func (w *world) fail(l retryLoop, t *script) error {
	s := w.s
	effect := "return_value=mock.MagicMock(status_code=503, status=503, ok=False)"
	exception := ""
	if l.handler != ts.None {
		e, err := w.exception(l.handler, t.module)
		if err != nil {
			return err
		}
		exception = e
		effect = "side_effect=" + e
	}
	f := s.child(l.call, "function")
	a, ok := s.resolve(w.function, f, 0)
	if !ok {
		return errors.New("the repeated call cannot be replaced from outside")
	}
	if a.kind == globalRoot {
		for _, st := range a.steps {
			if st.kind != attrStep {
				return errors.New("the repeated call is made on something a generated test cannot replace")
			}
		}
		if s.async(w.function) && s.is(s.up(l.call), "await") {
			effect = "new_callable=mock.AsyncMock, " + effect
		}
		// Only the function is replaced: its module also holds the exceptions.
		object, name := t.module, a.root
		for _, st := range a.steps {
			object, name = object+"."+name, st.name
		}
		t.with("mock.patch.object(%s, %q, %s)", object, name, effect)
		return nil
	}
	if s.is(s.up(l.call), "await") {
		return errors.New("the repeated call is awaited on an argument")
	}
	call := a.with(step{callStep, ""})
	if exception != "" {
		w.accesses[call.key()] = call
		w.raises[call.key()] = exception
		return nil
	}
	for _, name := range []string{"status_code", "status"} {
		w.set(call.with(step{attrStep, name}), "503")
	}
	return nil
}

var builtinExceptions = " Exception BaseException OSError IOError ConnectionError ConnectionResetError ConnectionRefusedError TimeoutError RuntimeError ValueError KeyError EnvironmentError "

// exception is an expression that makes an exception the handler takes.
func (w *world) exception(handler ts.Node, module string) (string, error) {
	s := w.s
	children := s.children(handler)
	kind := children[0]
	if s.is(kind, "block") {
		return `Exception("unavailable")`, nil
	}
	if s.is(kind, "as_pattern") {
		kind = s.tree.First(kind)
	}
	if s.is(kind, "tuple", "parenthesized_expression") {
		kind = s.tree.First(kind)
	}
	name := s.text(kind)
	switch {
	case strings.Contains(builtinExceptions, " "+name+" "):
	case !s.is(kind, "identifier", "attribute"):
		return "", errors.New("which exceptions the handler takes is not evident")
	default:
		root, _, _ := strings.Cut(name, ".")
		if !s.binds(s.tree.Root(), root) || s.binds(w.function, root) {
			return "", errors.New("the handler's exception is not a name of the module")
		}
		name = module + "." + name
	}
	if strings.HasSuffix(name, "HTTPError") && strings.Contains(s.text(s.tree.Root()), "urllib") {
		return name + `("http://127.0.0.1/", 503, "unavailable", None, None)`, nil
	}
	return name + `("unavailable")`, nil
}
