// Package gorecipe drafts flagged changes of Go code.
package gorecipe
