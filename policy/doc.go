// Package policy turns Facts about a patch into a Decision: allow, hold for a person, or deny,
// with a finding for every rule that objected. It must not change the patch, read a repository
// or decide what is tried instead.
//
// The rules are Rego files in this directory, one subject each, evaluated by the Open Policy
// Agent as a library without network, clock, randomness or environment. A repository may add
// rules of its own in packages named remediator.user.NAME, with partial sets deny and hold; they
// add findings and cannot take any away. Numbers that rules compare with are in
// thresholds.json and may be set by the repository's configuration.
package policy
