package docket

import (
	"context"
	"errors"
	"time"
)

// Errors of a [Forge] that are answers and not failures.
var (
	// ErrHumanCommits means that the branch carries a commit that is not the tool's, so nothing was written.
	ErrHumanCommits = errors.New("the branch carries a commit of a person")
	// ErrBaseMoved means that the change does not apply to the tip of the target branch as it is.
	ErrBaseMoved = errors.New("the target branch moved")
	// ErrForbidden means that the installation may not do it; the text says which permission is missing.
	ErrForbidden = errors.New("not permitted")
)

// Forge is where pull requests live. Every Ensure method looks for what is there first, by branch
// name, external id or marker, and so may be repeated after a lost answer: it never makes a
// second one. Autonomy is checked here again, where something is written.
type Forge interface {
	// FindPull finds the newest pull request of a branch, of any state; nil if there is none.
	FindPull(ctx context.Context, repo, branch string) (*Pull, error)
	// EnsureBranch makes the branch point to the change's commit and returns the commit's hash, which
	// equals Change.SHA. previous is the head that this tool last wrote, "" if none: a branch
	// that points anywhere else is left alone with ErrHumanCommits.
	EnsureBranch(ctx context.Context, repo, branch, previous string, c Change) (string, error)
	// EnsureEvidence keeps the case's files at refs/remediator/<fingerprint>, from where a check
	// in CI fetches them.
	EnsureEvidence(ctx context.Context, repo, fingerprint string, files map[string][]byte) error
	EnsurePull(ctx context.Context, repo string, p PullRequest) (*Pull, error)
	ClosePull(ctx context.Context, repo string, number int) error
	// DeleteBranch removes the branch if it still points to head.
	DeleteBranch(ctx context.Context, repo, branch, head string) error
	EnsureCheck(ctx context.Context, repo string, c CheckRun) (id int64, err error)
	EnsureStatus(ctx context.Context, repo string, s CommitStatus) error
	// EnsureComment writes or updates the one comment with this key on the pull request.
	EnsureComment(ctx context.Context, repo string, number int, key, body string) error
	// React acknowledges a comment, with "eyes", "+1" or "confused".
	React(ctx context.Context, repo string, comment int64, content string) error
	// MayWrite says whether a person has write access.
	MayWrite(ctx context.Context, repo, login string) (bool, error)
	// Tip is the commit the target branch points to.
	Tip(ctx context.Context, repo, branch string) (string, error)
}

// PullRequest is what a pull request should be.
type PullRequest struct {
	Case      string // fingerprint
	Branch    string
	Base      string // target branch
	Head      string // commit
	Title     string
	Body      string
	Draft     bool
	Labels    []string
	Reviewers []string // logins, or org/team; without "@"
	Culprit   string   // commit whose author is asked to review
}

// CheckRun is what a check run should be.
type CheckRun struct {
	Case        string // external id
	Name        string
	Head        string
	Status      string // "queued", "in_progress", "completed"
	Conclusion  string // "success", "failure", "neutral", "action_required"
	Title       string
	Summary     string // Markdown
	Text        string
	DetailsURL  string
	Annotations []Annotation
}

// Annotation is one remark at lines of a file.
type Annotation struct {
	Path        string
	First, Last int
	Level       string // "notice", "warning", "failure"
	Title       string
	Message     string
}

// CommitStatus is a status on a commit.
type CommitStatus struct {
	Head        string
	Context     string
	State       string // "pending", "success", "failure", "error"
	Description string
	URL         string
}

// ForgeEvent is something that happened at the forge, from a webhook.
type ForgeEvent struct {
	Delivery   string    `json:"delivery"`
	At         time.Time `json:"at"`
	Repository string    `json:"repository"` // owner/name
	Kind       EventKind `json:"kind"`
	Number     int       `json:"number,omitempty"` // pull request
	Branch     string    `json:"branch,omitempty"`
	Head       string    `json:"head,omitempty"`
	User       string    `json:"user,omitempty"`
	Bot        bool      `json:"bot,omitempty"`
	Comment    int64     `json:"comment,omitempty"` // id
	Command    string    `json:"command,omitempty"` // "explain", "retry", "rebase", "stop", "approve", "reject", "replay"
	Argument   string    `json:"argument,omitempty"`
	Case       string    `json:"case,omitempty"` // external id of a check run
}

// EventKind is the kind of a ForgeEvent.
type EventKind string

// The kinds of events that matter.
const (
	PullMerged     EventKind = "pull_merged"
	PullClosed     EventKind = "pull_closed" // without merge
	PullReopened   EventKind = "pull_reopened"
	PullPushed     EventKind = "pull_pushed"     // somebody pushed to the branch
	BasePushed     EventKind = "base_pushed"     // the target branch moved
	CommandComment EventKind = "command_comment" // a /remediator comment
	CheckRerun     EventKind = "check_rerun"
)

// Notifier tells people outside the forge, such as in a chat. Notify updates the message it sent
// earlier for the same record and returns where it stands.
type Notifier interface {
	Notify(ctx context.Context, r *Record, ref string) (newRef string, err error)
}

// Action is what a person asks for, whichever way it came.
type Action struct {
	Case   string
	Name   string // "approve", "reject", "retry", "rebase", "stop", "explain", "replay"
	By     string
	Via    string // "comment", "slack", "page", "api"
	Reason string
}
