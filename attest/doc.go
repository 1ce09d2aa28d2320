// Package attest turns the evidence of a case into an in-toto statement about the proposed
// commit, signs it with a key, offline, and checks such a statement claim by claim. It must not
// decide anything: what it signs was decided elsewhere, and what it checks it reports as a list,
// never as one yes or no.
//
// The statement travels as a DSSE envelope in a Sigstore bundle, which the cosign command line
// verifies too. Keys are cosign's; the same key signs the commit in the form of OpenSSH
// that git checks with an allowed_signers file. All signatures are deterministic.
package attest
