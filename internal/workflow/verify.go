package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/attest"
)

// botBranch is how the branches of proposals are named: the fingerprint's beginning, and the round where there was more
// than one.
var botBranch = regexp.MustCompile(`^remediator/([0-9a-f]{12})(-[0-9]+)?$`)

// errLate means that the evidence may still be on its way.
var errLate = errors.New("not there yet")

// attempts and pause bound how long the evidence is waited for: the branch is pushed a moment before it.
const (
	attempts = 6
	pause    = 10 * time.Second
)

// verify checks a pull request of the bot against its signed evidence. Others pass with a note.
func (s *step) verify(ctx context.Context) (Result, error) {
	switch {
	case s.event.Name == "merge_group":
		return s.pass("the pull requests in a merge queue were checked on their own heads"), nil
	case s.event.Number == 0:
		return Result{}, fmt.Errorf("mode verify checks pull requests, and %s is about none: use it with `on: pull_request`", s.event.Name)
	}
	m := botBranch.FindStringSubmatch(s.event.Head.Ref)
	if m == nil {
		return s.pass("this pull request is not the bot's: its branch is not named remediator/<case>"), nil
	}
	if s.input("key") == "" {
		return Result{}, errors.New("mode verify needs the input `key`: the public key to trust, as text or as a path in the target branch; a key that came with the evidence would prove nothing")
	}
	var claims []attest.Claim
	for i := 1; ; i++ {
		dir := filepath.Join(s.Temp, fmt.Sprintf("verify-%d", i))
		var err error
		claims, err = s.check(ctx, m[1], dir)
		if err != nil && !errors.Is(err, errLate) {
			return Result{}, err
		}
		if err == nil && !anotherCommit(claims) {
			break
		}
		if i == attempts {
			if err != nil {
				return s.broken([]attest.Claim{{Name: "evidence", Why: err.Error()}}), nil
			}
			break
		}
		s.log.Say("the evidence about %s is not there yet; trying again", s.event.Head.SHA)
		if err := s.Sleep(ctx, pause); err != nil {
			return Result{}, err
		}
	}
	if !attest.Proved(claims) {
		return s.broken(claims), nil
	}
	return Result{State: "proved", Summary: s.claims(claims)}, nil
}

func (s *step) pass(why string) Result {
	s.log.Annotate(Annotation{Level: Notice, Title: "remediator verify", Text: why})
	return Result{State: "skipped", Summary: "## remediator verify\n\nNothing to check: " + why + ".\n"}
}

// anotherCommit says whether the evidence is good and about another commit, as it is while the bot replaces it.
func anotherCommit(claims []attest.Claim) bool {
	i := slices.IndexFunc(claims, func(c attest.Claim) bool { return !c.Proved })
	return i >= 0 && claims[i].Name == "statement"
}

// check fetches head, target and evidence into a repository of their own and has the evidence checked.
func (s *step) check(ctx context.Context, fingerprint, dir string) ([]attest.Claim, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	repo := filepath.Join(dir, "repository.git")
	if err := os.Mkdir(repo, 0o755); err != nil {
		return nil, err
	}
	c := s.remote(repo)
	if _, err := c.git(ctx, "init", "--quiet", "--bare"); err != nil {
		return nil, err
	}
	found, err := c.git(ctx, "ls-remote", c.url, "refs/remediator/"+fingerprint+"*")
	if err != nil {
		return nil, fmt.Errorf("%w; the job needs `permissions: contents: read`", err)
	}
	var refs []string
	for line := range strings.Lines(string(found)) {
		if _, ref, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			refs = append(refs, ref)
		}
	}
	switch len(refs) {
	case 0:
		return nil, fmt.Errorf("the repository holds no evidence at refs/remediator/%s*: %w", fingerprint, errLate)
	case 1:
	default:
		return nil, fmt.Errorf("the repository holds evidence of %d cases that begin with %s", len(refs), fingerprint)
	}
	// The head and its parent, without which nothing can be said about its diff.
	if err := c.fetch(ctx, 2, s.event.Head.SHA); err != nil {
		return nil, err
	}
	if err := c.fetch(ctx, 1, s.event.Base.SHA, "+"+refs[0]+":refs/evidence"); err != nil {
		return nil, err
	}
	key, err := s.trustedKey(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	evidence := filepath.Join(dir, "case")
	if err := c.export(ctx, "refs/evidence", evidence); err != nil {
		return nil, err
	}
	var out, said bytes.Buffer
	code, err := s.Tool(ctx, []string{"verify", "--format", "json", "--repo", repo, "--commit", s.event.Head.SHA, "--key", key, evidence}, s.environment(false), &out, &said)
	if err != nil {
		return nil, err
	}
	if code != 0 && code != exitNo {
		return nil, ended("verify", code, said.String())
	}
	var claims []attest.Claim
	if err := json.Unmarshal(out.Bytes(), &claims); err != nil {
		return nil, fmt.Errorf("the answer of remediator verify: %w", err)
	}
	if (code == 0) != attest.Proved(claims) {
		return nil, fmt.Errorf("remediator verify ended with code %d, which its claims do not say", code)
	}
	return claims, nil
}

// trustedKey is the key of the input: as text, or a file of the target branch. The checkout and the evidence are what is
// being checked, so neither may bring it.
func (s *step) trustedKey(ctx context.Context, c clone, dir string) (string, error) {
	file := filepath.Join(dir, "trusted.pub")
	key := s.input("key")
	if strings.HasPrefix(key, "-----BEGIN ") {
		return file, os.WriteFile(file, []byte(key+"\n"), 0o600)
	}
	if !filepath.IsLocal(key) || path.Clean(key) != key {
		return "", fmt.Errorf("key %s: name a file of the target branch, relative to its root", quoted(key))
	}
	data, err := c.git(ctx, "cat-file", "blob", s.event.Base.SHA+":"+key)
	if err != nil {
		return "", fmt.Errorf("the target branch holds no %s: commit the public key there first", quoted(key))
	}
	return file, os.WriteFile(file, data, 0o600)
}

func (s *step) broken(claims []attest.Claim) Result {
	for _, c := range claims {
		if !c.Proved {
			s.log.Annotate(Annotation{Level: Error, Title: "remediator verify: " + c.Name + " is not proved", Text: c.Why})
		}
	}
	return Result{State: "broken", Failed: true, Summary: s.claims(claims)}
}

// claims is the summary of a check.
func (s *step) claims(claims []attest.Claim) string {
	var b strings.Builder
	good := 0
	for _, c := range claims {
		if c.Proved {
			good++
		}
	}
	b.WriteString("## remediator verify\n\n")
	if good == len(claims) {
		fmt.Fprintf(&b, "All %d claims about %s are proved by the key that the target branch trusts.\n", len(claims), code(s.event.Head.SHA))
	} else {
		fmt.Fprintf(&b, "**%d of %d claims about %s are broken. Do not merge this.** A commit that somebody added to the branch is not covered by the evidence either.\n",
			len(claims)-good, len(claims), code(s.event.Head.SHA))
	}
	b.WriteString("\n| | claim | what was compared |\n| --- | --- | --- |\n")
	for _, c := range claims {
		mark := "proved"
		if !c.Proved {
			mark = "**broken**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", mark, code(c.Name), code(c.Why))
	}
	return b.String()
}
