package docket

import (
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy"
)

// RecordSchema is the identifier of a record's stored form.
const RecordSchema = "remediator.record/v1"

// Stage is how far a record has come. It is coarser than the state of its case.
type Stage string

// The stages of a record.
const (
	Queued   Stage = "queued"   // an alert came in; nobody works on it yet
	Running  Stage = "running"  // a worker works the case out; Record.Progress says where it is
	Held     Stage = "held"     // worked out, or stopped before; waits for a person (Record.Hold)
	Writing  Stage = "writing"  // outward effects are under way (Record.Effects)
	Proposed Stage = "proposed" // a pull request or branch is there
	Merged   Stage = "merged"
	Refused  Stage = "refused"  // closed without merge, or rejected; stays a no
	Declined Stage = "declined" // nothing to propose; the report says why
	Joined   Stage = "joined"   // the same cause as Record.JoinedTo
	Failed   Stage = "failed"   // attempts used up; a person may retry
)

// Ended says whether nothing more happens to a record by itself.
func (s Stage) Ended() bool {
	switch s {
	case Merged, Refused, Declined, Joined, Failed:
		return true
	}
	return false
}

// Record is everything that is kept of one incident over its whole life.
type Record struct {
	Schema      string            `json:"schema"`
	Fingerprint string            `json:"fingerprint"`
	Stage       Stage             `json:"stage"`
	Repository  string            `json:"repository,omitempty"` // owner/name
	Incident    incident.Incident `json:"incident"`             // as first fired, worst severity so far
	AlertBlob   string            `json:"alert_blob,omitempty"` // the body that opened the case, as it arrived
	AlertSource string            `json:"alert_source,omitempty"`
	AlertFormat string            `json:"alert_format,omitempty"`
	Alerts      int               `json:"alerts"`      // notifications folded in
	FirstAlert  time.Time         `json:"first_alert"` // arrival
	LastAlert   time.Time         `json:"last_alert"`
	Resolved    time.Time         `json:"resolved,omitzero"` // the alert's end, zero while firing
	Flaps       int               `json:"flaps,omitempty"`   // how often it fired again after its end

	JoinedTo string   `json:"joined_to,omitempty"`
	Members  []string `json:"members,omitempty"` // fingerprints that joined this one

	Attempt  int       `json:"attempt"`            // runs begun since a person or an event last asked for one
	Deaths   int       `json:"deaths,omitempty"`   // processes that died while they worked on it
	Failures int       `json:"failures,omitempty"` // in a row, which the process lived through
	Away     time.Time `json:"away,omitzero"`      // since when what the case needs cannot be reached (ErrAway)
	Again    time.Time `json:"again,omitzero"`     // when it is tried again then
	Runs     int       `json:"runs"`               // runs begun in all; names the files of each
	Round    int       `json:"round,omitempty"`    // how often a person let it go on after its fix was merged; each has a branch of its own
	Rebases  int       `json:"rebases,omitempty"`  // in a row, because the base moved before anything was written
	Progress string    `json:"progress,omitempty"` // state of the pipeline while Running
	Summary  *Summary  `json:"summary,omitempty"`  // of the finished case
	// Files is the prefix of the blobs that hold the files of the last finished run, one each:
	// Files + "case.json", Files + "report.html" and so on; "" when there are none. CaseFile reads one.
	Files    string    `json:"files,omitempty"`
	Result   string    `json:"result,omitempty"`   // blob with what is to be written outside
	Admitted string    `json:"admitted,omitempty"` // commit that passed all rules and may be written
	Cleared  []string  `json:"cleared,omitempty"`  // codes of holds that a person ended for good
	Recheck  *Recheck  `json:"recheck,omitempty"`  // a run that is only to say whether the proof still holds
	Hold     *Hold     `json:"hold,omitempty"`
	Decision *Decision `json:"decision,omitempty"` // what a person said
	Effects  []Effect  `json:"effects,omitempty"`
	Pull     *Pull     `json:"pull,omitempty"`
	Lease    *Lease    `json:"lease,omitempty"`
	History  []Event   `json:"history,omitempty"` // bounded; oldest are dropped
	Failure  string    `json:"failure,omitempty"` // of the last attempt
	Ended    time.Time `json:"ended,omitzero"`    // when the stage last became one that ends
	Updated  time.Time `json:"updated"`

	// Revision is the store's, for compare-and-set; 0 means not yet stored.
	Revision uint64 `json:"-"`
}

