package config

import (
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A configuration comes from a repository, so it is bounded before it is parsed: the parser
// recurses once per level and would take the process down on a file of opening brackets.
const (
	maxSize   = 256 << 10 // bytes
	maxDepth  = 32        // nested flow collections, or entries opened on one line
	maxTokens = 100_000
)

// Load reads File from the root of a repository's tree. Its error is an *Error when the file
// is there but wrong, and wraps fs.ErrNotExist when it is absent.
func Load(fsys fs.FS) (Config, error) {
	f, err := fsys.Open(File)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w; create one with `remediator config init`", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", File, err)
	}
	return Parse(data)
}

// Parse decodes a configuration, checks it and fills in the defaults. Its error is an *Error
// that names every mistake with line, column and fix.
func Parse(data []byte) (Config, error) { return parse[Config](data, File, notes) }

// checked is a configuration that knows its defaults and its mistakes.
type checked[T any] interface {
	withDefaults() T
	Validate() []Problem
}

func parse[T checked[T]](data []byte, file string, notes map[string]note) (T, error) {
	var none, c T
	var found problems
	root := parseDocument(data, &found)
	if err := found.err(file); err != nil {
		return none, err
	}
	w := walker{positions: map[string]*token.Position{}, notes: notes}
	if root != nil {
		w.walk(root, reflect.TypeFor[T](), "", "")
	}
	if err := w.found.err(file); err != nil {
		return none, err
	}
	if root != nil {
		if err := yaml.NodeToValue(root, &c, yaml.Strict()); err != nil {
			found.add(syntaxProblem(err))
			return none, found.err(file)
		}
	}
	c = c.withDefaults()
	for _, p := range c.Validate() {
		if at := w.locate(p.Path); at != nil {
			p.Line, p.Column = at.Line, at.Column
		}
		found.add(p)
	}
	if err := found.err(file); err != nil {
		return none, err
	}
	return c, nil
}

// parseDocument returns the only document's root mapping, or nil for an empty one.
func parseDocument(data []byte, found *problems) ast.Node {
	if len(data) > maxSize {
		found.add(Problem{Message: fmt.Sprintf("the file is larger than %d KiB", maxSize>>10),
			Fix: "keep golden sets and policies in files of their own and name them here"})
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if !bounded(tokens, found) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		found.add(syntaxProblem(err))
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType {
			continue
		}
		if root != nil {
			p := Problem{Message: "there is a second document in the file", Fix: "remove the line ---"}
			place(&p, doc.Body)
			found.add(p)
			return nil
		}
		root = doc.Body
	}
	return root
}

// bounded refuses what makes the parser recurse or expand without limit.
func bounded(tokens token.Tokens, found *problems) bool {
	depth, line, opened := 0, 0, 0
	for i, t := range tokens {
		refuse := func(message, fix string) bool {
			found.add(Problem{Line: t.Position.Line, Column: t.Position.Column, Message: message, Fix: fix})
			return false
		}
		if t.Position.Line != line {
			line, opened = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			opened++
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return refuse("anchors, aliases and merge keys are not supported", "write the value out")
		case token.TagType:
			return refuse("tags are not supported", "remove "+strconv.Quote(t.Value))
		case token.DirectiveType:
			return refuse("directives are not supported", "remove the line")
		}
		if depth > maxDepth || (opened > maxDepth && depth == 0) || opened > maxTokens {
			return refuse(fmt.Sprintf("more than %d levels of nesting", maxDepth), "")
		}
		if i > maxTokens {
			return refuse("the file has too many values", "use globs for paths")
		}
	}
	return true
}

