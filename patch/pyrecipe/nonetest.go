package pyrecipe

import (
	"errors"
	"fmt"
)

// noneTest drives the function to the dereference with the value missing: without the guard that raises.
func noneTest(s *source, d dereference, g *guard, fix noneFix) body {
	name := testName(s, d.function, "without_value")
	return body{
		name:     name,
		title:    fmt.Sprintf("%s keeps going when a value is missing.", s.qualified(d.function)),
		function: d.function,
		checks:   fmt.Sprintf("%s does not fail when the value is None and the flag is on", s.qualified(d.function)),
		write: func(t *script) error {
			w := newWorld(s, d.function)
			missing, ok := s.resolve(d.function, d.object, 0)
			if !ok {
				return fmt.Errorf("where the missing value comes from cannot be controlled from outside %s", s.name(d.function))
			}
			if len(missing.steps) == 0 && missing.kind == selfRoot {
				return errors.New("the object itself is what is missing")
			}
			w.set(missing, "None")
			if err := w.reach(d.node); err != nil {
				return err
			}
			w.numbers()
			call, err := w.prepare(t)
			if err != nil {
				return err
			}
			if fix.result == "" {
				t.add("%s  # raised before", call)
				return nil
			}
			if fix.result == "None" {
				t.add("assert %s is None", call)
				return nil
			}
			t.add("assert %s == %s", call, fix.result)
			return nil
		},
	}
}
