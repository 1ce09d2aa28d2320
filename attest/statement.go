package attest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// PredicateType names the predicate of remediator's in-toto statement.
const PredicateType = "https://remediator.dev/evidence/v1"

// DiffFile is the name under which a case keeps its diff.
const DiffFile = "patch.diff"

// statementType is that of in-toto's Statement v1.
const statementType = "https://in-toto.io/Statement/v1"

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

// Statement is what gets signed: everything that led to a proposal, about a commit and the
// files of its case. A case that was declined has no commit, only files.
type Statement struct {
	Subject   Subject
	Artifacts []Artifact
	Predicate Predicate
}

// Predicate is the evidence. Parts whose form belongs to other packages are kept as their JSON.
type Predicate struct {
	State     string          `json:"state"`          // of the case: proposed, declined
	Why       string          `json:"why,omitempty"`  // reason for declining
	Base      string          `json:"base,omitempty"` // commit the proposal starts from
	Incident  Incident        `json:"incident"`
	Telemetry Telemetry       `json:"telemetry"`
	Suspects  json.RawMessage `json:"suspects,omitempty"` // ranked, with scores and reasons
	Plan      json.RawMessage `json:"plan,omitempty"`     // options, why each was taken or left
	Author    Author          `json:"author"`
	Diff      Diff            `json:"diff"`
	Policy    Policy          `json:"policy"`
	Tests     []TestRun       `json:"tests,omitempty"`
	Replay    json.RawMessage `json:"replay,omitempty"` // verdicts before and after
	Commit    CommitSignature `json:"commit_signature,omitzero"`
	Builder   Builder         `json:"builder"`
}

// Incident is what the alert said, by digest.
type Incident struct {
	Fingerprint string `json:"fingerprint"`
	Name        string `json:"name,omitempty"`
	Severity    string `json:"severity,omitempty"`
	AlertSHA256 string `json:"alert_sha256"` // of the body as it arrived, hex
}

// Telemetry is what was looked at.
type Telemetry struct {
	From   time.Time         `json:"from,omitzero"`
	To     time.Time         `json:"to,omitzero"`
	Traces []string          `json:"traces,omitempty"` // exemplars, hex
	SHA256 map[string]string `json:"sha256,omitempty"` // input file -> digest, hex
}

// Author is what wrote the patch: a recipe, or a model.
type Author struct {
	Recipe       string          `json:"recipe,omitempty"` // name@version
	Rung         string          `json:"rung,omitempty"`
	Model        string          `json:"model,omitempty"`
	Parameters   json.RawMessage `json:"parameters,omitempty"`
	PromptSHA256 string          `json:"prompt_sha256,omitempty"`
}

// Diff is the proposed change, by digest.
type Diff struct {
	SHA256 string `json:"sha256,omitempty"` // of patch.diff, hex; "" without a patch
}

// Policy is the decision with the digest of the rules that made it.
type Policy struct {
	Bundle   string          `json:"bundle,omitempty"` // SHA-256, hex
	Decision json.RawMessage `json:"decision,omitempty"`
}

// TestRun is one command run on the base and on the patched code.
type TestRun struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Before  string   `json:"before"` // "passed", "failed", ...
	After   string   `json:"after"`
	// Output digests are SHA-256, hex.
	BeforeOutput string `json:"before_output_sha256,omitempty"`
	AfterOutput  string `json:"after_output_sha256,omitempty"`
}

// CommitSignature says who signed the commit itself.
type CommitSignature struct {
	// By is "evidence" for the key that signs the statement, "user" for the key that the
	// user's git is configured with, "" for nobody.
	By string `json:"by,omitempty"`
}

// The signers of a commit.
const (
	ByEvidenceKey = "evidence"
	ByUserKey     = "user"
)

// Builder is the program that did it.
type Builder struct {
	ID      string `json:"id"` // "remediator"
	Version string `json:"version"`
}

// descriptor is in-toto's ResourceDescriptor as far as it is used here.
type descriptor struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// envelopeStatement is in-toto's Statement v1 as it is written.
type envelopeStatement struct {
	Type          string        `json:"_type"`
	Subject       []descriptor  `json:"subject"`
	PredicateType string        `json:"predicateType"`
	Predicate     wirePredicate `json:"predicate"`
}

// wirePredicate is the evidence with the files that are no subjects.
type wirePredicate struct {
	Predicate
	Files []Artifact `json:"files"`
}

const (
	commitSubject = "commit"
	treeSubject   = "tree"
	// Verifiers of sigstore take 1024 subjects, so only files at the top of a case are
	// subjects of their own; those in directories, such as a clone's, are listed in the predicate.
	maxSubjects  = 500
	maxArtifacts = 200_000
)

