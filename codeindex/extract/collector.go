package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// Bounds on what one file may contribute. A file beyond them is generated or hostile; what is over
// is left out.
const (
	maxSymbols = 20000
	maxCalls   = 50000
	maxSites   = 20000
	maxText    = 2000
	maxMounted = 200
)

// collector gathers what a front end reports of one file.
type collector struct {
	file    *facts.File
	calls   []*call
	marks   []mark
	binds   []bind
	mounted []span              // stretches of lines whose routes have a prefix
	made    map[string][]string // see makers
	chained map[*call]*call     // see next
	spanned map[*call]bool      // calls that are sites of spans
	// texts are the texts bound to names, per function; facts.None holds those of the file.
	texts map[binding]string
	// statements holds the site of a statement by function and line, so that a text made of parts
	// is reported once.
	statements map[place]int
}

type binding struct {
	fn   int32
	name string
}

type place struct{ fn, line int32 }

// mark is an annotation or decorator.
type mark struct {
	name   string
	args   []value
	call   *call // of a decorator with arguments
	line   int32
	symbol int32 // what it is put on
	class  int32 // the class around that, facts.None if none
}

// bind is an assignment of something other than a text.
type bind struct {
	fn     int32
	target string
	value  value
}

type span struct {
	from, to int32
	prefix   string
}

func newCollector(language string) *collector {
	return &collector{
		file:       &facts.File{Language: language},
		texts:      map[binding]string{},
		statements: map[place]int{},
	}
}

// symbol adds a declaration and returns its position.
func (c *collector) symbol(s facts.Symbol) int32 {
	if len(c.file.Symbols) >= maxSymbols {
		return facts.None
	}
	c.file.Symbols = append(c.file.Symbols, s)
	return int32(len(c.file.Symbols) - 1)
}

// name is the qualified name of a symbol, "" for none.
func (c *collector) name(symbol int32) string {
	if symbol < 0 || int(symbol) >= len(c.file.Symbols) {
		return ""
	}
	return c.file.Symbols[symbol].Name
}

// record adds a call. Front ends record a call before those among its arguments.
func (c *collector) record(x *call) {
	if len(c.calls) < maxCalls {
		c.calls = append(c.calls, x)
	}
}

func (c *collector) site(s facts.Site) int {
	if len(c.file.Sites) >= maxSites {
		return -1
	}
	if len(s.Text) > maxText {
		s.Text = s.Text[:maxText]
	}
	c.file.Sites = append(c.file.Sites, s)
	return len(c.file.Sites) - 1
}

// text notes a text wherever it stands; parts of a longer text come before the whole.
func (c *collector) text(template string, line, fn int32) {
	if !isStatement(template) {
		return
	}
	at := place{fn, line}
	if i, ok := c.statements[at]; ok {
		if len(template) > len(c.file.Sites[i].Text) && len(template) <= maxText {
			c.file.Sites[i].Text = template
		}
		return
	}
	if i := c.site(facts.Site{Kind: facts.Statement, Text: template, Line: line, Func: fn, Via: "statement"}); i >= 0 {
		c.statements[at] = i
	}
}

// assign notes that a name gets a value. Names at file level and in classes are constants that
// other files may refer to.
func (c *collector) assign(target string, v value, fn int32, constant bool) {
	if target == "" || target == "_" {
		return
	}
	if v.kind == called && v.call != nil {
		v.call.target = target
	}
	if v.kind == textual {
		if _, twice := c.texts[binding{fn, target}]; twice && fn != facts.None {
			// Two texts under one name: which one is meant is not known here; the first is as good.
			return
		}
		c.texts[binding{fn, target}] = v.text
		if constant && static(v.text) != "" && len(v.text) <= maxText {
			c.file.Consts = append(c.file.Consts, facts.Const{Name: target, Value: v.text})
		}
		return
	}
	if v.kind != other {
		c.binds = append(c.binds, bind{fn, target, v})
	}
}

// settle replaces references to names of this file by their texts; names of other files stay.
func (c *collector) settle(template string, fn int32) string {
	for depth := 0; depth < 4; depth++ {
		out, changed := c.settleOnce(template, fn)
		if !changed {
			return out
		}
		template = out
	}
	return template
}

func (c *collector) settleOnce(template string, fn int32) (string, bool) {
	open := strings.IndexByte(template, facts.RefOpen[0])
	if open < 0 {
		return template, false
	}
	var b strings.Builder
	changed := false
	for open >= 0 {
		end := strings.IndexByte(template[open:], facts.RefClose[0])
		if end < 0 {
			break
		}
		end += open
		name := template[open+1 : end]
		b.WriteString(template[:open])
		if t, ok := c.lookup(name, fn); ok && !strings.Contains(t, reference(name)) && b.Len()+len(t) < 2*maxText {
			b.WriteString(t)
			changed = true
		} else {
			b.WriteString(template[open : end+1])
		}
		template = template[end+1:]
		open = strings.IndexByte(template, facts.RefOpen[0])
	}
	b.WriteString(template)
	return b.String(), changed
}

func (c *collector) lookup(name string, fn int32) (string, bool) {
	if t, ok := c.texts[binding{fn, name}]; ok {
		return t, true
	}
	if t, ok := c.texts[binding{facts.None, name}]; ok {
		return t, true
	}
	for _, self := range []string{"self.", "this.", "cls."} {
		if rest, ok := strings.CutPrefix(name, self); ok {
			if class := front(c.name(fn)); class != "" {
				if t, ok := c.texts[binding{facts.None, class + "." + rest}]; ok {
					return t, true
				}
			}
			return "", false
		}
	}
	if class := front(c.name(fn)); class != "" {
		t, ok := c.texts[binding{facts.None, class + "." + name}]
		return t, ok
	}
	return "", false
}

// finish turns what was collected into facts.
func (c *collector) finish() *facts.File {
	c.routes()
	for _, x := range c.calls {
		c.spans(x)
		c.logs(x)
		c.outgoing(x)
	}
	for _, m := range c.marks {
		c.spanMark(m)
	}
	for _, x := range c.calls {
		c.statementArgs(x)
		c.file.Calls = append(c.file.Calls, facts.Call{Callee: x.callee, Line: x.line, Func: x.fn})
	}
	for i := range c.file.Sites {
		s := &c.file.Sites[i]
		s.Text = c.settle(s.Text, s.Func)
	}
	return c.file
}
