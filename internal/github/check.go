package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

const (
	needChecks   = "checks: write"
	needStatuses = "statuses: write"
	// annotationsPerCall is GitHub's limit; more are added by further calls.
	annotationsPerCall = 50
	// maxAnnotations bounds what one check run shows; nobody reads more.
	maxAnnotations = 500
	maxMessage     = 60 << 10
)

var conclusions = []string{"success", "failure", "neutral", "action_required"}

// EnsureCheck implements [docket.Forge]. A check run is found again by commit, name and external id. One that is
// completed and shall wait or run again gets a successor, as GitHub's guide for
// re-runs has it: the newest run of a name is the one that counts. With a token that may not write check runs, a
// commit status of the same name says the same in one line, and the id is 0.
func (c *Client) EnsureCheck(ctx context.Context, repo string, want docket.CheckRun) (int64, error) {
	if err := checkHash(want.Head); err != nil {
		return 0, err
	}
	if want.Name = cutRunes(oneLine(want.Name), 100); want.Name == "" || want.Case == "" || len(want.Case) > 200 {
		return 0, fmt.Errorf("github: a check run needs a name and its case")
	}
	switch {
	case want.Status == "queued" || want.Status == "in_progress":
		want.Conclusion = ""
	case want.Status != "completed":
		return 0, fmt.Errorf("github: %q is not a status of a check run", cutRunes(oneLine(want.Status), 40))
	case !slices.Contains(conclusions, want.Conclusion):
		return 0, fmt.Errorf("github: %q is not a conclusion of a check run", cutRunes(oneLine(want.Conclusion), 40))
	}
	if want.Title == "" {
		want.Title = want.Name
	}
	want.Title = cutRunes(oneLine(want.Title), maxTitle)
	want.Summary = document(want.Summary, maxCheckText, "The case's page has the rest.")
	want.Text = document(want.Text, maxCheckText, "The case's page has the rest.")
	if want.Summary == "" {
		want.Summary = want.Title
	}
	if err := c.allow(repo, remedy.Branch, "writing a check run"); err != nil {
		return 0, err
	}
	var id int64
	err := c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		id, err = c.writeCheck(ctx, t, want)
		return err
	})
	return id, err
}

func (c *Client) writeCheck(ctx context.Context, t *target, want docket.CheckRun) (int64, error) {
	doing := "writing the check run " + want.Name + " in " + t.full
	newest, err := c.findCheck(ctx, t, want)
	if c.mayNotCheck(err) {
		return 0, c.statusInstead(ctx, t, want)
	}
	if err != nil {
		return 0, explain(err, doing, "checks: read")
	}
	annotations := annotationsOf(want.Annotations)
	if newest == nil || newest.GetStatus() == "completed" && want.Status != "completed" {
		first := annotations[:min(len(annotations), annotationsPerCall)]
		options := gh.CreateCheckRunOptions{
			Name: want.Name, HeadSHA: want.Head, ExternalID: gh.String(want.Case), Status: gh.String(want.Status),
			Output: output(want, first),
		}
		if want.DetailsURL != "" {
			options.DetailsURL = gh.String(want.DetailsURL)
		}
		if want.Conclusion != "" {
			options.Conclusion = gh.String(want.Conclusion)
			options.CompletedAt = &gh.Timestamp{Time: c.options.Now().UTC()}
		}
		made, _, err := t.Checks.CreateCheckRun(ctx, t.owner, t.name, options)
		if c.mayNotCheck(err) {
			return 0, c.statusInstead(ctx, t, want)
		}
		if err != nil {
			return 0, explain(err, doing, needChecks)
		}
		return made.GetID(), c.annotate(ctx, t, want, made, annotations, len(first))
	}
	has := newest.GetOutput().GetAnnotationsCount()
	if !sameCheck(newest, want) {
		next := annotations[min(has, len(annotations)):]
		next = next[:min(len(next), annotationsPerCall)]
		if newest, err = t.updateCheck(ctx, c, want, newest.GetID(), next); err != nil {
			return 0, explain(err, doing, needChecks)
		}
		has += len(next)
	}
	return newest.GetID(), c.annotate(ctx, t, want, newest, annotations, has)
}

// annotate adds what is missing beyond the first has annotations.
func (c *Client) annotate(ctx context.Context, t *target, want docket.CheckRun, run *gh.CheckRun, all []*gh.CheckRunAnnotation, has int) error {
	for has < len(all) {
		next := all[has:min(has+annotationsPerCall, len(all))]
		if _, err := t.updateCheck(ctx, c, want, run.GetID(), next); err != nil {
			return explain(err, "annotating the check run "+want.Name+" in "+t.full, needChecks)
		}
		has += len(next)
	}
	return nil
}

