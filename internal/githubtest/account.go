package githubtest

import (
	"fmt"
	"slices"
	"strings"
)

// object is a JSON object.
type object = map[string]any

// account is a user, an organization or the user behind an App.
type account struct {
	id     int64
	login  string
	kind   string // "User", "Organization", "Bot"
	emails []string
	teams  []string // of an organization
}

// AddUser makes a person. Commits with one of the email addresses are attributed to them.
func (s *Server) AddUser(login string, emails ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(login, "User")
	a.emails = append(a.emails, emails...)
}

// AddOrganization makes an organization with teams; its repositories may ask them for reviews.
func (s *Server) AddOrganization(login string, teams ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(login, "Organization")
	a.kind = "Organization"
	a.teams = append(a.teams, teams...)
}

// account finds or makes an account.
func (s *Server) account(login, kind string) *account {
	key := strings.ToLower(login)
	if a := s.accounts[key]; a != nil {
		return a
	}
	a := &account{id: s.id(), login: login, kind: kind}
	if kind == "User" {
		a.emails = []string{fmt.Sprintf("%d+%s@users.noreply.github.com", a.id, login)}
	}
	s.accounts[key] = a
	return a
}

// byEmail finds whose commits carry an address.
func (s *Server) byEmail(email string) *account {
	for _, a := range s.accounts {
		if slices.Contains(a.emails, email) {
			return a
		}
	}
	return nil
}

func nodeID(kind string, id int64) string { return fmt.Sprintf("%s_kwDO%08x", kind, id) }

func (s *Server) accountJSON(a *account) any {
	if a == nil {
		return nil
	}
	url := s.api + "/users/" + strings.ReplaceAll(strings.ReplaceAll(a.login, "[", "%5B"), "]", "%5D")
	html := s.base + "/" + a.login
	if a.kind == "Bot" {
		html = s.base + "/apps/" + strings.TrimSuffix(a.login, "[bot]")
	}
	return object{
		"login": a.login, "id": a.id, "node_id": nodeID("U", a.id), "avatar_url": s.base + "/avatars/" + fmt.Sprint(a.id),
		"gravatar_id": "", "url": url, "html_url": html, "followers_url": url + "/followers",
		"following_url": url + "/following{/other_user}", "gists_url": url + "/gists{/gist_id}",
		"starred_url": url + "/starred{/owner}{/repo}", "subscriptions_url": url + "/subscriptions",
		"organizations_url": url + "/orgs", "repos_url": url + "/repos", "events_url": url + "/events{/privacy}",
		"received_events_url": url + "/received_events", "type": a.kind, "site_admin": false, "user_view_type": "public",
	}
}

func (s *Server) teamJSON(org *account, slug string) object {
	url := s.api + "/orgs/" + org.login + "/teams/" + slug
	return object{
		"id": org.id*1000 + int64(slices.Index(org.teams, slug)), "node_id": nodeID("T", org.id), "name": slug, "slug": slug,
		"description": nil, "privacy": "closed", "notification_setting": "notifications_enabled", "permission": "push",
		"url": url, "html_url": s.base + "/orgs/" + org.login + "/teams/" + slug, "members_url": url + "/members{/member}",
		"repositories_url": url + "/repos", "parent": nil, "type": "organization", "organization_id": org.id,
	}
}
