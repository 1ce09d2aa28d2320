package remedy

import (
	"time"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/replay"
	"github.com/remediator/remediator/telemetry"
)

// Schema is the identifier of case.json's format.
const Schema = "remediator.case/v1"

// State is how far a case has come.
type State string

// The states in their order, and the two ways to end.
const (
	Received State = "received"
	Gathered State = "gathered"
	Located  State = "located"
	Planned  State = "planned"
	Drafted  State = "drafted"
	Judged   State = "judged"
	Proved   State = "proved"
	Signed   State = "signed"
	Proposed State = "proposed"
	Declined State = "declined"
)

// Case is everything that is known of one incident. Its JSON form is case.json; all of it but
// Timings and the signature is a function of the input.
type Case struct {
	Schema      string                  `json:"schema"`
	Tool        string                  `json:"tool"` // name and version
	State       State                   `json:"state"`
	Declined    *Decline                `json:"declined,omitempty"`
	Fingerprint string                  `json:"fingerprint"`
	Title       string                  `json:"title"`
	Incident    incident.Incident       `json:"incident"`
	Evidence    Evidence                `json:"evidence"`
	Cause       localize.Cause          `json:"cause"`
	Confidence  float64                 `json:"confidence"`
	Symptom     localize.Symptom        `json:"symptom"`
	Suspects    []Suspect               `json:"suspects"`
	Changes     []localize.RankedChange `json:"changes,omitempty"`
	Graph       localize.Graph          `json:"graph"`
	Path        []localize.PathSegment  `json:"critical_path,omitempty"`
	Gaps        []localize.Gap          `json:"gaps,omitempty"`
	Caveats     []string                `json:"caveats,omitempty"`
	Base        Revision                `json:"base"`
	Options     []Option                `json:"options"`
	Patch       *Patch                  `json:"patch,omitempty"`
	Policy      *policy.Decision        `json:"policy,omitempty"`
	Verdicts    *Verdicts               `json:"verdicts,omitempty"`
	Commit      *Commit                 `json:"commit,omitempty"`
	Autonomy    Autonomy                `json:"autonomy"`
	Holds       []string                `json:"holds,omitempty"` // why a person has to decide
	NextSteps   []NextStep              `json:"next_steps,omitempty"`
	Fence       string                  `json:"fence,omitempty"` // what held the candidate code
	Timings     []Timing                `json:"timings"`
}

// Decline says why a case ended without a patch.
type Decline struct {
	Code string `json:"code"` // "no_suspect", "no_option_proved", "base_tests_red", ...
	Why  string `json:"why"`
	Next string `json:"next"` // the next step for a person
}

// Evidence sums up what was looked at.
type Evidence struct {
	From    time.Time        `json:"from,omitzero"`
	To      time.Time        `json:"to,omitzero"`
	Counts  localize.Counts  `json:"counts"`
	Missing []string         `json:"missing,omitempty"`
	Notes   []telemetry.Note `json:"notes,omitempty"`
}

// Suspect is a ranked suspect with its place in the code.
type Suspect struct {
	Rank       int                  `json:"rank"` // 1-based
	Service    string               `json:"service"`
	Operation  string               `json:"operation,omitempty"`
	Peer       string               `json:"peer,omitempty"`
	File       string               `json:"file,omitempty"`
	Line       int                  `json:"line,omitempty"`
	Function   string               `json:"function,omitempty"`
	Commit     string               `json:"commit,omitempty"`   // the change blamed
	Deployed   string               `json:"deployed,omitempty"` // revision of the service during the incident
	Score      float64              `json:"score"`
	Confidence float64              `json:"confidence"`
	Reasons    []localize.Reason    `json:"reasons"`
	Patterns   []localize.Pattern   `json:"patterns,omitempty"`
	Locations  []codeindex.Location `json:"locations,omitempty"`
	Traces     []string             `json:"traces,omitempty"`
}

// Outcome says what became of an option.
type Outcome string