// encode writes the statement as canonical JSON. Subjects are the commit and its tree, by git's
// own digests, and every file by its SHA-256, so that a verifier that knows nothing of git can
// still check the files.
func (s Statement) encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	w := envelopeStatement{Type: statementType, PredicateType: PredicateType,
		Predicate: wirePredicate{Predicate: s.Predicate, Files: []Artifact{}}}
	if s.Subject.Commit != "" {
		w.Subject = append(w.Subject,
			descriptor{commitSubject, map[string]string{"gitCommit": s.Subject.Commit}},
			descriptor{treeSubject, map[string]string{"gitTree": s.Subject.Tree}})
	}
	artifacts := slices.Clone(s.Artifacts)
	slices.SortFunc(artifacts, func(a, b Artifact) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range artifacts {
		if strings.Contains(a.Name, "/") {
			w.Predicate.Files = append(w.Predicate.Files, a)
			continue
		}
		w.Subject = append(w.Subject, descriptor{a.Name, map[string]string{"sha256": a.SHA256}})
	}
	if len(w.Subject) > maxSubjects {
		return nil, fmt.Errorf("the case has more than %d files at its top", maxSubjects)
	}
	text, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	return canonical(text)
}

// decodeStatement reads what encode wrote and nothing else.
func decodeStatement(payload []byte) (Statement, error) {
	again, err := canonical(payload)
	if err != nil {
		return Statement{}, err
	}
	if string(again) != string(payload) {
		return Statement{}, errors.New("the statement is not in canonical form (a key twice, or other spacing)")
	}
	var w envelopeStatement
	d := json.NewDecoder(strings.NewReader(string(payload)))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Statement{}, fmt.Errorf("not a statement of this version: %w", err)
	}
	if w.Type != statementType {
		return Statement{}, fmt.Errorf("the type is %q, not an in-toto Statement v1", w.Type)
	}
	if w.PredicateType != PredicateType {
		return Statement{}, fmt.Errorf("the predicate is %q, not %q", w.PredicateType, PredicateType)
	}
	s := Statement{Predicate: w.Predicate.Predicate}
	for _, d := range w.Subject {
		if len(d.Digest) != 1 {
			return Statement{}, fmt.Errorf("subject %q has %d digests, not one", d.Name, len(d.Digest))
		}
		switch commit, tree, sum := d.Digest["gitCommit"], d.Digest["gitTree"], d.Digest["sha256"]; {
		case d.Name == commitSubject && commit != "" && s.Subject.Commit == "":
			s.Subject.Commit = commit
		case d.Name == treeSubject && tree != "" && s.Subject.Tree == "":
			s.Subject.Tree = tree
		case sum != "":
			s.Artifacts = append(s.Artifacts, Artifact{d.Name, sum})
		default:
			return Statement{}, fmt.Errorf("subject %q has no digest that is understood", d.Name)
		}
	}
	for _, a := range w.Predicate.Files {
		if !strings.Contains(a.Name, "/") {
			return Statement{}, fmt.Errorf("file %q must be a subject", a.Name)
		}
		s.Artifacts = append(s.Artifacts, a)
	}
	if err := s.check(); err != nil {
		return Statement{}, err
	}
	return s, nil
}

// check refuses statements that could not be verified afterwards.
func (s Statement) check() error {
	if s.Subject.Commit != "" && (!isHex(s.Subject.Commit, 40) || !isHex(s.Subject.Tree, 40)) {
		return errors.New("the subject's commit and tree must be full SHA-1 hashes, in lower case")
	}
	if s.Subject.Commit == "" && s.Subject.Tree != "" {
		return errors.New("the subject has a tree without a commit")
	}
	if len(s.Artifacts) == 0 {
		return errors.New("the statement names no file of the case")
	}
	if s.Predicate.Diff.SHA256 != "" && !slices.Contains(s.Artifacts, Artifact{DiffFile, s.Predicate.Diff.SHA256}) {
		return fmt.Errorf("the digest of the diff is not that of %s", DiffFile)
	}
	if s.Subject.Commit != "" && s.Predicate.Diff.SHA256 == "" {
		return errors.New("the statement is about a commit but has no digest of its diff")
	}
	if len(s.Artifacts) > maxArtifacts {
		return fmt.Errorf("the statement names more than %d files", maxArtifacts)
	}
	seen := map[string]bool{commitSubject: true, treeSubject: true}
	for _, a := range s.Artifacts {
		switch {
		case !fs.ValidPath(a.Name) || a.Name == "." || strings.ContainsAny(a.Name, "\\\x00"):
			return fmt.Errorf("%q is not a file name inside the case", a.Name)
		case seen[a.Name]:
			return fmt.Errorf("the file name %q is there twice or reserved", a.Name)
		case !isHex(a.SHA256, 64):
			return fmt.Errorf("the digest of %s is not a SHA-256 in lower-case hex", a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}

func isHex(s string, n int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == n && s == strings.ToLower(s)
}
