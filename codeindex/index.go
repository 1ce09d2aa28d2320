package codeindex

// Index is what is known of a repository at one commit.
type Index struct{}