// What can become of an option of the ladder.
const (
	Chosen   Outcome = "chosen"
	Rejected Outcome = "rejected"  // drafted or judged or proved, and found wanting
	NotTried Outcome = "not_tried" // a cheaper option was proved first
	LeftOut  Outcome = "left"      // not worth drafting
)

// Option is one option considered, and why it was taken or left.
type Option struct {
	ID       string     `json:"id,omitempty"`
	Rung     patch.Rung `json:"rung"`
	Title    string     `json:"title,omitempty"`
	Recipe   string     `json:"recipe,omitempty"`
	Outcome  Outcome    `json:"outcome"`
	Why      string     `json:"why"`
	Suggests string     `json:"suggested_by,omitempty"`
	Diff     string     `json:"diff,omitempty"`
	// Author is set where a model had a part in the draft, also in one that failed.
	Author   *patch.Authorship `json:"author,omitempty"`
	Policy   *policy.Decision  `json:"policy,omitempty"`
	Verdicts *Verdicts         `json:"verdicts,omitempty"`
}

// Patch is the chosen patch without the file contents, which stand in patch.diff.
type Patch struct {
	patch.Patch
	Digest  string `json:"digest"` // SHA-256 of patch.diff, hex
	Added   int    `json:"added"`
	Deleted int    `json:"deleted"`
}

// Check is a command that was run and what came of it.
type Check struct {
	Name    string   `json:"name"`
	Command []string `json:"command,omitempty"`
	Want    string   `json:"want"` // "green" or "red"
	Got     string   `json:"got"`  // "green", "red", "timed_out", "killed", "skipped"
	OK      bool     `json:"ok"`
	Output  string   `json:"output,omitempty"` // the tail, where it went other than wanted or was to be red
	Why     string   `json:"why,omitempty"`
}

// Verdicts are what the proof of one option showed.
type Verdicts struct {
	Checks []Check `json:"checks,omitempty"`
	// Replays are by name: golden_base, incident_base, golden_on, incident_on, golden_off, incident_off.
	Replays    []Replay `json:"replays,omitempty"`
	Reproduced bool     `json:"reproduced"` // the incident was red on the base build
	// FlagOffSame says that with the flag off the patched build could not be told from the base build.
	FlagOffSame bool     `json:"flag_off_same,omitempty"`
	Proved      bool     `json:"proved"`
	Why         string   `json:"why"`
	NotProved   []string `json:"not_proved,omitempty"` // what a reviewer must not assume
}

// Replay is one replay of one build.
type Replay struct {
	Name    string         `json:"name"`
	Build   string         `json:"build"` // "base", "patched, flag on", ...
	Want    replay.Outcome `json:"want"`
	OK      bool           `json:"ok"`
	Verdict replay.Verdict `json:"verdict"`
}

// Revision is a commit and the branch it is the tip of.
type Revision struct {
	Branch string `json:"branch,omitempty"`
	Commit string `json:"commit"`
}

// Commit is the proposed commit.
type Commit struct {
	SHA       string   `json:"sha"`
	Tree      string   `json:"tree"`
	Parent    string   `json:"parent"`
	Branch    string   `json:"branch"`
	Message   string   `json:"message"`
	Key       string   `json:"key"` // fingerprint of the signing key
	Labels    []string `json:"labels,omitempty"`
	Reviewers []string `json:"reviewers,omitempty"`
}

// Autonomy is how far the tool may go by itself.
type Autonomy string

// The grades of autonomy.
const (
	Report Autonomy = "report"
	Branch Autonomy = "branch"
	Draft  Autonomy = "draft"
	Ready  Autonomy = "ready"
)

// NextStep is something for a person to do, with the command that checks it where there is one.
type NextStep struct {
	Text    string `json:"text"`
	Command string `json:"command,omitempty"`
}

// Timing is how long a stage took.
type Timing struct {
	Stage   string        `json:"stage"`
	Elapsed time.Duration `json:"elapsed_ns"`
}
