package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// valueKind says what an argument is.
type valueKind uint8

const (
	other valueKind = iota
	textual
	named  // an identifier or a dotted name
	lambda // a function written in place
	called // the result of a call
	list   // an array, a list, a tuple
	object // named values: an object literal, keyword arguments
)

// value is one argument of a call, or the right side of an assignment.
type value struct {
	kind valueKind
	// text is a text's template, a name, or a callee.
	text string
	key  string // under which name an object or a keyword argument carries it
	line int32
	// to is the last line of a function written in place.
	to    int32
	elems []value // of lists and objects; the arguments of a call
	call  *call   // of a called value
}

// call is one call expression as the front ends report it.
type call struct {
	callee string // dotted, without arguments
	line   int32
	fn     int32
	args   []value
	// on is the call whose result this one is a method of: in a.b(x).c(y), on of c is b.
	on *call
	// target is the name the result is assigned to, "" if none.
	target string
	to     int32 // last line
	lower  string
}

// verb is the name of what is called, in lower case.
func (c *call) verb() string {
	if c.lower == "" {
		c.lower = strings.ToLower(last(c.callee))
	}
	return c.lower
}

// chained is how a method called on the result of c begins. Of a long chain only the end is kept: a
// thousand calls in a row would otherwise carry a million letters.
func (c *call) chained() string {
	const most = 200
	name := c.callee
	if len(name) > most {
		name = name[len(name)-most/2:]
		if i := strings.IndexByte(name, '.'); i >= 0 {
			name = name[i:]
		}
	}
	return name + "()."
}

// last is the part of a dotted name after the last dot.
func last(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// front is the part of a dotted name before the last dot, "" if there is none.
func front(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return ""
}

// arg is the i-th positional argument.
func (c *call) arg(i int) (value, bool) {
	for _, a := range c.args {
		if a.key != "" {
			continue
		}
		if i == 0 {
			return a, true
		}
		i--
	}
	return value{}, false
}

// key is the argument passed under a name.
func (c *call) key(name string) (value, bool) { return lookup(c.args, name) }

func lookup(values []value, name string) (value, bool) {
	for _, a := range values {
		if a.key == name {
			return a, true
		}
	}
	return value{}, false
}

// literal is the template of the i-th positional argument; a name becomes a reference to a constant.
func (c *call) literal(i int) (string, bool) {
	a, ok := c.arg(i)
	if !ok {
		return "", false
	}
	return a.template()
}

// template is a value as a text with holes; ok is false for what cannot be a text.
func (v value) template() (string, bool) {
	switch v.kind {
	case textual:
		return v.text, true
	case named:
		return reference(v.text), true
	case called:
		return facts.Hole, true
	}
	return "", false
}

// reference stands for a constant that is looked up when the index is asked.
func reference(name string) string {
	return facts.RefOpen + name + facts.RefClose
}

// static is what is literally there in a template.
func static(template string) string {
	var b strings.Builder
	for template != "" {
		switch {
		case strings.HasPrefix(template, facts.Hole):
			template = template[len(facts.Hole):]
		case template[0] == facts.RefOpen[0]:
			end := strings.IndexByte(template, facts.RefClose[0])
			if end < 0 {
				return b.String()
			}
			template = template[end+1:]
		default:
			b.WriteByte(template[0])
			template = template[1:]
		}
	}
	return b.String()
}

// concat joins two templates, keeping runs of holes short.
func concat(a, b string) string {
	if len(a) > 4*maxText { // a sum of thousands of texts would be copied thousands of times
		return a
	}
	if strings.HasSuffix(a, facts.Hole) && strings.HasPrefix(b, facts.Hole) {
		return a + b[len(facts.Hole):]
	}
	return a + b
}

// orHole is the template, or a hole for what cannot be a text.
func (v value) orHole() string {
	if t, ok := v.template(); ok {
		return t
	}
	return facts.Hole
}

// clean removes from source text the bytes that facts use as marks.
func clean(s string) string {
	if strings.IndexByte(s, facts.RefOpen[0]) < 0 && strings.IndexByte(s, facts.RefClose[0]) < 0 {
		return s
	}
	return strings.NewReplacer(facts.RefOpen, " ", facts.RefClose, " ").Replace(s)
}
