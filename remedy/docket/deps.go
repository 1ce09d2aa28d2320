package docket

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/remediator/remediator/remedy"
)

// Errors that a [Store] and [Blobs] return.
var (
	ErrNotFound = errors.New("not found")
	// ErrConflict means that somebody else wrote first: read again and decide anew.
	ErrConflict = errors.New("changed by somebody else")
)

// ErrAway means that something outside, such as the forge, cannot be reached for now. That is not the case's fault: it is
// tried again for a day, with growing pauses, before it is given up.
var ErrAway = errors.New("cannot be reached for now")

// Store keeps records. Put compares Record.Revision with what is stored and sets it to the new
// revision; 0 creates and fails with ErrConflict when the record is there.
type Store interface {
	Get(ctx context.Context, fingerprint string) (*Record, error)
	Put(ctx context.Context, r *Record) error
	Delete(ctx context.Context, fingerprint string) error
	// List returns all records, newest alert first. One that cannot be decoded does not stop the
	// others: it stands in the list as [Damaged] makes it.
	List(ctx context.Context) ([]*Record, error)
	// Watch sends every change from now on until ctx ends; a deleted record has Stage "".
	Watch(ctx context.Context) (<-chan *Record, error)
}

// Claims are small values set by compare-and-set, for what is not one record's: which case
// owns a cause, the breaker, deliveries seen. Value is nil and revision 0 when there is none.
type Claims interface {
	Claim(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// SetClaim writes if the revision is still the current one, else ErrConflict. nil deletes.
	SetClaim(ctx context.Context, key string, value []byte, revision uint64) error
	// Keys lists the claims that begin with a prefix.
	ClaimKeys(ctx context.Context, prefix string) ([]string, error)
}

// Blobs keep what is too large for a record. Names are slash separated.
type Blobs interface {
	PutBlob(ctx context.Context, name string, r io.Reader) error
	// Blob returns ErrNotFound for a name that is not there.
	Blob(ctx context.Context, name string) (io.ReadCloser, error)
	DeleteBlob(ctx context.Context, name string) error
	BlobNames(ctx context.Context, prefix string) ([]string, error)
}

// TaskKind says who handles a task.
type TaskKind string

// The kinds of tasks, each with consumers of its own.
const (
	AlertTask TaskKind = "alert" // Body is an Alert in JSON
	CaseTask  TaskKind = "case"  // work on the record named by Case
	EventTask TaskKind = "event" // Body is a ForgeEvent in JSON
)

// Task is one piece of work.
type Task struct {
	Kind TaskKind
	// ID makes the task known: publishing the same ID again within the queue's window is no second
	// task. Empty means always new.
	ID      string
	Case    string
	Body    []byte
	Attempt int // 1 for the first delivery; set by the queue
}

// Queue carries tasks to workers at least once. Publish returns when the task is stored durably.
type Queue interface {
	Publish(ctx context.Context, t Task) error
	// PublishAfter stores a task that is not handled before the delay is over.
	PublishAfter(ctx context.Context, t Task, delay time.Duration) error
	// Consume calls handle, at most n at a time in this process, until ctx ends; it then waits for those that
	// run. A task whose handle returns an error comes again with a growing delay, until its
	// attempts are used up and it becomes a dead letter. While handle runs the task is kept
	// from others; when this process dies it comes to another soon.
	Consume(ctx context.Context, kind TaskKind, n int, handle func(context.Context, Task) error) error
	DeadLetters(ctx context.Context) ([]DeadLetter, error)
	// Revive puts a dead letter back to work; Bury forgets it.
	Revive(ctx context.Context, id string) error
	Bury(ctx context.Context, id string) error
}

// DeadLetter is a task that was given up.
type DeadLetter struct {
	ID    string    `json:"id"`
	Kind  TaskKind  `json:"kind"`
	Case  string    `json:"case,omitempty"`
	At    time.Time `json:"at"`
	Error string    `json:"error"`
	Tries int       `json:"tries"`
}

// Alert is a notification as a webhook brought it.
type Alert struct {
	// ID is the same for a sender's retry of one notification, and makes the ID of its task.
	ID      string    `json:"id,omitempty"`
	Source  string    `json:"source"`         // name of the configured source
	Format  string    `json:"format"`         // "alertmanager", "grafana", ...
	At      time.Time `json:"at"`             // arrival
	Body    []byte    `json:"body,omitempty"` // as it arrived, checked
	Blob    string    `json:"blob,omitempty"` // where a body is that is too large for a task; set by Desk.Receive
	Mapping []byte    `json:"mapping,omitempty"`
}

// Runner works one case out: gathers the evidence, runs the pipeline and leaves the files of the
// case in a directory. It has no outward effect, so running twice is only slower.
type Runner interface {
	Run(ctx context.Context, q RunRequest) (*RunResult, error)
}

// RunRequest asks for one attempt at a case.
type RunRequest struct {
	Record *Record // not to be changed
	Alert  Alert
	// Located is called when the suspects are known and before anything is built. A decline it
	// returns ends the case with that reason, as when the cause is another case's.
	Located  func(ctx context.Context, c *remedy.Case) (*remedy.Decline, error)
	Progress func(state remedy.State, note string)
}

// RunResult is a worked-out case.
type RunResult struct {
	Case       *remedy.Case
	Repository string // owner/name, "" when none fits
	Dir        string // the case's files
	Change     *Change
	Rules      Rules // of the repository's configuration at its target branch
	Close      func() error
}

// Rules are what the repository's configuration says about how far the tool may go.
type Rules struct {
	// Autonomy for a service and a severity.
	Autonomy remedy.Autonomy
	// Approval says that a person decides before anything is proposed.
	Approval    bool
	MaxOpen     int // open pull requests in the repository; 0 means no limit
	MaxPerHour  int
	MaxPerServe int  // open pull requests per service
	Bypass      bool // limits do not hold for this case, since it is critical
	DeleteStale bool // the branch goes when the pull request was closed
}

// Change is the proposed commit in a form that needs no clone.
type Change struct {
	Base    string       `json:"base"`   // parent commit
	Commit  []byte       `json:"commit"` // the raw commit object, signature included
	SHA     string       `json:"sha"`
	Tree    string       `json:"tree"`
	Message string       `json:"message"`
	Files   []FileChange `json:"files"`
}

// FileChange is one path of a change; Content is nil for a deletion.
type FileChange struct {
	Path    string `json:"path"`
	Mode    string `json:"mode"` // "100644", "100755"
	Content []byte `json:"content,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
}
