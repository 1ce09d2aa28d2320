package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Person does by hand in a test what people do on GitHub's pages.
type Person struct {
	s *Server
	a *actor
}

// As returns a person; one that is not known yet is made.
func (s *Server) As(login string) *Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Person{s, &actor{account: s.account(login, "User")}}
}

func (p *Person) pull(r *Repository, number int) (*pull, error) {
	if pr := r.pulls[number]; pr != nil {
		return pr, nil
	}
	return nil, fmt.Errorf("%s has no pull request %d", r.FullName(), number)
}

// Comment writes a comment on a pull request and returns its id.
func (p *Person) Comment(r *Repository, number int, body string) (int64, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	pr, err := p.pull(r, number)
	if err != nil {
		return 0, err
	}
	return r.comment(pr, p.a, body).id, nil
}

// EditComment changes a comment.
func (p *Person) EditComment(r *Repository, id int64, body string) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	m := r.comments[id]
	if m == nil {
		return fmt.Errorf("%s has no comment %d", r.FullName(), id)
	}
	r.edit(m, body, p.a.account)
	return nil
}

// Close closes a pull request without merging it.
func (p *Person) Close(r *Repository, number int) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	pr, err := p.pull(r, number)
	if err == nil {
		pr.close(p.a.account)
	}
	return err
}

// Reopen opens a closed pull request again.
func (p *Person) Reopen(r *Repository, number int) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	pr, err := p.pull(r, number)
	if err == nil {
		pr.reopen(p.a.account)
	}
	return err
}

// Merge merges a pull request and returns the merge commit.
func (p *Person) Merge(r *Repository, number int) (string, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	pr, err := p.pull(r, number)
	if err != nil {
		return "", err
	}
	return pr.merge(p.a)
}

// MarkReady takes a pull request out of draft.
func (p *Person) MarkReady(r *Repository, number int) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	pr, err := p.pull(r, number)
	if err == nil {
		pr.setDraft(false, p.a.account)
	}
	return err
}

// PushCommit adds a commit to a branch, which is made from the default branch when it is not there. A nil content
// removes the file.
func (p *Person) PushCommit(r *Repository, branch, message string, files map[string][]byte) (string, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	name := "refs/heads/" + branch
	before := r.git.line("rev-parse", "--verify", "--quiet", name)
	parent := before
	if parent == "" {
		parent = r.git.line("rev-parse", "--verify", "--quiet", "refs/heads/"+r.defaultBranch())
	}
	var changes []treeEntry
	for path, content := range files {
		e := treeEntry{mode: "100644", kind: "blob", path: path}
		if content != nil {
			sha, err := r.git.run(content, "hash-object", "-w", "--stdin")
			if err != nil {
				return "", err
			}
			e.sha = strings.TrimSpace(sha)
		}
		changes = append(changes, e)
	}
	slices.SortFunc(changes, func(a, b treeEntry) int { return strings.Compare(a.path, b.path) })
	one := commit{message: message}
	if parent != "" {
		one.parents = []string{parent}
	}
	var err error
	if one.tree, err = r.git.editTree(parent, changes); err != nil {
		return "", err
	}
	one.author = person{p.a.name(), p.a.email(), p.s.now()}
	one.committer = one.author
	sha, err := r.git.writeCommit(one)
	if err != nil {
		return "", err
	}
	return sha, r.setRef(name, before, sha, p.a.account)
}

// DeleteBranch removes a branch; its open pull request is closed by that.
func (p *Person) DeleteBranch(r *Repository, branch string) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	name := "refs/heads/" + branch
	before := r.git.line("rev-parse", "--verify", "--quiet", name)
	if before == "" {
		return fmt.Errorf("%s has no branch %s", r.FullName(), branch)
	}
	return r.setRef(name, before, "", p.a.account)
}

// Rerequest presses the button of a check run that asks for it again.
func (p *Person) Rerequest(r *Repository, checkRun int64) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	k := r.checks[checkRun]
	if k == nil {
		return fmt.Errorf("%s has no check run %d", r.FullName(), checkRun)
	}
	r.rerequest(k, p.a.account)
	return nil
}

// RerequestSuite presses the button that asks for all checks of a commit again.
func (p *Person) RerequestSuite(r *Repository, sha string) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for _, suite := range r.suites {
		if suite.head == sha {
			r.emit("check_suite", "rerequested", object{"action": "rerequested", "check_suite": r.suiteJSON(suite)}, p.a.account)
			return nil
		}
	}
	return fmt.Errorf("%s has no check suite on %s", r.FullName(), sha)
}

// PullState is a pull request as a test sees it.
type PullState struct {
	Number             int
	Title, Body, State string
	Draft, Merged      bool
	Head, HeadSHA      string
	Base, BaseSHA      string
	User               string
	Labels             []string
	Reviewers, Teams   []string
}

// Pulls are all pull requests of a repository, oldest first.
func (r *Repository) Pulls() []PullState {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var all []PullState
	for _, p := range slices.Backward(r.sortedPulls()) {
		v := PullState{
			Number: p.number, Title: p.title, Body: p.body, State: p.state, Draft: p.draft, Merged: !p.merged.IsZero(), Head: p.headRef, HeadSHA: p.headSHA,
			Base: p.baseRef, BaseSHA: p.baseSHA, User: p.user.login, Labels: slices.Clone(p.labels), Teams: slices.Clone(p.teams),
		}
		for _, a := range p.reviewers {
			v.Reviewers = append(v.Reviewers, a.login)
		}
		all = append(all, v)
	}
	return all
}

// CommentState is a comment as a test sees it.
type CommentState struct {
	ID         int64
	User, Body string
	Reactions  []string // login:content
}

// Comments are the comments of a pull request, oldest first.
func (r *Repository) Comments(number int) []CommentState {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var all []CommentState
	for _, m := range r.commentsOf(number) {
		v := CommentState{ID: m.id, User: m.user.login, Body: m.body}
		for _, x := range m.reactions {
			v.Reactions = append(v.Reactions, x.user.login+":"+x.content)
		}
		all = append(all, v)
	}
	return all
}

// CheckState is a check run as a test sees it.
type CheckState struct {
	ID                   int64
	Name, ExternalID     string
	Head                 string
	Status, Conclusion   string
	Title, Summary, Text string
	DetailsURL           string
	Annotations          int
	Completed            time.Time
}

// Checks are the check runs of a repository, oldest first.
func (r *Repository) Checks() []CheckState {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var all []CheckState
	for _, k := range r.checks {
		v := CheckState{
			ID: k.id, Name: k.name, ExternalID: k.external, Head: k.suite.head, Status: k.status, Conclusion: k.conclusion, DetailsURL: k.details,
			Annotations: len(k.annotations), Completed: k.completed,
		}
		v.Title, _ = k.title.(string)
		v.Summary, _ = k.summary.(string)
		v.Text, _ = k.text.(string)
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b CheckState) int { return int(a.ID - b.ID) })
	return all
}

// StatusState is a commit status as a test sees it.
type StatusState struct{ SHA, Context, State, Description, Target string }

// Statuses are the commit statuses of a repository in the order they were set.
func (r *Repository) Statuses() []StatusState {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var all []StatusState
	for _, x := range r.statuses {
		all = append(all, StatusState{x.sha, x.context, x.state, x.description, x.target})
	}
	return all
}

// Ref is where a ref points, "" when it is not there.
func (r *Repository) Ref(name string) string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.git.line("rev-parse", "--verify", "--quiet", "--end-of-options", name)
}
