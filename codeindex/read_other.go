//go:build !unix

package codeindex

// rawReads says whether readRaw works here.
const rawReads = false

func (r *reads) readRaw(name string) ([]byte, error) { panic("never called: rawReads is false") }
