//go:build cgo

package treesitter

// #cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-all
// #cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
// #include "flatten.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
	"unsafe"

	sitter "github.com/smacker/go-tree-sitter"
	"github.com/smacker/go-tree-sitter/golang"
	"github.com/smacker/go-tree-sitter/java"
	"github.com/smacker/go-tree-sitter/javascript"
	"github.com/smacker/go-tree-sitter/python"
	"github.com/smacker/go-tree-sitter/typescript/tsx"
	"github.com/smacker/go-tree-sitter/typescript/typescript"
)

// maxDepth bounds how deep a tree is followed. People's code stays below 100; only an attack or a
// generated file nests deeper.
const maxDepth = 2000

// maxNodes bounds the memory of one tree to 240 MB.
const maxNodes = 10 << 20

// Available says whether this build can parse at all.
const Available = true

// Parser parses one file after the other; it is not safe for concurrent use. The zero value is
// ready.
type Parser struct {
	// Limit is how long one file may take; zero means two seconds.
	Limit time.Duration
	// Closed names kinds of nodes, per grammar, whose inside the caller never looks at: their
	// descendants are left out, unless there is an error among them. Set it before the first Parse.
	Closed map[Grammar][]string

	languages [grammars]*language
	nodes     []flat
}

type language struct {
	parser        *sitter.Parser
	kinds, fields []string
	closed        []uint8 // by symbol
}

func newLanguage(g Grammar, closed []string) (*language, error) {
	var l *sitter.Language
	switch g {
	case Go:
		l = golang.GetLanguage()
	case Python:
		l = python.GetLanguage()
	case JavaScript:
		l = javascript.GetLanguage()
	case TypeScript:
		l = typescript.GetLanguage()
	case TSX:
		l = tsx.GetLanguage()
	case Java:
		l = java.GetLanguage()
	default:
		return nil, fmt.Errorf("no grammar %d: use one of the named constants", g)
	}
	lang := &language{parser: sitter.NewParser(), fields: []string{""}}
	lang.parser.SetLanguage(l)
	for i := uint32(0); i < l.SymbolCount(); i++ {
		name := l.SymbolName(sitter.Symbol(i))
		lang.kinds = append(lang.kinds, name)
		lang.closed = append(lang.closed, 0)
		if l.SymbolType(sitter.Symbol(i)) == sitter.SymbolTypeRegular && slices.Contains(closed, name) {
			lang.closed[i] = 1
		}
	}
	for i := 1; i < math.MaxUint16; i++ {
		name := l.FieldName(i)
		if name == "" {
			break
		}
		lang.fields = append(lang.fields, name)
	}
	return lang, nil
}

// Parse makes the tree of src, which may not be changed while the tree is in use. A file with
// syntax errors has a tree too; see Tree.FirstError.
func (p *Parser) Parse(g Grammar, src []byte) (*Tree, error) {
	if g >= grammars {
		return nil, fmt.Errorf("no grammar %d: use one of the named constants", g)
	}
	l := p.languages[g]
	if l == nil {
		var err error
		if l, err = newLanguage(g, p.Closed[g]); err != nil {
			return nil, err
		}
		p.languages[g] = l
	}
	if len(src) == 0 {
		return &Tree{kinds: l.kinds, fields: l.fields}, nil
	}
	limit := p.Limit
	if limit <= 0 {
		limit = 2 * time.Second
	}
	l.parser.SetOperationLimit(int(limit.Microseconds()))
	parsed, err := l.parser.ParseCtx(context.Background(), nil, src)
	if err != nil {
		l.parser.Reset()
		return nil, ErrTimeout
	}
	defer parsed.Close()
	root := parsed.RootNode()
	if root == nil {
		return &Tree{kinds: l.kinds, fields: l.fields}, nil
	}
	// sitter.Node begins with the C node; the library offers no accessor for it. TestNodeLayout
	// guards the assumption.
	c := *(*C.rm_node)(unsafe.Pointer(root))
	count := min(int(C.rm_count(c)), maxNodes)
	if cap(p.nodes) < count {
		p.nodes = make([]flat, count+count/4)
	}
	buffer := p.nodes[:cap(p.nodes)]
	if count == 0 {
		return &Tree{kinds: l.kinds, fields: l.fields}, nil
	}
	n := C.rm_flatten(c, (*C.char)(unsafe.Pointer(&src[0])), (*C.uint8_t)(unsafe.Pointer(&l.closed[0])), C.uint32_t(len(l.closed)), (*C.rm_flat)(unsafe.Pointer(&buffer[0])), C.uint32_t(count), maxDepth)
	return &Tree{nodes: buffer[:n], kinds: l.kinds, fields: l.fields, src: text(src), broken: bool(C.rm_broken(c))}, nil
}
