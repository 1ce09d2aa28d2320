// Package config turns configuration files into typed, checked values: a repository's .remediator.yaml
// into a [Config], and the file of `remediator serve` into a [Server]. It must not decide
// anything: it reads, validates, proposes and publishes the schemas.
//
// Parse, Load, ParseServer and LoadServer find every mistake in one go and give each its line, column
// and fix. Init looks at a repository and proposes a configuration; InitServer is one to start from.
// Schema and ServerSchema are what editors and other programs read. Secrets are in neither file: keys that
// end in _file name files, which [ReadSecret] reads.
package config
