package dockettest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/remediator/remediator/remedy/docket"
)

// Forge is a forge of any number of repositories that does what package docket expects of one. It counts what was
// made, so that a test sees a second one of anything.
type Forge struct {
	mu       sync.Mutex
	Writers  []string          // who may write; everybody when nil
	Tips     map[string]string // "repository branch" -> commit
	Branches map[string]string // "repository branch" -> commit
	// Ours are the commits that this tool made, by what EnsureBranch was given.
	Ours      map[string]bool
	Pulls     []*docket.Pull
	Requests  []docket.PullRequest // of Pulls, as last asked for
	Made      map[string]int       // how often something new came to be, by what it is
	Checks    map[string]docket.CheckRun
	Statuses  map[string]docket.CommitStatus
	Comments  map[string]string // "number key" -> body
	Reactions []string
	Evidence  map[string]map[string][]byte
	Order     []string // what came to be, in its order
}

// NewForge returns an empty forge.
func NewForge() *Forge {
	return &Forge{Tips: map[string]string{}, Branches: map[string]string{}, Ours: map[string]bool{}, Made: map[string]int{}, Checks: map[string]docket.CheckRun{},
		Statuses: map[string]docket.CommitStatus{}, Comments: map[string]string{}, Evidence: map[string]map[string][]byte{}}
}

// As is the forge as a process uses it.
func (f *Forge) As(p *Process) func(string) docket.Forge {
	return func(string) docket.Forge { return forgeView{f, p} }
}

type forgeView struct {
	f *Forge
	p *Process
}

func (v forgeView) write(ctx context.Context, step string, do func() error) error {
	return v.p.step("forge "+step, func() error { return v.read(ctx, do) })
}

func (v forgeView) read(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.f.mu.Lock()
	defer v.f.mu.Unlock()
	return do()
}

func (f *Forge) made(what string) {
	f.Made[what]++
	f.Order = append(f.Order, what)
}

func (f *Forge) find(repo, branch string) *docket.Pull {
	for _, p := range slices.Backward(f.Pulls) {
		if p.Branch == branch && p.URL[:len("forge/"+repo)] == "forge/"+repo {
			return p
		}
	}
	return nil
}

// FindPull implements [docket.Forge].
func (v forgeView) FindPull(ctx context.Context, repo, branch string) (out *docket.Pull, err error) {
	if err := v.p.alive(); err != nil {
		return nil, err
	}
	err = v.read(ctx, func() error {
		if p := v.f.find(repo, branch); p != nil {
			c := *p
			out = &c
		}
		return nil
	})
	return out, err
}

// EnsureBranch implements [docket.Forge].
func (v forgeView) EnsureBranch(ctx context.Context, repo, branch, previous string, c docket.Change) (string, error) {
	err := v.write(ctx, "branch", func() error {
		key := repo + " " + branch
		switch at := v.f.Branches[key]; {
		case at == c.SHA:
			return nil
		case at != previous:
			return fmt.Errorf("%s at %.12s: %w", branch, at, docket.ErrHumanCommits)
		}
		v.f.Branches[key], v.f.Ours[c.SHA] = c.SHA, true
		v.f.made("branch " + branch + " " + c.SHA)
		if p := v.f.find(repo, branch); p != nil && p.State == "open" {
			p.Head = c.SHA
		}
		return nil
	})
	return c.SHA, err
}

// Push is what a person does to a branch.
func (f *Forge) Push(repo, branch, sha string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Branches[repo+" "+branch] = sha
	if p := f.find(repo, branch); p != nil {
		p.Head, p.Human = sha, !f.Ours[sha]
	}
}

// SetState is what people do to a pull request.
func (f *Forge) SetState(number int, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Pulls[number-1].State = state
}

// EnsureEvidence implements [docket.Forge].
func (v forgeView) EnsureEvidence(ctx context.Context, repo, fingerprint string, files map[string][]byte) error {
	return v.write(ctx, "evidence", func() error {
		v.f.Evidence[repo+" "+fingerprint] = maps.Clone(files)
		v.f.made("evidence")
		return nil
	})
}

