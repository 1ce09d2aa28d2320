// Package facts holds what is known of one source file, in a form that is the same for every
// language, and turns it into bytes for a cache and back. It must not read source code (package
// extract does) nor know of other files (package codeindex does).
package facts
