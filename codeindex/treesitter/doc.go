// Package treesitter turns source text into a flat syntax tree: one slice of named nodes in
// preorder. It is the only package of the product that needs the C compiler; built without cgo it
// still compiles and answers ErrUnavailable.
//
// One call into C flattens a whole tree, because a call per node (a hundred thousand of them for a
// large file) costs several times the parse itself. It must not know what any node means: that is
// for package extract.
package treesitter