// syntaxProblem turns an error of the YAML library into a Problem.
func syntaxProblem(err error) Problem {
	p := Problem{Message: strings.TrimSpace(err.Error())}
	var located yaml.Error
	if asYAML(err, &located) {
		p.Message = located.GetMessage()
		if t := located.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	p.Message = "not valid YAML: " + firstLine(p.Message)
	return p
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// walker compares a document with the types it is to be decoded into, so that all mistakes are
// found in one go and each with its place.
type walker struct {
	found     problems
	positions map[string]*token.Position
	notes     map[string]note // by path, with * for a name and [] for an index
}

// locate finds the position of a path, or of the nearest thing around it.
func (w *walker) locate(path string) *token.Position {
	for {
		if at, ok := w.positions[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return w.positions[""]
		}
		path = path[:cut]
	}
}

func place(p *Problem, n ast.Node) {
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
}

func (w *walker) wrong(n ast.Node, path, message, fix string) {
	p := Problem{Path: path, Message: message, Fix: fix}
	place(&p, n)
	w.found.add(p)
}

// walk compares a node with a type. key is the path as the notes write it.
func (w *walker) walk(n ast.Node, t reflect.Type, path, key string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if tok := n.GetToken(); tok != nil {
		if _, known := w.positions[path]; !known {
			w.positions[path] = tok.Position
		}
	}
	if n.Type() == ast.NullType {
		if t.Kind() != reflect.Struct && t.Kind() != reflect.Map {
			w.wrong(n, path, "has no value", "give it "+example(t)+" or remove the key")
		}
		return
	}
	switch {
	case t == reflect.TypeFor[Duration]():
		note := w.notes[key]
		if d, err := ParseDuration(scalar(n)); err != nil {
			w.wrong(n, path, "must be a duration, not "+describe(n), `write "90s", "5m" or "30d"`)
		} else if note.most > 0 && (d < note.least || d > note.most) {
			w.wrong(n, path, fmt.Sprintf("must be between %v and %v", note.least, note.most), "")
		}
	case t.Kind() == reflect.Struct:
		w.walkStruct(n, t, path, key)
	case t.Kind() == reflect.Map:
		for _, e := range w.entries(n, path) {
			entry := join(path, keyText(e))
			w.positions[entry] = e.Key.GetToken().Position
			w.walk(e.Value, t.Elem(), entry, key+".*")
		}
	case t.Kind() == reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			fix := "write a list: " + example(t)
			if s, isText := n.(*ast.StringNode); isText && s.Value != "" && len(s.Value) < 200 {
				fix = "write a list: " + listOf(s.Value, t == reflect.TypeFor[Command]())
			}
			w.wrong(n, path, "must be a list, not "+describe(n), fix)
			return
		}
		for i, v := range seq.Values {
			w.walk(v, t.Elem(), fmt.Sprintf("%s[%d]", path, i), key+"[]")
		}
	case t.Kind() == reflect.String:
		switch n.(type) {
		case *ast.StringNode, *ast.LiteralNode:
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			w.wrong(n, path, "must be text, not "+describe(n), "put it in quotes: "+strconv.Quote(scalar(n)))
		default:
			w.wrong(n, path, "must be text, not "+describe(n), "")
		}
	case t.Kind() == reflect.Int:
		if _, ok := n.(*ast.IntegerNode); !ok {
			w.wrong(n, path, "must be a whole number, not "+describe(n), unquoted(n))
		} else if v, err := strconv.ParseInt(scalar(n), 0, 32); err != nil {
			w.wrong(n, path, "is too large or not a decimal number", "")
		} else if note := w.notes[key]; note.high > 0 && (int(v) < note.low || int(v) > note.high) {
			w.wrong(n, path, fmt.Sprintf("must be between %d and %d", note.low, note.high), "")
		}
	case t.Kind() == reflect.Float64:
		switch n.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
		default:
			w.wrong(n, path, "must be a number, not "+describe(n), unquoted(n))
		}
	case t.Kind() == reflect.Bool:
		if _, ok := n.(*ast.BoolNode); !ok {
			w.wrong(n, path, "must be true or false, not "+describe(n), "")
		}
	default:
		w.wrong(n, path, "is of a type that cannot be read", "")
	}
}

func (w *walker) walkStruct(n ast.Node, t reflect.Type, path, at string) {
	fields := map[string]reflect.Type{}
	var names []string
	for f := range fieldsOf(t) {
		fields[f.name] = f.typ
		names = append(names, f.name)
	}
	for _, e := range w.entries(n, path) {
		name := keyText(e)
		typ, known := fields[name]
		if !known {
			fix := "remove it; known here: " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
			if near := nearest(name, names); near != "" {
				fix = "did you mean " + strconv.Quote(near) + "?"
			}
			w.wrong(e.Key, join(path, name), "unknown key", fix)
			continue
		}
		key := join(path, name)
		w.positions[key] = e.Key.GetToken().Position
		w.walk(e.Value, typ, key, join(at, name))
	}
}

// entries returns a mapping's entries, each key once.
func (w *walker) entries(n ast.Node, path string) []*ast.MappingValueNode {
	var entries []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		entries = m.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{m}
	default:
		w.wrong(n, path, "must be a mapping of keys to values, not "+describe(n), "")
		return nil
	}
	seen := map[string]bool{}
	unique := entries[:0:0]
	for _, e := range entries {
		name := keyText(e)
		switch e.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		default:
			w.wrong(e.Key, path, "a key must be plain text", "")
			continue
		}
		if seen[name] {
			w.wrong(e.Key, join(path, name), "the key is there twice", "remove one of them")
			continue
		}
		seen[name] = true
		unique = append(unique, e)
	}
	return unique
}

func keyText(e *ast.MappingValueNode) string {
	if s, ok := e.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return e.Key.GetToken().Value
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func scalar(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	}
	return "that"
}

func unquoted(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		if _, err := strconv.ParseFloat(s.Value, 64); err == nil {
			return "remove the quotes"
		}
	}
	return ""
}

func listOf(text string, command bool) string {
	if !command {
		return "[" + strconv.Quote(text) + "]"
	}
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = strconv.Quote(word)
	}
	return "[" + strings.Join(words, ", ") + "] (no shell is involved)"
}

func example(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Command]():
		return `["go", "test", "./..."]`
	case t.Kind() == reflect.Slice:
		return `["..."]`
	case t.Kind() == reflect.String:
		return "text"
	}
	return "a value"
}
