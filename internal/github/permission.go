package github

import (
	"cmp"
	"slices"
	"strings"
)

// Permission is one thing that the App asks for.
type Permission struct {
	Name   string `json:"name"`   // as GitHub's manifest has it
	Shown  string `json:"shown"`  // as GitHub's pages have it
	Access string `json:"access"` // "read" or "write"
	Why    string `json:"why"`
}

// Permissions are all that the App asks for, by name. docs/github-app.md shows them, which a test compares.
// What an operation needs is from GitHub's "Permissions required for GitHub Apps" and, for
// events, from "Webhook events and payloads".
func Permissions() []Permission {
	all := []Permission{
		{"metadata", "Metadata", "read", "GitHub grants it to every App; tells where a repository is, its default branch, and who has write access, since commands count from them only"},
		{"contents", "Contents", "write", "reads the repository and its target branch's configuration; writes blobs, trees, the signed commit, branches named remediator/… and the evidence under refs/remediator/…"},
		{"pull_requests", "Pull requests", "write", "opens, updates and closes the tool's own pull requests, labels them, asks for reviews and comments on them; also covers labels and comments, so that no write access to issues is needed"},
		{"checks", "Checks", "write", "shows the proof as a check run with annotations and a button to run it again"},
		{"statuses", "Commit statuses", "write", "reports the result of remediator verify on the tool's commits"},
		{"issues", "Issues", "read", "GitHub tells Apps of comments on pull requests only with it; nothing about issues is read or written"},
	}
	slices.SortFunc(all, func(a, b Permission) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Never lists permissions that are never asked for although tools of this kind often have them, and why not.
func Never() []Permission {
	return []Permission{
		{"workflows", "Workflows", "none", "a change to a workflow could run anything with the repository's secrets; such changes are refused"},
		{"administration", "Administration", "none", "branch protection and settings are for people"},
		{"secrets", "Secrets", "none", "nothing the tool does needs one"},
		{"actions", "Actions", "none", "CI starts by itself on the App's pull requests"},
		{"members", "Members", "none", "teams are asked for a review by name; whom GitHub refuses is left out"},
		{"deployments", "Deployments", "none", "what runs where comes from telemetry"},
	}
}

// Event is a kind of webhook that the App subscribes to.
type Event struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Events are all that the App subscribes to. Deliveries about the installation itself come without asking.
func Events() []Event {
	return []Event{
		{"check_run", "somebody asks for a check again"},
		{"check_suite", "somebody asks for all checks again"},
		{"issue_comment", "/remediator commands on pull requests"},
		{"pull_request", "one of the tool's pull requests was merged, closed, reopened or pushed to"},
		{"push", "the target branch moved"},
	}
}

// PermissionTable is the table of docs/github-app.md in Markdown.
func PermissionTable() string {
	var b strings.Builder
	b.WriteString("| permission | access | why |\n| --- | --- | --- |\n")
	for _, p := range Permissions() {
		b.WriteString("| " + p.Shown + " | " + p.Access + " | " + p.Why + " |\n")
	}
	b.WriteString("\nNever asked for:\n\n| permission | why not |\n| --- | --- |\n")
	for _, p := range Never() {
		b.WriteString("| " + p.Shown + " | " + p.Why + " |\n")
	}
	b.WriteString("\nWebhook events:\n\n| event | why |\n| --- | --- |\n")
	for _, e := range Events() {
		b.WriteString("| `" + e.Name + "` | " + e.Why + " |\n")
	}
	return b.String()
}
