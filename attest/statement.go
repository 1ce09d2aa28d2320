package attest

// PredicateType names the predicate of remediator's in-toto statement.
const PredicateType = "https://remediator.dev/evidence/v1"

// Artifact is one file of a case with its digest.
type Artifact struct {
	Name   string `json:"name"`   // file name relative to the case's directory
	SHA256 string `json:"sha256"` // hex
}

// Subject is what the statement is about: the proposed commit.
type Subject struct {
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit"` // hex
	Tree       string `json:"tree"`   // hex
}

// Claim is one thing that verification checked.
type Claim struct {
	Name   string `json:"name"` // "signature", "statement", "commit", "patch.diff", ...
	Proved bool   `json:"proved"`
	Why    string `json:"why"` // what was compared with what
}
