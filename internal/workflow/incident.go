package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remediator/remediator/remedy"
)

// proposal is what remediator run writes beside the case about the pull request it made.
type proposal struct {
	State string `json:"state"` // "proposed", "held", "refused", ...
	URL   string `json:"url"`
	Why   string `json:"why"` // why there is no pull request, or nothing new in it
}

// maxCase bounds each file of a case.
const maxCase = 64 << 20

// incident takes one incident from its alert to a pull request.
func (s *step) incident(ctx context.Context) (Result, error) {
	out := s.caseDir()
	args, err := s.runArgs(out)
	if err != nil {
		return Result{}, err
	}
	var said bytes.Buffer
	code := 0
	err = s.log.Group("remediator run", func(w io.Writer) error {
		var err error
		code, err = s.Tool(ctx, args, s.environment(true), w, io.MultiWriter(w, &said))
		return err
	})
	if err != nil {
		return Result{}, err
	}
	if code != 0 && code != exitDeclined {
		return Result{Case: out}, ended("run", code, said.String())
	}
	c, err := readJSON[remedy.Case](filepath.Join(out, "case.json"))
	if err != nil {
		return Result{Case: out}, err
	}
	made, err := readJSON[proposal](filepath.Join(out, "proposal.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{Case: out}, err
	}
	body, err := readBounded(filepath.Join(out, "pull-request.md"), maxCase)
	if err != nil {
		return Result{Case: out}, err
	}
	s.annotate(&c, made)
	state := string(c.State)
	if made.State != "" {
		state = made.State
	}
	return Result{State: state, PullRequest: made.URL, Case: out, Summary: s.summary(&c, made, string(body))}, nil
}

// caseDir is where the case goes: outside the checkout, so that no later step commits it by accident.
func (s *step) caseDir() string {
	if d := s.input("out"); d != "" {
		return s.inside(d)
	}
	return filepath.Join(s.Getenv("RUNNER_TEMP"), "remediator-case")
}

// runArgs is the command line for the inputs.
func (s *step) runArgs(out string) ([]string, error) {
	bundle, sources, alert := s.input("incident"), s.input("sources"), s.input("alert")
	switch {
	case bundle == "" && sources == "" && alert == "":
		return nil, errors.New("name an incident directory in the input `incident`, or give the alert in `alert`, with its telemetry in `sources` or at the servers that .remediator.yaml names")
	case bundle != "" && sources != "":
		return nil, errors.New("`incident` and `sources` are two names for the directory of the telemetry: give one of them")
	case bundle == "" && alert == "":
		return nil, errors.New("`sources` holds telemetry without an alert: give the alert's body or its file in `alert`")
	case bundle == "":
		bundle = sources
	}
	args := []string{"run", "--repo", s.repository(), "--out", out}
	if bundle != "" {
		args = append(args, "--incident", s.inside(bundle))
	}
	if alert != "" {
		file, err := s.alertFile(alert)
		if err != nil {
			return nil, err
		}
		args = append(args, "--alert", file)
	}
	propose, autonomy := s.input("propose"), s.input("autonomy")
	if propose == "" {
		propose = "none"
	}
	if !slices.Contains([]string{"none", "pull-request"}, propose) {
		return nil, fmt.Errorf("propose %s: choose none or pull-request", quoted(propose))
	}
	switch remedy.Autonomy(autonomy) {
	case "":
	case remedy.Report:
		propose = "none"
	case remedy.Branch, remedy.Draft, remedy.Ready:
		args = append(args, "--autonomy", autonomy)
	default:
		return nil, fmt.Errorf("autonomy %s: choose report, branch, draft or ready", quoted(autonomy))
	}
	if propose == "pull-request" && s.input("token") == "" {
		return nil, errors.New("proposing a pull request needs the input `token`: the default is the workflow's own, an App's token starts CI on it too")
	}
	args = append(args, "--propose", propose)
	key, err := s.keyFile()
	if err != nil {
		return nil, err
	}
	if key != "" {
		args = append(args, "--key", s.inside(key))
	}
	for _, name := range []string{"model-url", "model", "golden", "branch", "approved-by"} {
		v := s.input(name)
		if v == "" {
			continue
		}
		if name == "golden" {
			v = s.inside(v)
		}
		args = append(args, "--"+name, v)
	}
	if s.input("allow-weak-sandbox") == "true" {
		args = append(args, "--allow-weak-sandbox")
	}
	return args, nil
}

// alertFile is the file of an alert that was given by its path or as its body.
func (s *step) alertFile(alert string) (string, error) {
	if !strings.HasPrefix(alert, "{") && !strings.HasPrefix(alert, "[") {
		return s.inside(alert), nil
	}
	path := filepath.Join(s.Temp, "alert.json")
	return path, os.WriteFile(path, []byte(alert), 0o600)
}

// annotate marks the suspects in the code.
func (s *step) annotate(c *remedy.Case, made proposal) {
	for _, p := range c.Suspects[:min(len(c.Suspects), 3)] {
		if p.File == "" {
			continue
		}
		text := fmt.Sprintf("%s %s: confidence %.2f", p.Service, p.Operation, p.Confidence)
		if len(p.Reasons) > 0 {
			text += "\n" + p.Reasons[0].Text
		}
		s.log.Annotate(Annotation{Level: Warning, File: p.File, First: p.Line, Title: fmt.Sprintf("remediator: suspect %d", p.Rank), Text: text})
	}
	switch {
	case c.Declined != nil:
		s.log.Annotate(Annotation{Level: Notice, Title: "remediator: declined", Text: c.Declined.Why + "\n" + c.Declined.Next})
	case made.Why != "":
		s.log.Annotate(Annotation{Level: Warning, Title: "remediator: " + made.State, Text: made.Why})
	case made.URL != "":
		s.log.Annotate(Annotation{Level: Notice, Title: "remediator: proposed", Text: made.URL})
	}
	for _, h := range c.Holds {
		s.log.Annotate(Annotation{Level: Warning, Title: "remediator: a person has to decide", Text: h})
	}
}

// tokenNote is said wherever a pull request was made by a workflow's own token.
const tokenNote = "> **This pull request was made with the workflow's own `GITHUB_TOKEN`, so GitHub starts no CI on it.** " +
	"Close and reopen it by hand to start CI, or give this action the token of a GitHub App: " +
	"`actions/create-github-app-token` makes one, and the input `token` takes it.\n"

// summary is the evidence, as the pull request carries it too, after the table of what came of it.
func (s *step) summary(c *remedy.Case, made proposal, body string) string {
	var b strings.Builder
	b.WriteString("## remediator\n\n| | |\n| --- | --- |\n")
	row := func(name, value string) { fmt.Fprintf(&b, "| %s | %s |\n", name, value) }
	row("State", "**"+string(c.State)+"**")
	if made.State != "" && made.State != string(c.State) {
		row("At GitHub", "**"+code(made.State)+"** "+code(made.Why))
	}
	row("Case", code(c.Fingerprint))
	if url := made.URL; strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		row("Pull request", "<"+strings.NewReplacer("<", "", ">", "", "|", "", "\n", "", " ", "").Replace(url)+">")
	}
	if c.Commit != nil {
		row("Branch", code(c.Commit.Branch))
		row("Commit", code(c.Commit.SHA))
		row("Signed by", code(c.Commit.Key))
	}
	row("Based on", code(c.Base.Branch+" "+c.Base.Commit))
	b.WriteString("\n")
	if made.URL != "" && s.ownToken() {
		b.WriteString(tokenNote + "\n")
	}
	b.WriteString(body)
	return b.String()
}

// ownToken says whether the token is the one GitHub made for this workflow. An installation's token begins alike, so
// action.yml hands on what the workflow's own is.
func (s *step) ownToken() bool {
	own := s.Getenv("REMEDIATOR_WORKFLOW_TOKEN")
	return own != "" && own == s.input("token")
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d MiB", path, limit>>20)
	}
	return data, err
}

func readJSON[T any](path string) (v T, err error) {
	data, err := readBounded(path, maxCase)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
