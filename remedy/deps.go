package remedy

import (
	"context"
	"io/fs"
	"time"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/replay"
)

// Repository is the repository under repair. Nothing in it touches the user's work tree.
type Repository interface {
	// Base is the tip of the branch a pull request would target.
	Base() Revision
	// Resolve completes an abbreviated or full hash; an error says what to fetch.
	Resolve(rev string) (string, error)
	Tree(commit string) (fs.FS, error)
	// Changes are the commits that landed before until, newest first; notes say what of the history is not among them.
	Changes(ctx context.Context, until time.Time, limit int) (changes []localize.Change, notes []string, err error)
	// Commit writes one signed commit on top of base to the case's own clone.
	Commit(ctx context.Context, c NewCommit) (sha, tree string, err error)
	Reviewers(paths []string) []string
}

// NewCommit is a commit to make.
type NewCommit struct {
	Base    string
	Branch  string
	Case    string // the incident's fingerprint
	Message string
	When    time.Time
	Edits   []patch.FileEdit
}

// Workbench builds and runs variants of the repository behind a fence.
type Workbench interface {
	// Variant exports a commit, applies the edits and returns the private copy.
	Variant(ctx context.Context, name, commit string, edits []patch.FileEdit) (Variant, error)
	// Fence names what holds candidate code.
	Fence() string
}

// Variant is one version of the repository that can be built, tested and started.
type Variant interface {
	// Fetch brings dependencies in, with the network. Only ever called on the base.
	Fetch(ctx context.Context, service string) (CommandResult, error)
	Build(ctx context.Context, service string) (CommandResult, error)
	Test(ctx context.Context, service string, env map[string]string) (CommandResult, error)
	// Command runs one command, such as a generated test.
	Command(ctx context.Context, service string, argv []string, env map[string]string) (CommandResult, error)
	Launcher(service string, env map[string]string) (replay.Launcher, error)
}

// CommandResult is how a command ended. An error beside it means that it could not be
// started at all.
type CommandResult struct {
	Command []string
	Code    int
	Output  string
	Ended   string // "", or which limit ended it: "timeout", "memory", "processes"
	Skipped bool   // configuration names no such command
}

// Judge decides about facts; policy.Engine is one.
type Judge interface {
	Decide(ctx context.Context, f policy.Facts) (policy.Decision, error)
}

// Artifacts keeps the files of a case. Put is atomic.
type Artifacts interface {
	Put(name string, data []byte) error
	// Seal finishes the clone: keeps it for a proposal, removes it otherwise.
	Seal(proposed bool) error
	// Digests lists every file of the case so far, by name.
	Digests() ([]attest.Artifact, error)
}

// Pages renders a case for people.
type Pages interface {
	PullRequest(c *Case) ([]byte, error)
	Report(c *Case) ([]byte, error)
}

// Observer is told what happens as it happens. The case must not be changed or kept.
type Observer interface {
	// Begin and End frame a stage; Note is one line of progress within it.
	Begin(stage State, c *Case)
	Note(text string)
	End(stage State, c *Case, elapsed time.Duration)
}
