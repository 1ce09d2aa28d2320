package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

// replayed is one build's replay of all services.
type replayed struct {
	commit  string
	results map[string]remedy.Replay
	order   []string
	problem string // why nothing was replayed; "" when something was
}

const notReplayed replay.Outcome = "not replayed"

// replay replays the golden traces against the target branch's build and the pull request's.
func (s *step) replay(ctx context.Context) (Result, error) {
	base, head := s.event.Base.SHA, s.event.Head.SHA
	if b := s.input("base"); b != "" {
		base = b
	}
	if head == "" {
		head = s.Getenv("GITHUB_SHA")
	}
	if !commitHash.MatchString(base) || !commitHash.MatchString(head) {
		return Result{}, errors.New("mode replay compares two commits: use it with `on: pull_request`, or name the commit to compare with in the input `base`")
	}
	for _, sha := range []string{base, head} {
		if err := s.have(ctx, sha); err != nil {
			return Result{}, err
		}
	}
	before, err := s.replayAt(ctx, "base", base)
	if err != nil {
		return Result{}, err
	}
	after, err := s.replayAt(ctx, "head", head)
	if err != nil {
		return Result{}, err
	}
	if after.problem != "" && before.problem != "" {
		// A check that checks nothing must not be green.
		return Result{}, fmt.Errorf("nothing was replayed, of the target branch neither: %s", after.problem)
	}
	return s.compared(before, after), nil
}

// have makes sure that the checkout, which is shallow as a rule, holds a commit, and under a ref: what builds it works on
// a clone, and a clone takes along what refs name.
func (s *step) have(ctx context.Context, sha string) error {
	c := s.remote(s.repository())
	ref := "refs/remediator-action/" + sha
	if _, err := c.git(ctx, "cat-file", "-e", sha+"^{commit}"); err == nil {
		_, err = c.git(ctx, "update-ref", ref, sha)
		return err
	}
	if err := c.fetch(ctx, 1, "+"+sha+":"+ref); err != nil {
		return fmt.Errorf("%w; the job needs `permissions: contents: read`", err)
	}
	return nil
}

func (s *step) replayAt(ctx context.Context, name, sha string) (replayed, error) {
	r := replayed{commit: sha, results: map[string]remedy.Replay{}}
	args := []string{"replay", "--format", "json", "--repo", s.repository(), "--rev", sha}
	for service := range strings.FieldsFuncSeq(s.input("services"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
		args = append(args, "--service", service)
	}
	if g := s.input("golden"); g != "" {
		args = append(args, "--golden", s.inside(g))
	}
	if s.input("allow-weak-sandbox") == "true" {
		args = append(args, "--allow-weak-sandbox")
	}
	var out, said bytes.Buffer
	code := 0
	err := s.log.Group("remediator replay of "+name+" "+sha, func(w io.Writer) error {
		var err error
		code, err = s.Tool(ctx, args, s.environment(false), &out, io.MultiWriter(w, &said))
		return err
	})
	switch {
	case err != nil:
		return r, err
	case code == exitInput:
		r.problem = strings.TrimSpace(said.String())
		return r, nil
	case code != 0 && code != exitNo:
		return r, ended("replay of "+name, code, said.String())
	}
	var all []remedy.Replay
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		return r, fmt.Errorf("the answer of remediator replay: %w", err)
	}
	for _, one := range all {
		r.results[one.Name] = one
		r.order = append(r.order, one.Name)
	}
	return r, nil
}

// compared judges the pull request: what is not green makes the step red, unless it was not green before either; that
// is shown and is not its fault.
func (s *step) compared(before, after replayed) Result {
	res := Result{State: "green"}
	var b strings.Builder
	b.WriteString("## remediator replay\n\nGolden traces of every service, replayed against builds of the target branch and of this pull request.\n\n")
	fmt.Fprintf(&b, "| service | base %s | head %s | |\n| --- | --- | --- | --- |\n", code(before.commit[:12]), code(after.commit[:12]))
	order := after.order
	for _, name := range before.order {
		if _, still := after.results[name]; !still {
			order = append(order, name)
		}
	}
	outcome := func(r replayed, name string) replay.Outcome {
		one, there := r.results[name]
		if !there {
			return notReplayed
		}
		return one.Verdict.Outcome
	}
	for _, name := range order {
		was, is := outcome(before, name), outcome(after, name)
		why := after.results[name].Verdict.Why
		switch {
		case is == replay.Green:
		case was == replay.Green || was == notReplayed:
			res.State, res.Failed = "red", true
			if why == "" {
				why = "its golden traces are not replayed any more"
				if after.problem != "" {
					why = after.problem
				}
			}
			s.log.Annotate(Annotation{Level: Error, Title: "remediator replay: " + name, Text: why})
		default:
			s.log.Annotate(Annotation{Level: Warning, Title: "remediator replay: " + name, Text: "not green before this pull request either: " + why})
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(name), was, is, code(why))
	}
	if after.problem != "" {
		b.WriteString("\nThe pull request could not be replayed:\n\n" + paragraph(after.problem))
	}
	for _, name := range order {
		differences(&b, name, after.results[name].Verdict)
	}
	res.Summary = b.String()
	return res
}

const maxDifferences = 50

func differences(b *strings.Builder, name string, v replay.Verdict) {
	if len(v.Differences) == 0 {
		return
	}
	fmt.Fprintf(b, "\n<details><summary>%d differences of %s</summary>\n\n| case | what | where | recorded | replayed |\n| --- | --- | --- | --- | --- |\n",
		len(v.Differences)+v.Dropped, strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(name))
	for _, d := range v.Differences[:min(len(v.Differences), maxDifferences)] {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", code(d.Case), code(d.Target+" "+d.Kind), code(d.Pointer), code(d.Recorded), code(d.Replayed))
	}
	b.WriteString("\n</details>\n")
}