// Summary is what lists, limits and joins need of a finished case.
type Summary struct {
	Title      string          `json:"title"`
	State      remedy.State    `json:"state"`
	Autonomy   remedy.Autonomy `json:"autonomy"`
	Rung       string          `json:"rung,omitempty"`
	Recipe     string          `json:"recipe,omitempty"`
	Service    string          `json:"service,omitempty"` // of the first suspect
	Confidence float64         `json:"confidence"`
	Proved     bool            `json:"proved"`
	Why        string          `json:"why"` // of the verdict or the decline
	Next       string          `json:"next,omitempty"`
	Decline    string          `json:"decline,omitempty"` // code
	Base       string          `json:"base,omitempty"`    // commit
	Target     string          `json:"target,omitempty"`  // branch that the pull request goes to
	Branch     string          `json:"branch,omitempty"`
	Commit     string          `json:"commit,omitempty"`
	Digest     string          `json:"digest,omitempty"`   // of patch.diff; what an approval holds for
	Severity   string          `json:"severity,omitempty"` // that the rules were read for
	Culprit    string          `json:"culprit,omitempty"`  // commit blamed
	// Causes identify what is blamed, strongest first, as opaque keys: two cases that share one within
	// overlapping windows have one cause.
	Causes []string `json:"causes,omitempty"`
	// Touches are the lines a patch changes in the base.
	Touches []Touch       `json:"touches,omitempty"`
	From    time.Time     `json:"from,omitzero"` // window of the evidence
	To      time.Time     `json:"to,omitzero"`
	Elapsed time.Duration `json:"elapsed_ns"`
	// DropBranch says that the branch goes when the pull request was merged or closed.
	DropBranch bool `json:"drop_branch,omitempty"`
}

// Recheck is a run that changes nothing and answers in a comment.
type Recheck struct {
	Key  string `json:"key"`  // of the comment
	Back Stage  `json:"back"` // the stage to return to
	Hold *Hold  `json:"hold,omitempty"`
	By   string `json:"by"`
}

// Touch is a range of lines, both ends included.
type Touch struct {
	Path  string `json:"path"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

// Hold says what a record waits for.
type Hold struct {
	Code  string    `json:"code"` // "approval", "breaker", "came_back", "limit", "overlap", "human_commits", ...
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
	// Until, where set, is when the hold ends by itself, as with an hourly limit.
	Until time.Time `json:"until,omitzero"`
}

// Decision is what a person said about a record.
type Decision struct {
	Approve bool      `json:"approve"`
	By      string    `json:"by"`  // login, Slack user or token name
	Via     string    `json:"via"` // "comment", "slack", "page", "api"
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
	// Hold is the code of the hold it was said about, Digest that of the patch that was approved.
	Hold   string `json:"hold,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// Effect is one outward effect. It is stored with Done false before it is begun.
type Effect struct {
	Key  string    `json:"key"` // unique within the record: "branch", "pull", "check", "comment:resolved", ...
	At   time.Time `json:"at"`
	Done bool      `json:"done"`
	Ref  string    `json:"ref,omitempty"` // id or URL outside
	// Version names what the effect brings about, where that can change: done means done for this version.
	Version string `json:"version,omitempty"`
	Body    string `json:"body,omitempty"` // of a comment that is not yet written
}

// Pull is the pull request as last seen.
type Pull struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Branch string `json:"branch"`
	Head   string `json:"head"`
	Base   string `json:"base,omitempty"` // commit of the target branch it was made on
	State  string `json:"state"`          // "open", "closed", "merged"
	Draft  bool   `json:"draft"`
	// Human says that the branch carries a commit that is not the tool's.
	Human bool `json:"human,omitempty"`
}

// Lease says who works on a record and until when others keep off.
type Lease struct {
	Owner string    `json:"owner"`
	Until time.Time `json:"until"`
}

// Event is one line of a record's history, shown on its page.
type Event struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // "alert", "stage", "decision", "effect", "pull", "command", "failure"
	Text string    `json:"text"`
	By   string    `json:"by,omitempty"`
}
