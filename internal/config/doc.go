// Package config turns a repository's .remediator.yaml into a typed Config. It must not
// decide anything: it reads, validates, proposes and publishes the schema.
//
// Parse and Load find every mistake in one go and give each its line, column and fix. Init
// looks at a repository and proposes a configuration. Schema is the JSON Schema that editors
// and other programs read.
package config