func (t *target) updateCheck(ctx context.Context, c *Client, want docket.CheckRun, id int64, annotations []*gh.CheckRunAnnotation) (*gh.CheckRun, error) {
	options := gh.UpdateCheckRunOptions{Name: want.Name, ExternalID: gh.String(want.Case), Status: gh.String(want.Status), Output: output(want, annotations)}
	if want.DetailsURL != "" {
		options.DetailsURL = gh.String(want.DetailsURL)
	}
	if want.Conclusion != "" {
		options.Conclusion = gh.String(want.Conclusion)
		options.CompletedAt = &gh.Timestamp{Time: c.options.Now().UTC()}
	}
	run, _, err := t.Checks.UpdateCheckRun(ctx, t.owner, t.name, id, options)
	return run, err
}

func output(want docket.CheckRun, annotations []*gh.CheckRunAnnotation) *gh.CheckRunOutput {
	out := &gh.CheckRunOutput{Title: gh.String(want.Title), Summary: gh.String(want.Summary), Annotations: annotations}
	if want.Text != "" {
		out.Text = gh.String(want.Text)
	}
	return out
}

// findCheck is the newest run of the name for the case; nil if there is none.
func (c *Client) findCheck(ctx context.Context, t *target, want docket.CheckRun) (*gh.CheckRun, error) {
	options := &gh.ListCheckRunsOptions{CheckName: gh.String(want.Name), Filter: gh.String("all"), ListOptions: gh.ListOptions{PerPage: 100}}
	if c.options.AppID != 0 {
		options.AppID = gh.Int64(c.options.AppID)
	}
	var newest *gh.CheckRun
	for range maxPages {
		list, res, err := t.Checks.ListCheckRunsForRef(ctx, t.owner, t.name, want.Head, options)
		if err != nil {
			return nil, err
		}
		for _, run := range list.CheckRuns {
			if run.GetName() == want.Name && run.GetExternalID() == want.Case && run.GetHeadSHA() == want.Head && run.GetID() > newest.GetID() {
				newest = run
			}
		}
		if options.Page = following(res, &options.ListOptions, len(list.CheckRuns)); options.Page == 0 {
			break
		}
	}
	return newest, nil
}

func sameCheck(run *gh.CheckRun, want docket.CheckRun) bool {
	out := run.GetOutput()
	return run.GetStatus() == want.Status && run.GetConclusion() == want.Conclusion &&
		same(out.GetTitle(), want.Title) && same(out.GetSummary(), want.Summary) && same(out.GetText(), want.Text) &&
		(want.DetailsURL == "" || run.GetDetailsURL() == want.DetailsURL)
}

func annotationsOf(list []docket.Annotation) []*gh.CheckRunAnnotation {
	var out []*gh.CheckRunAnnotation
	for _, a := range list[:min(len(list), maxAnnotations)] {
		level := a.Level
		if level != "notice" && level != "warning" && level != "failure" {
			level = "notice"
		}
		if checkFile(a.Path, "100644") != nil {
			continue
		}
		message := document(a.Message, maxMessage, "")
		if message == "" {
			message = a.Title
		}
		first := max(a.First, 1)
		one := &gh.CheckRunAnnotation{
			Path: gh.String(a.Path), StartLine: gh.Int(first), EndLine: gh.Int(max(a.Last, first)),
			AnnotationLevel: gh.String(level), Message: gh.String(message),
		}
		if a.Title != "" {
			one.Title = gh.String(cutRunes(oneLine(a.Title), 255))
		}
		if one.GetMessage() != "" {
			out = append(out, one)
		}
	}
	return out
}

// mayNotCheck says whether a plain token was told that check runs are for Apps, or not to be had.
func (c *Client) mayNotCheck(err error) bool {
	s := statusOf(err)
	return c.app == nil && (s == http.StatusForbidden || s == http.StatusNotFound) && !says(err, "archived", "disabled")
}

// statusInstead says in a commit status what a check run would have said.
func (c *Client) statusInstead(ctx context.Context, t *target, want docket.CheckRun) error {
	state := "pending"
	switch want.Conclusion {
	case "success", "neutral":
		state = "success"
	case "failure", "action_required":
		state = "failure"
	}
	return t.ensureStatus(ctx, docket.CommitStatus{Head: want.Head, Context: want.Name, State: state, Description: want.Title, URL: want.DetailsURL})
}
