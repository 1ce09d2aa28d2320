package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/gitrepo"
	"github.com/remediator/remediator/internal/queue"
	"github.com/remediator/remediator/internal/secrets"
	"github.com/remediator/remediator/internal/workbench"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/replay"
)

// grades of autonomy, the lowest first.
var grades = []remedy.Autonomy{remedy.Report, remedy.Branch, remedy.Draft, remedy.Ready}

// lesser is the lower of two grades; "" is no limit.
func lesser(a, b remedy.Autonomy) remedy.Autonomy {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return grades[min(slices.Index(grades, a), slices.Index(grades, b))]
}

// rules are what the repository's configuration says about a finished case.
func rules(conf config.Config, c *remedy.Case) docket.Rules {
	severity := string(c.Incident.Severity)
	return docket.Rules{
		Autonomy: c.Autonomy, Approval: conf.NeedsApproval(severity),
		MaxOpen: conf.Limits.OpenPullRequests, MaxPerHour: conf.Limits.PullRequestsPerHour, MaxPerServe: conf.Limits.OpenPerService,
		Bypass: conf.Limits.Bypass(severity), DeleteStale: !conf.Limits.KeepClosedBranches,
	}
}

// proposal is what proposal.json says of a pull request, or why there is none.
type proposal struct {
	State  docket.Stage `json:"state"`
	URL    string       `json:"url,omitempty"`
	Number int          `json:"number,omitempty"`
	Branch string       `json:"branch,omitempty"`
	Draft  bool         `json:"draft,omitempty"`
	Why    string       `json:"why,omitempty"`
}

// atGitHub says where and as whom a pull request is made.
type atGitHub struct{ repository, token, url string }

// fromEnvironment finds what a workflow's environment says, and the name of the repository in its remote.
func fromEnvironment(ctx context.Context, getenv func(string) string, clone string) (atGitHub, error) {
	at := atGitHub{repository: getenv("GITHUB_REPOSITORY"), token: cmp.Or(getenv("GITHUB_TOKEN"), getenv("GH_TOKEN")), url: getenv("GITHUB_API_URL")}
	if at.token == "" {
		return at, machineError(errors.New("--propose pull-request needs a token that may write contents and pull requests: set GITHUB_TOKEN"))
	}
	if at.repository == "" {
		at.repository = remoteName(ctx, clone)
	}
	if !ownerName.MatchString(at.repository) {
		return at, machineError(errors.New("which repository at GitHub is this? set GITHUB_REPOSITORY to owner/name"))
	}
	return at, nil
}

var (
	ownerName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
	remotePath = regexp.MustCompile(`[/:]([^/:]+/[^/:]+?)(\.git)?/?$`)
)

// remoteName is owner/name of the remote that a clone was made from, "" if it has none.
func remoteName(ctx context.Context, clone string) string {
	repo, err := gitrepo.Open(clone)
	if err != nil {
		return ""
	}
	remote, err := repo.Remote(ctx)
	if err != nil {
		return ""
	}
	m := remotePath.FindStringSubmatch(remote)
	if m == nil {
		return ""
	}
	return m[1]
}

// finished is a case that was worked out already, as a docket's runner gives it.
type finished struct{ res docket.RunResult }

// Run implements docket.Runner.
func (f *finished) Run(ctx context.Context, q docket.RunRequest) (*docket.RunResult, error) {
	d, err := q.Located(ctx, f.res.Case)
	if err != nil {
		return nil, err
	}
	if d != nil {
		return nil, fmt.Errorf("it may not go on: %s", d.Why)
	}
	res := f.res
	return &res, nil
}

