package dockettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

// Runner works every case out the way its Plan says.
type Runner struct {
	Dir func() string // a new directory for each run, such as testing.T.TempDir
	// Plan says how a case comes out; nil for the same patch of the same place for every case of a service.
	Plan func(q docket.RunRequest, o *Outcome)
	mu   sync.Mutex
	runs map[string]int
}

// Outcome is what a run comes to.
type Outcome struct {
	Repository     string
	Base           string // commit
	Service        string
	Operation      string
	Culprit        string
	File, Function string
	Line           int
	Proved         bool
	Decline        *remedy.Decline
	Autonomy       remedy.Autonomy
	Rules          docket.Rules
	Err            error
	Panic          bool
	Salt           string        // makes another commit out of the same case
	Wait           chan struct{} // the run ends when it is closed, or its context
	Entered        chan string   // is sent the fingerprint when the run is under way
	BeforeLocated  func()
	Then           *remedy.Decline // how a case ends that is located and goes on
}

// Runs is how often cases with this fingerprint were worked out; all for "".
func (r *Runner) Runs(fingerprint string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if fingerprint != "" {
		return r.runs[fingerprint]
	}
	n := 0
	for _, k := range r.runs {
		n += k
	}
	return n
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Run implements [docket.Runner].
func (r *Runner) Run(ctx context.Context, q docket.RunRequest) (*docket.RunResult, error) {
	fp := q.Record.Fingerprint
	r.mu.Lock()
	if r.runs == nil {
		r.runs = map[string]int{}
	}
	r.runs[fp]++
	r.mu.Unlock()
	o := &Outcome{Repository: "acme/shop", Base: digest("base")[:40], Service: q.Record.Incident.Service, Operation: "GET /" + fp[:8], Line: 10, Proved: true,
		Autonomy: remedy.Ready, Rules: docket.Rules{Autonomy: remedy.Ready}}
	o.File = "svc/" + fp[:8] + ".go"
	o.Function = "Handle"
	if r.Plan != nil {
		r.Plan(q, o)
	}
	if o.Entered != nil {
		o.Entered <- fp
	}
	if o.Wait != nil {
		select {
		case <-o.Wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if o.Panic {
		panic("the case is poisonous")
	}
	if o.Err != nil {
		return nil, o.Err
	}
	in := q.Record.Incident
	c := &remedy.Case{Schema: remedy.Schema, Tool: "test", State: remedy.Located, Fingerprint: fp, Title: "Errors on " + remedy.Plain(o.Service), Incident: in,
		Base: remedy.Revision{Branch: "main", Commit: o.Base}, Confidence: 0.9, Autonomy: o.Autonomy,
		Evidence: remedy.Evidence{From: in.StartsAt.Add(-600e9), To: in.StartsAt.Add(300e9)},
		Suspects: []remedy.Suspect{{Rank: 1, Service: o.Service, Operation: o.Operation, File: o.File, Line: o.Line, Function: o.Function, Commit: o.Culprit, Confidence: 0.9,
			Reasons: []localize.Reason{{Signal: "errors", Text: "secret text of a log", Value: 0.5}}}}, Options: []remedy.Option{}, Timings: []remedy.Timing{}}
	if q.Progress != nil {
		q.Progress(remedy.Located, "1 suspect")
	}
	if o.BeforeLocated != nil {
		o.BeforeLocated()
	}
	if o.Decline == nil && q.Located != nil {
		d, err := q.Located(ctx, c)
		if err != nil {
			return nil, err
		}
		if o.Decline = d; d == nil {
			o.Decline = o.Then
		}
	}
	res := &docket.RunResult{Case: c, Repository: o.Repository, Dir: r.Dir(), Rules: o.Rules}
	files := map[string]string{"report.html": "<p>report</p>", "evidence.sigstore.json": "{}"}
	if o.Decline != nil {
		c.State, c.Declined = remedy.Declined, o.Decline
	} else {
		propose(c, o, q.Record.Round, res)
		files["patch.diff"] = c.Patch.Diff
		files["pull-request.md"] = "What broke: `" + remedy.Plain(o.Operation) + "`\n"
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	files["case.json"] = string(body)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(res.Dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// propose adds a patch of one line.
func propose(c *remedy.Case, o *Outcome, round int, res *docket.RunResult) {
	var old bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&old, "line %d\n", i+1)
	}
	now := bytes.Replace(old.Bytes(), fmt.Appendf(nil, "line %d\n", o.Line), []byte("mended "+o.Salt+"\n"), 1)
	edit := patch.FileEdit{Path: o.File, Kind: patch.SourceFile, Mode: 0o100644, Old: old.Bytes(), New: now}
	diff := patch.Diff([]patch.FileEdit{edit})
	sha := digest(c.Fingerprint, o.Base, o.Salt, diff)[:40]
	c.State = remedy.Proposed
	c.Patch = &remedy.Patch{Patch: patch.Patch{Option: patch.Option{Rung: patch.Code, Recipe: "test@1"}, Diff: diff}, Digest: digest(diff), Added: 1, Deleted: 1}
	c.Verdicts = &remedy.Verdicts{Proved: o.Proved, Why: "red without, green with", Replays: []remedy.Replay{{Name: "incident_on", Build: "patched", Want: "green", OK: o.Proved}}}
	c.Commit = &remedy.Commit{SHA: sha, Tree: digest(diff)[:40], Parent: o.Base, Branch: remedy.BranchName(c.Fingerprint, round), Message: "mend\n", Labels: []string{"remediator"}, Reviewers: []string{"owner"}}
	res.Change = &docket.Change{Base: o.Base, SHA: sha, Tree: c.Commit.Tree, Message: c.Commit.Message, Commit: []byte("commit"),
		Files: []docket.FileChange{{Path: o.File, Mode: "100644", Content: now}}}
}

// Notifier keeps what people were told.
type Notifier struct {
	mu   sync.Mutex
	Told []string // "stage hold"
	Fail error
}

// Notify implements [docket.Notifier].
func (n *Notifier) Notify(_ context.Context, r *docket.Record, ref string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.Fail != nil {
		return "", n.Fail
	}
	what := string(r.Stage)
	if r.Hold != nil {
		what += " " + r.Hold.Code
	}
	n.Told = append(n.Told, what)
	if ref == "" {
		ref = fmt.Sprintf("message-%d", len(n.Told))
	}
	return ref, nil
}