// EnsurePull implements [docket.Forge].
func (v forgeView) EnsurePull(ctx context.Context, repo string, q docket.PullRequest) (out *docket.Pull, err error) {
	err = v.write(ctx, "pull", func() error {
		p := v.f.find(repo, q.Branch)
		if p == nil {
			n := len(v.f.Pulls) + 1
			p = &docket.Pull{Number: n, URL: fmt.Sprintf("forge/%s/%d", repo, n), Branch: q.Branch, Head: q.Head, State: "open", Draft: q.Draft}
			v.f.Pulls = append(v.f.Pulls, p)
			v.f.Requests = append(v.f.Requests, q)
			v.f.made("pull " + q.Branch)
		} else {
			v.f.Requests[p.Number-1] = q
		}
		c := *p
		out = &c
		return nil
	})
	return out, err
}

// ClosePull implements [docket.Forge].
func (v forgeView) ClosePull(ctx context.Context, _ string, number int) error {
	return v.write(ctx, "close", func() error {
		if p := v.f.Pulls[number-1]; p.State == "open" {
			p.State = "closed"
			v.f.made(fmt.Sprintf("close %d", number))
		}
		return nil
	})
}

// DeleteBranch implements [docket.Forge].
func (v forgeView) DeleteBranch(ctx context.Context, repo, branch, head string) error {
	return v.write(ctx, "drop", func() error {
		if key := repo + " " + branch; v.f.Branches[key] == head {
			delete(v.f.Branches, key)
			v.f.made("drop " + branch)
		}
		return nil
	})
}

// EnsureCheck implements [docket.Forge]: one check run for each name and head.
func (v forgeView) EnsureCheck(ctx context.Context, repo string, c docket.CheckRun) (int64, error) {
	err := v.write(ctx, "check", func() error {
		key := repo + " " + c.Head + " " + c.Name
		if _, ok := v.f.Checks[key]; !ok {
			v.f.made("check " + c.Head)
		}
		v.f.Checks[key] = c
		return nil
	})
	return 1, err
}

// EnsureStatus implements [docket.Forge].
func (v forgeView) EnsureStatus(ctx context.Context, repo string, s docket.CommitStatus) error {
	return v.write(ctx, "status", func() error {
		v.f.Statuses[repo+" "+s.Head+" "+s.Context] = s
		return nil
	})
}

// EnsureComment implements [docket.Forge].
func (v forgeView) EnsureComment(ctx context.Context, _ string, number int, key, body string) error {
	return v.write(ctx, "comment", func() error {
		k := fmt.Sprintf("%d %s", number, key)
		if _, ok := v.f.Comments[k]; !ok {
			v.f.made("comment " + k)
		}
		v.f.Comments[k] = body
		return nil
	})
}

// React implements [docket.Forge].
func (v forgeView) React(ctx context.Context, _ string, comment int64, content string) error {
	return v.write(ctx, "react", func() error {
		if r := fmt.Sprintf("%d %s", comment, content); !slices.Contains(v.f.Reactions, r) {
			v.f.Reactions = append(v.f.Reactions, r)
		}
		return nil
	})
}

// MayWrite implements [docket.Forge].
func (v forgeView) MayWrite(ctx context.Context, _, login string) (may bool, err error) {
	if err := v.p.alive(); err != nil {
		return false, err
	}
	err = v.read(ctx, func() error {
		may = v.f.Writers == nil || slices.Contains(v.f.Writers, login)
		return nil
	})
	return may, err
}

// Tip implements [docket.Forge].
func (v forgeView) Tip(ctx context.Context, repo, branch string) (tip string, err error) {
	if err := v.p.alive(); err != nil {
		return "", err
	}
	err = v.read(ctx, func() error { tip = v.f.Tips[repo+" "+branch]; return nil })
	return tip, err
}