// proposePullRequest brings a finished case to GitHub by the same rules and the same steps as the service, with a docket
// that lives for this one case. What earlier runs did is found at GitHub.
func proposePullRequest(ctx context.Context, at atGitHub, o runOptions, cs *remedy.Case, repo *workbench.Repository, dir *casedir.Dir, alert []byte, log *slog.Logger) (proposal, error) {
	client, err := github.New(github.Options{URL: at.url, Token: at.token, Version: version(), Log: log,
		Autonomy: func(string) remedy.Autonomy { return cs.Autonomy }})
	if err != nil {
		return proposal{}, machineError(err)
	}
	tmp, err := os.MkdirTemp("", "remediator-docket-")
	if err != nil {
		return proposal{}, machineError(err)
	}
	defer os.RemoveAll(tmp)
	q, err := queue.Open(ctx, queue.Options{DataDir: tmp, RetryFirst: time.Second, RetryMost: 10 * time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return proposal{}, machineError(err)
	}
	defer func() { _ = q.Close(context.WithoutCancel(ctx)) }()
	made, err := change(repo, cs)
	if err != nil {
		return proposal{}, err
	}
	desk := &docket.Desk{
		Store: q, Claims: q, Blobs: q, Queue: q, Alone: true, Owner: "run", Now: time.Now, Log: log,
		Runner: &finished{docket.RunResult{Case: cs, Repository: at.repository, Dir: dir.Path, Change: made,
			Rules: rules(repo.Config(), cs), Close: func() error { return nil }}},
		Forge:  func(string) docket.Forge { return client },
		Redact: replay.NewRedactor(&secrets.Finder{}).Text,
	}
	if err := desk.Receive(ctx, docket.Alert{Source: "run", Format: cs.Incident.Source, At: time.Now(), Body: alert}); err != nil {
		return proposal{}, err
	}
	r, err := settled(ctx, desk, q, cs.Fingerprint, o.approvedBy)
	if err != nil {
		return proposal{}, err
	}
	p := proposal{State: r.Stage}
	switch {
	case r.Pull != nil:
		p.URL, p.Number, p.Branch, p.Draft = r.Pull.URL, r.Pull.Number, r.Pull.Branch, r.Pull.Draft
	case r.Stage == docket.Proposed:
		p.Branch = cs.Commit.Branch
	}
	switch {
	case r.Hold != nil && r.Stage == docket.Held:
		p.Why = r.Hold.Why
	case r.Failure != "":
		p.Why = r.Failure
	case r.Stage == docket.Refused:
		p.Why = "the pull request for this incident was closed without a merge, which is a no"
	}
	return p, nil
}

// settled works until the one record has come as far as it does without somebody else.
func settled(ctx context.Context, desk *docket.Desk, store docket.Store, fingerprint, approvedBy string) (*docket.Record, error) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- desk.Run(working, 1) }()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	approved := false
	for {
		select {
		case err := <-ended:
			return nil, cmp.Or(err, ctx.Err(), errors.New("the work ended early"))
		case <-look.C:
		}
		r, err := store.Get(ctx, fingerprint)
		if errors.Is(err, docket.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.Lease != nil || r.Stage == docket.Queued || r.Stage == docket.Running || r.Stage == docket.Writing {
			continue
		}
		if r.Stage == docket.Held && r.Hold.Approvable() && r.Hold.Code == "approval" && approvedBy != "" && !approved {
			approved = true
			if _, err := desk.Act(ctx, docket.Action{Case: fingerprint, Name: "approve", By: approvedBy, Via: "api", Reason: "approved where the run was started"}); err != nil {
				return nil, err
			}
			continue
		}
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
		return store.Get(ctx, fingerprint)
	}
}

// keep writes what became of the proposal beside the case, and says it.
func (p proposal) keep(dir *casedir.Dir, say io.Writer) error {
	var text bytes.Buffer
	if err := writeJSON(&text, p); err != nil {
		return err
	}
	if err := dir.Put(casedir.ProposalFile, text.Bytes()); err != nil {
		return err
	}
	switch {
	case p.URL != "" && p.Why == "":
		_, err := fmt.Fprintf(say, "\npull request   %s\n", p.URL)
		return err
	case p.Branch != "":
		_, err := fmt.Fprintf(say, "\nbranch         %s\n", p.Branch)
		return err
	}
	_, err := fmt.Fprintf(say, "\nnothing was proposed at GitHub (%s): %s\n", p.State, p.Why)
	return err
}
