package facts

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Version changes whenever the encoding or the meaning of a fact does; a cache of another version is
// of no use.
const Version = 2

// ErrMalformed is returned for bytes that no Encode wrote.
var ErrMalformed = errors.New("malformed facts: delete the index cache and build it again")

// Encode appends the file's facts to b.
func (f *File) Encode(b []byte) []byte {
	b = slices.Grow(b, f.size())
	b = putString(b, f.Language)
	b = putString(b, f.Package)
	b = append(b, bits(f.Generated, f.Test, f.Broken))
	b = putInt(b, len(f.Symbols))
	for i := range f.Symbols {
		s := &f.Symbols[i]
		b = putString(b, s.Name)
		b = append(b, byte(s.Kind), bits(s.Exported))
		b = putLine(b, s.From)
		b = putLine(b, s.To)
		b = putString(b, s.Test)
		b = putInt(b, len(s.Bases))
		for _, base := range s.Bases {
			b = putString(b, base)
		}
	}
	b = putInt(b, len(f.Calls))
	for i := range f.Calls {
		c := &f.Calls[i]
		b = putString(b, c.Callee)
		b = putLine(b, c.Line)
		b = putLine(b, c.Func)
	}
	b = putInt(b, len(f.Sites))
	for i := range f.Sites {
		s := &f.Sites[i]
		b = append(b, byte(s.Kind))
		for _, t := range [...]string{s.Text, s.Method, s.Handler, s.Via} {
			b = putString(b, t)
		}
		for _, n := range [...]int32{s.HandlerFrom, s.HandlerTo, s.Line, s.Func} {
			b = putLine(b, n)
		}
	}
	b = putInt(b, len(f.Consts))
	for _, c := range f.Consts {
		b = putString(putString(b, c.Name), c.Value)
	}
	b = putInt(b, len(f.Imports))
	for _, i := range f.Imports {
		b = putString(putString(putString(b, i.Name), i.Path), i.Item)
	}
	return b
}

// size is about as many bytes as the facts take.
func (f *File) size() int {
	n := 64 + len(f.Package)
	for i := range f.Symbols {
		n += len(f.Symbols[i].Name) + 10
	}
	for i := range f.Calls {
		n += len(f.Calls[i].Callee) + 5
	}
	for i := range f.Sites {
		s := &f.Sites[i]
		n += len(s.Text) + len(s.Method) + len(s.Handler) + len(s.Via) + 14
	}
	for i := range f.Consts {
		n += len(f.Consts[i].Name) + len(f.Consts[i].Value) + 4
	}
	for i := range f.Imports {
		n += len(f.Imports[i].Name) + len(f.Imports[i].Path) + len(f.Imports[i].Item) + 3
	}
	return n
}

func bits(flags ...bool) byte {
	var b byte
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	return b
}

func putInt(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

// putLine writes a line or a position, which may be None.
func putLine(b []byte, n int32) []byte { return binary.AppendUvarint(b, uint64(n+1)) }

func putString(b []byte, s string) []byte {
	return append(putInt(b, len(s)), s...)
}

// Decode reads what Encode wrote. Malformed input, such as a damaged cache, is an error.
func Decode(b []byte) (*File, error) {
	d := decoder{s: string(b)}
	f := &File{Language: d.text(), Package: d.text()}
	flags := d.byte()
	f.Generated, f.Test, f.Broken = flags&1 != 0, flags&2 != 0, flags&4 != 0
	f.Symbols = make([]Symbol, d.count(7))
	for i := range f.Symbols {
		s := &f.Symbols[i]
		s.Name, s.Kind, s.Exported = d.text(), SymbolKind(d.byte()), d.byte()&1 != 0
		s.From, s.To, s.Test = d.line(), d.line(), d.text()
		if n := d.count(1); n > 0 {
			s.Bases = make([]string, n)
			for i := range s.Bases {
				s.Bases[i] = d.text()
			}
		}
	}
	f.Calls = make([]Call, d.count(3))
	for i := range f.Calls {
		f.Calls[i] = Call{Callee: d.text(), Line: d.line(), Func: d.fn(f)}
	}
	f.Sites = make([]Site, d.count(9))
	for i := range f.Sites {
		f.Sites[i] = Site{
			Kind: SiteKind(d.byte()), Text: d.text(), Method: d.text(), Handler: d.text(), Via: d.text(),
			HandlerFrom: d.line(), HandlerTo: d.line(), Line: d.line(), Func: d.fn(f),
		}
		if f.Sites[i].Kind > Logger {
			d.bad = true
		}
	}
	f.Consts = make([]Const, d.count(2))
	for i := range f.Consts {
		f.Consts[i] = Const{Name: d.text(), Value: d.text()}
	}
	f.Imports = make([]Import, d.count(3))
	for i := range f.Imports {
		f.Imports[i] = Import{Name: d.text(), Path: d.text(), Item: d.text()}
	}
	if d.bad || d.s != "" {
		return nil, ErrMalformed
	}
	return f, nil
}

type decoder struct {
	s   string
	bad bool
}

func (d *decoder) uint() uint64 {
	var n uint64
	for i := 0; i < len(d.s) && i < 6; i++ {
		c := d.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			return n
		}
	}
	d.fail()
	return 0
}

func (d *decoder) fail() { d.bad, d.s = true, "" }

// count is the length of a list whose items take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.s)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.s)) {
		d.fail()
		return ""
	}
	t := d.s[:n]
	d.s = d.s[n:]
	return t
}

func (d *decoder) line() int32 {
	n := d.uint()
	if n > 1<<31-1 {
		d.fail()
		return 0
	}
	return int32(n) - 1
}

// fn is the position of a function of the file.
func (d *decoder) fn(f *File) int32 {
	n := d.line()
	if n < None || int(n) >= len(f.Symbols) {
		d.fail()
		return None
	}
	return n
}

func (d *decoder) byte() byte {
	if d.s == "" {
		d.fail()
		return 0
	}
	b := d.s[0]
	d.s = d.s[1:]
	return b
}
