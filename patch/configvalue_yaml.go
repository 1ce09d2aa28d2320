package patch

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readYAMLSettings reads the plain and quoted scalars of YAML with their places. The parser's tokens
// give the line and column; what stands there in the bytes is then scanned again and has to say
// the same, so that a wrong position can hide a value but never damage another one. Block
// scalars and aliases are not settings.
func readYAMLSettings(src []byte) (out []setting, err error) {
	// The parser counts a carriage return as a line of its own in places.
	text := bytes.ReplaceAll(src, []byte("\r\n"), []byte(" \n"))
	if bytes.IndexByte(text, '\r') >= 0 {
		return nil, fmt.Errorf("a carriage return inside a line")
	}
	if deepYAML(text) {
		return nil, errTooManySettings
	}
	defer func() {
		if e := recover(); e != nil {
			out, err = nil, fmt.Errorf("the YAML parser failed: %v", e)
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("not YAML: %s", safePath(line))
	}
	r := &yamlRead{src: text, lines: lineIndex(text)}
	for i, doc := range file.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		var path []string
		if len(file.Docs) > 1 {
			path = []string{"document " + strconv.Itoa(i+1)}
		}
		if err := r.node(doc.Body, path, 0, false); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(r.out, func(a, b setting) int { return a.From - b.From })
	return r.out, nil
}

// deepYAML keeps input off the recursive parser that nests deeper than any configuration.
func deepYAML(src []byte) bool {
	depth, deepest := 0, 0
	for line := range bytes.Lines(src) {
		if bytes.Count(line, []byte("- ")) > maxSettingDepth || bytes.Count(line, []byte("? ")) > maxSettingDepth {
			return true
		}
		if n := len(line) - len(bytes.TrimLeft(line, " ")); n > 8*maxSettingDepth {
			return true
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				depth++
				deepest = max(deepest, depth)
			case ']', '}':
				depth--
			}
		}
	}
	return deepest > 4*maxSettingDepth
}

// maxTrailing is how much white space and comment may follow a scalar whose column is corrected.
const maxTrailing = 400

type yamlRead struct {
	src   []byte
	lines lineStarts
	out   []setting
}

func (r *yamlRead) node(n ast.Node, path []string, depth int, flow bool) error {
	if depth > maxSettingDepth || len(r.out) > maxSettings {
		return errTooManySettings
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		seen := map[string]bool{}
		for _, v := range n.Values {
			if err := r.pair(v, path, depth, flow || n.IsFlowStyle, seen); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		return r.pair(n, path, depth, flow, map[string]bool{})
	case *ast.SequenceNode:
		for i, v := range n.Values {
			if err := r.node(v, append(slices.Clip(path), "#"+strconv.Itoa(i)), depth+1, flow || n.IsFlowStyle); err != nil {
				return err
			}
		}
	case *ast.AnchorNode:
		return r.node(n.Value, path, depth+1, flow)
	case *ast.TagNode:
		return r.node(n.Value, path, depth+1, flow)
	case ast.ScalarNode:
		r.scalar(n.GetToken(), path, flow)
	}
	return nil
}

func (r *yamlRead) pair(v *ast.MappingValueNode, path []string, depth int, flow bool, seen map[string]bool) error {
	if v == nil || v.Key == nil || v.Value == nil {
		return nil
	}
	if _, merge := v.Key.(*ast.MergeKeyNode); merge {
		return nil
	}
	t := v.Key.GetToken()
	if t == nil {
		return nil
	}
	if seen[t.Value] {
		return fmt.Errorf("the key %s stands twice", safePath(t.Value))
	}
	seen[t.Value] = true
	return r.node(v.Value, append(slices.Clip(path), t.Value), depth+1, flow || v.IsFlowStyle)
}

func (r *yamlRead) scalar(t *token.Token, path []string, flow bool) {
	if t == nil || t.Position == nil || t.Position.Line < 1 || t.Position.Line > len(r.lines) || t.Position.Column < 1 {
		return
	}
	from := r.lines[t.Position.Line-1]
	for range t.Position.Column - 1 {
		if from >= len(r.src) || r.src[from] == '\n' {
			return
		}
		_, size := utf8.DecodeRune(r.src[from:])
		from += size
	}
	rest := func() []byte {
		line := r.src[from:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		return line
	}
	line := rest()
	raw := ""
	switch {
	case len(line) == 0 && (t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType):
		return
	case t.Type == token.DoubleQuoteType && line[0] == '"', t.Type == token.SingleQuoteType && line[0] == '\'':
		raw = yamlQuoted(line)
		// A value with escapes, or over several lines, is nothing that this package writes.
		if raw == "" || raw[1:len(raw)-1] != t.Value {
			return
		}
	default:
		// The parser's column is too far right where white space follows the scalar.
		start := r.lines[t.Position.Line-1]
		for raw = yamlPlain(line, flow); raw != t.Value || from > start && strings.IndexByte(" \t[{,:", r.src[from-1]) < 0; raw = yamlPlain(line, flow) {
			if from--; from < start || len(line) > len(t.Value)+maxTrailing {
				return
			}
			line = rest()
		}
		if raw == "" {
			return
		}
	}
	r.out = append(r.out, setting{Path: path, Text: t.Value, Raw: raw, From: from, To: from + len(raw)})
}

func yamlQuoted(line []byte) string {
	for i := 1; i < len(line); i++ {
		if line[i] == line[0] {
			return string(line[:i+1])
		}
		if line[i] == '\\' && line[0] == '"' {
			return ""
		}
	}
	return ""
}

func yamlPlain(line []byte, flow bool) string {
	end := len(line)
	for i, c := range line {
		if c == '#' && i > 0 && (line[i-1] == ' ' || line[i-1] == '\t') || flow && (c == ',' || c == ']' || c == '}') {
			end = i
			break
		}
	}
	return strings.TrimRight(string(line[:end]), " \t")
}
