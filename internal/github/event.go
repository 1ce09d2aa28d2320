package github

import (
	"strings"

	"github.com/remediator/remediator/remedy/docket"
)

// payloadFields are the few fields of GitHub's payloads that matter here.
type payloadFields struct {
	Action     string          `json:"action"`
	Repository fieldRepository `json:"repository"`
	Sender     fieldUser       `json:"sender"`

	PullRequest *struct {
		Number   int     `json:"number"`
		Merged   bool    `json:"merged"`
		MergedAt *string `json:"merged_at"`
		Head     struct {
			Ref  string           `json:"ref"`
			SHA  string           `json:"sha"`
			Repo *fieldRepository `json:"repo"`
		} `json:"head"`
	} `json:"pull_request"`

	Ref     string `json:"ref"`
	After   string `json:"after"`
	Deleted bool   `json:"deleted"`

	Issue *struct {
		Number      int       `json:"number"`
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
	Comment *struct {
		ID   int64     `json:"id"`
		Body string    `json:"body"`
		User fieldUser `json:"user"`
		App  *fieldApp `json:"performed_via_github_app"`
	} `json:"comment"`

	CheckRun *struct {
		HeadSHA    string     `json:"head_sha"`
		ExternalID string     `json:"external_id"`
		App        fieldApp   `json:"app"`
		Suite      fieldSuite `json:"check_suite"`
	} `json:"check_run"`
	CheckSuite      *fieldSuite `json:"check_suite"`
	RequestedAction *struct {
		Identifier string `json:"identifier"`
	} `json:"requested_action"`
}

type fieldRepository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
}

type fieldUser struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

type fieldApp struct {
	ID int64 `json:"id"`
}

type fieldSuite struct {
	HeadBranch string   `json:"head_branch"`
	HeadSHA    string   `json:"head_sha"`
	App        fieldApp `json:"app"`
}

func (u fieldUser) bot() bool { return u.Type == "Bot" || strings.HasSuffix(u.Login, "[bot]") }

// event is what a payload means for the docket; ok is false when it means nothing.
func (c *Client) event(kind string, p payloadFields, target func(string) string) (e docket.ForgeEvent, ok bool) {
	if _, _, err := splitRepository(p.Repository.FullName); err != nil {
		return e, false
	}
	e = docket.ForgeEvent{Repository: p.Repository.FullName, User: cutBytes(oneLine(p.Sender.Login), 100), Bot: p.Sender.bot()}
	switch kind {
	case "pull_request":
		ok = pullEvent(&e, p)
	case "push":
		ok = pushEvent(&e, p, target)
	case "issue_comment":
		ok = commentEvent(&e, p)
	case "check_run", "check_suite":
		ok = c.checkEvent(&e, kind, p)
	}
	return e, ok
}

func pullEvent(e *docket.ForgeEvent, p payloadFields) bool {
	if p.PullRequest == nil || p.PullRequest.Number <= 0 {
		return false
	}
	head := p.PullRequest.Head
	if checkBranch(head.Ref) != nil || checkHash(head.SHA) != nil || head.Repo == nil || head.Repo.ID != p.Repository.ID {
		return false // somebody's own branch, or a fork that calls its branch like ours
	}
	e.Number, e.Branch, e.Head = p.PullRequest.Number, head.Ref, head.SHA
	switch p.Action {
	case "closed":
		e.Kind = docket.PullClosed
		if p.PullRequest.Merged || p.PullRequest.MergedAt != nil {
			e.Kind = docket.PullMerged
		}
	case "reopened":
		e.Kind = docket.PullReopened
	case "synchronize":
		e.Kind = docket.PullPushed
	default:
		return false
	}
	return true
}

func pushEvent(e *docket.ForgeEvent, p payloadFields, target func(string) string) bool {
	branch, ok := strings.CutPrefix(p.Ref, "refs/heads/")
	if !ok || p.Deleted || checkHash(p.After) != nil || checkRef(branch) != nil {
		return false
	}
	want := ""
	if target != nil {
		want = target(p.Repository.FullName)
	}
	if want == "" {
		want = p.Repository.DefaultBranch
	}
	if branch != want {
		return false
	}
	e.Kind, e.Branch, e.Head = docket.BasePushed, branch, p.After
	return true
}

// commentEvent takes commands from comments as they were first written by people on pull requests.
func commentEvent(e *docket.ForgeEvent, p payloadFields) bool {
	if p.Action != "created" || p.Issue == nil || p.Issue.PullRequest == nil || p.Comment == nil {
		return false
	}
	if p.Issue.Number <= 0 || p.Comment.ID <= 0 || p.Comment.User.bot() || e.Bot || p.Comment.App != nil || !loginName.MatchString(p.Comment.User.Login) {
		return false
	}
	command, ok := ParseCommand(p.Comment.Body)
	if !ok {
		return false
	}
	e.Kind, e.Number, e.Comment, e.User = docket.CommandComment, p.Issue.Number, p.Comment.ID, p.Comment.User.Login
	e.Command, e.Argument = command.Name, command.Argument
	return true
}

func (c *Client) checkEvent(e *docket.ForgeEvent, kind string, p payloadFields) bool {
	e.Kind = docket.CheckRerun
	suite := p.CheckSuite
	if kind == "check_run" {
		if p.CheckRun != nil && p.CheckRun.App.ID == 0 && fingerprintHex.MatchString(p.CheckRun.ExternalID) {
			p.CheckRun.App.ID = c.options.AppID // the App may be left out, and the run names a case
		}
		if p.CheckRun == nil || p.CheckRun.App.ID != c.options.AppID {
			return false
		}
		suite = &p.CheckRun.Suite
		suite.HeadSHA, suite.App = p.CheckRun.HeadSHA, p.CheckRun.App
		e.Case = cutBytes(oneLine(p.CheckRun.ExternalID), 200)
	}
	if suite == nil || suite.App.ID != c.options.AppID || checkHash(suite.HeadSHA) != nil {
		return false
	}
	e.Head = suite.HeadSHA
	if checkBranch(suite.HeadBranch) == nil {
		e.Branch = suite.HeadBranch
	}
	switch {
	case p.Action == "rerequested":
		return true
	case p.Action == "requested_action" && kind == "check_run" && p.RequestedAction != nil:
		command, ok := ParseCommand("/remediator " + oneLine(p.RequestedAction.Identifier))
		e.Command = command.Name
		return ok && command.Name != ""
	}
	return false
}
