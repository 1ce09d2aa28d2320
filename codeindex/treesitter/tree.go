package treesitter

import (
	"errors"
	"fmt"
	"unsafe"
)

// ErrUnavailable is returned by every parse of a program that was built without cgo.
var ErrUnavailable = errors.New("this build has no C parsers: build with CGO_ENABLED=1 and a C compiler to read Python, JavaScript, TypeScript and Java")

// ErrTimeout means that a file took longer to parse than the parser was allowed.
var ErrTimeout = errors.New("parsing took too long: exclude the file or raise the time limit")

// Grammar names a language's grammar.
type Grammar uint8

// The grammars.
const (
	Go Grammar = iota
	Python
	JavaScript
	TypeScript
	TSX
	Java
	grammars
)

// Node is the position of a node in its Tree. None is no node.
type Node int32

// None is the absent node.
const None Node = -1

// flat mirrors the struct of the same name in flatten.h.
type flat struct {
	kind, field uint16
	start, end  uint32
	row         uint32
	next        uint32 // position after the node's last descendant
	flags       uint32
}

const (
	flagError   = 1
	flagMissing = 2
)

// Tree is the syntax of one file: named nodes, and those anonymous ones that carry a field name
// or stand for an error. It is valid until the next Parse of the Parser that made it.
type Tree struct {
	nodes  []flat
	kinds  []string
	fields []string
	src    string
	broken bool // there are errors
}

// Root is the file's node, None for a tree without nodes.
func (t *Tree) Root() Node {
	if len(t.nodes) == 0 {
		return None
	}
	return 0
}

// Len is the number of nodes.
func (t *Tree) Len() int { return len(t.nodes) }

// Kind is the node's kind as the grammar names it.
func (t *Tree) Kind(n Node) string {
	if n < 0 {
		return ""
	}
	f := &t.nodes[n]
	if f.flags&flagError != 0 {
		return "ERROR"
	}
	if int(f.kind) < len(t.kinds) {
		return t.kinds[f.kind]
	}
	return ""
}

// Field is the name of the field under which the parent holds the node, "" if none.
func (t *Tree) Field(n Node) string {
	if n < 0 {
		return ""
	}
	if i := int(t.nodes[n].field); i < len(t.fields) {
		return t.fields[i]
	}
	return ""
}

// First is the node's first child.
func (t *Tree) First(n Node) Node {
	if n < 0 || t.nodes[n].next <= uint32(n)+1 {
		return None
	}
	return n + 1
}

// End is the position after the node's last descendant: nodes n+1 .. End(n)-1 lie within n.
func (t *Tree) End(n Node) Node {
	if n < 0 {
		return 0
	}
	return Node(t.nodes[n].next)
}

// Next is the sibling after n under the same parent.
func (t *Tree) Next(parent, n Node) Node {
	if n < 0 || parent < 0 {
		return None
	}
	next := t.nodes[n].next
	if next >= t.nodes[parent].next || next <= uint32(n) {
		return None
	}
	return Node(next)
}

// Children ranges over the children of n.
func (t *Tree) Children(n Node) func(yield func(Node) bool) {
	return func(yield func(Node) bool) {
		for c := t.First(n); c != None; c = t.Next(n, c) {
			if !yield(c) {
				return
			}
		}
	}
}

// Child is the first child under the field, None if there is none.
func (t *Tree) Child(n Node, field string) Node {
	for c := t.First(n); c != None; c = t.Next(n, c) {
		if t.Field(c) == field {
			return c
		}
	}
	return None
}

// ChildOf is the first child of the kind.
func (t *Tree) ChildOf(n Node, kind string) Node {
	for c := t.First(n); c != None; c = t.Next(n, c) {
		if t.Kind(c) == kind {
			return c
		}
	}
	return None
}

// Text is the node's source. It shares memory with the source given to Parse.
func (t *Tree) Text(n Node) string {
	if n < 0 {
		return ""
	}
	f := &t.nodes[n]
	if int(f.end) > len(t.src) || f.start > f.end {
		return ""
	}
	return t.src[f.start:f.end]
}

// Start and Stop are the byte offsets of the node in the source.
func (t *Tree) Start(n Node) int { return int(t.nodes[n].start) }

// Stop is the offset after the node's last byte.
func (t *Tree) Stop(n Node) int { return int(t.nodes[n].end) }

// Source is the text between two offsets.
func (t *Tree) Source(from, to int) string {
	if from < 0 || to > len(t.src) || from > to {
		return ""
	}
	return t.src[from:to]
}

// Line is the node's first line, from 1.
func (t *Tree) Line(n Node) int {
	if n < 0 {
		return 0
	}
	return int(t.nodes[n].row) + 1
}

// LastLine is the line of the node's last character, from 1.
func (t *Tree) LastLine(n Node) int {
	if n < 0 {
		return 0
	}
	line := t.Line(n)
	text := t.Text(n)
	for i := 0; i < len(text)-1; i++ { // a newline at the very end belongs to the last line
		if text[i] == '\n' {
			line++
		}
	}
	return line
}

// SyntaxError is the first place that the grammar could not make sense of.
type SyntaxError struct {
	Line, Column int // from 1; the column counts bytes
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Broken says whether the grammar rejects anything in the file.
func (t *Tree) Broken() bool { return t.broken }

// FirstError is nil when the grammar accepts the whole file.
func (t *Tree) FirstError() *SyntaxError {
	if !t.broken {
		return nil
	}
	for n := range t.nodes {
		f := &t.nodes[n]
		if f.flags == 0 {
			continue
		}
		column := 1
		for i := int(f.start) - 1; i >= 0 && i < len(t.src) && t.src[i] != '\n'; i-- {
			column++
		}
		e := &SyntaxError{Line: int(f.row) + 1, Column: column}
		if f.flags&flagMissing != 0 {
			e.Message = "missing " + t.kinds[f.kind]
			return e
		}
		text := t.Text(Node(n))
		if len(text) > 40 {
			text = text[:40]
		}
		e.Message = fmt.Sprintf("unexpected %q", text)
		return e
	}
	return nil
}

// text views bytes as a string without a copy; the caller may not change them afterwards.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
