package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// Event is what started the workflow, as far as it matters here.
type Event struct {
	Name       string // "pull_request", "workflow_dispatch", ...
	Repository string // owner/name
	Number     int    // of the pull request, 0 when there is none
	Head, Base Side
	fork       string // where strangers' code would come from, "" when from nowhere
}

// Side is one end of a pull request.
type Side struct{ Ref, SHA string }

const maxEvent = 32 << 20

var (
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)
	commitHash     = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
)

// payload is the part of GitHub's event that is read.
type payload struct {
	PullRequest *struct {
		Number int     `json:"number"`
		Head   refJSON `json:"head"`
		Base   refJSON `json:"base"`
	} `json:"pull_request"`
	WorkflowRun *struct {
		HeadRepository *repositoryJSON `json:"head_repository"`
	} `json:"workflow_run"`
}

type repositoryJSON struct {
	FullName string `json:"full_name"`
}

type refJSON struct {
	Ref  string          `json:"ref"`
	SHA  string          `json:"sha"`
	Repo *repositoryJSON `json:"repo"` // null when the fork was deleted
}

// ReadEvent reads the event that the environment names.
func ReadEvent(getenv func(string) string) (Event, error) {
	e := Event{Name: getenv("GITHUB_EVENT_NAME"), Repository: getenv("GITHUB_REPOSITORY")}
	if e.Name == "" || !repositoryName.MatchString(e.Repository) {
		return e, errors.New("GITHUB_EVENT_NAME and GITHUB_REPOSITORY do not say where this runs: use the action in a GitHub Actions workflow")
	}
	path := getenv("GITHUB_EVENT_PATH")
	if path == "" {
		return e, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return e, fmt.Errorf("event: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	if err != nil {
		return e, fmt.Errorf("event: %w", err)
	}
	if len(data) > maxEvent {
		return e, fmt.Errorf("event: larger than %d MiB", maxEvent>>20)
	}
	return e, e.parse(data)
}

func (e *Event) parse(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	var p payload
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	if run := p.WorkflowRun; run != nil {
		e.from(run.HeadRepository)
	}
	pr := p.PullRequest
	if pr == nil {
		if strings.HasPrefix(e.Name, "pull_request") {
			return fmt.Errorf("event: a %s without a pull request in it", e.Name)
		}
		return nil
	}
	e.from(pr.Head.Repo)
	e.Number, e.Head, e.Base = pr.Number, Side{pr.Head.Ref, pr.Head.SHA}, Side{pr.Base.Ref, pr.Base.SHA}
	if !commitHash.MatchString(e.Head.SHA) || !commitHash.MatchString(e.Base.SHA) {
		return errors.New("event: the pull request names no commits")
	}
	return nil
}

// from notes whose code would run.
func (e *Event) from(r *repositoryJSON) {
	switch {
	case r == nil:
		e.fork = "a fork that is gone"
	case !strings.EqualFold(r.FullName, e.Repository):
		e.fork = "the fork " + quoted(r.FullName)
	}
}

// Admit refuses the events in which code of strangers would meet the repository's token, and says what to do.
func (e Event) Admit() error {
	switch {
	case e.Name == "pull_request_target":
		return errors.New("this action refuses pull_request_target: it would give strangers' pull requests the repository's secrets; use `on: pull_request`")
	case e.fork != "":
		return fmt.Errorf("this action refuses pull requests from forks, and this one comes from %s: no code of strangers is built or run here. "+
			"Let the job be skipped for them: `if: github.event.pull_request.head.repo.full_name == github.repository`", e.fork)
	}
	return nil
}

// quoted makes a name from outside safe to print.
func quoted(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return fmt.Sprintf("%q", s)
}
