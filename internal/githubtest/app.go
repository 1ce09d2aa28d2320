package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// app is the App under test and its one installation per owner.
type app struct {
	id       int64
	slug     string
	owner    *account
	user     *account // who its comments are by
	made     time.Time
	installs map[string]*installation // by owner, in lower case
}

type installation struct {
	id          int64
	account     *account
	permissions map[string]string
	suspended   bool
}

// anyKey is the key of Apps that bring none, one a process since making it takes longer than most tests.
var anyKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (s *Server) makeApp() error {
	s.key = s.opt.AppKey
	if s.key == nil {
		var err error
		if s.key, err = anyKey(); err != nil {
			return err
		}
	}
	s.app = app{id: s.id(), slug: "remediator-test", made: s.now(), installs: map[string]*installation{}}
	s.app.owner = s.account("app-owner", "User")
	s.app.user = s.account(s.app.slug+"[bot]", "Bot")
	s.app.user.emails = []string{fmt.Sprintf("%d+%s[bot]@users.noreply.github.com", s.app.user.id, s.app.slug)}
	return nil
}

// AppID is the App's number.
func (s *Server) AppID() int64 { return s.app.id }

// AppLogin is the login that the App's comments and pull requests carry.
func (s *Server) AppLogin() string { return s.app.user.login }

// AppKeyPEM is the App's private key as GitHub hands it out.
func (s *Server) AppKeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(s.key)})
}

// InstallationID is the installation at the owner of a repository.
func (s *Server) InstallationID(fullName string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, _, _ := strings.Cut(fullName, "/")
	return s.installationOf(s.account(owner, "User")).id
}

// SetPermissions changes what the installation at an owner is granted.
func (s *Server) SetPermissions(owner string, permissions map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installationOf(s.account(owner, "User")).permissions = permissions
}

func (s *Server) installationOf(owner *account) *installation {
	key := strings.ToLower(owner.login)
	i := s.app.installs[key]
	if i == nil {
		i = &installation{id: s.id(), account: owner, permissions: s.opt.Permissions}
		s.app.installs[key] = i
	}
	return i
}

// installed finds the installation that covers a repository.
func (r *Repository) installed() *installation {
	if r.outside {
		return nil
	}
	return r.s.installationOf(r.owner)
}

var appEvents = []any{"check_run", "check_suite", "issue_comment", "pull_request", "pull_request_review", "push"}

func permissionsJSON(p map[string]string) object {
	o := object{}
	for k, v := range p {
		o[k] = v
	}
	return o
}

func (s *Server) appJSON() object {
	return object{
		"id": s.app.id, "slug": s.app.slug, "node_id": nodeID("A", s.app.id), "client_id": fmt.Sprintf("Iv1.%016x", s.app.id),
		"owner": s.accountJSON(s.app.owner), "name": s.app.slug, "description": nil, "external_url": s.base, "html_url": s.base + "/apps/" + s.app.slug,
		"created_at": stamp(s.app.made), "updated_at": stamp(s.app.made), "permissions": permissionsJSON(s.opt.Permissions), "events": appEvents,
	}
}

func (s *Server) installationJSON(i *installation) object {
	u := fmt.Sprintf("%s/app/installations/%d", s.api, i.id)
	suspended, by := any(nil), any(nil)
	if i.suspended {
		suspended, by = stamp(s.now()), s.accountJSON(s.app.owner)
	}
	return object{
		"id": i.id, "account": s.accountJSON(i.account), "repository_selection": "selected", "access_tokens_url": u + "/access_tokens",
		"repositories_url": s.api + "/installation/repositories", "html_url": fmt.Sprintf("%s/settings/installations/%d", s.base, i.id),
		"app_id": s.app.id, "app_slug": s.app.slug, "target_id": i.account.id, "target_type": i.account.kind,
		"permissions": permissionsJSON(i.permissions), "events": appEvents, "created_at": stamp(s.app.made), "updated_at": stamp(s.app.made),
		"single_file_name": nil, "suspended_by": by, "suspended_at": suspended,
	}
}

func appRoutes() []route {
	return []route{
		{"GET", "/app", "app", func(c *call) answer { return ok(c.s.appJSON()) }},
		{"GET", "/app/installations", "app", listInstallations},
		{"GET", "/app/installations/{installation_id}", "app", getInstallation},
		{"POST", "/app/installations/{installation_id}/access_tokens", "app", createToken},
		{"GET", "/repos/{owner}/{repo}/installation", "app", repositoryInstallation},
		{"GET", "/users/{username}/installation", "app", ownerInstallation},
		{"GET", "/orgs/{org}/installation", "app", ownerInstallation},
		{"GET", "/installation/repositories", "", installationRepositories},
		{"DELETE", "/installation/token", "", revokeToken},
		{"POST", "/app-manifests/{code}/conversions", "", convertManifest},
		{"GET", "/rate_limit", "", getRateLimit},
		{"GET", "/user", "", getUser},
		{"GET", "/user/repos", "", listOwnRepositories},
		{"GET", "/users/{username}", "", getUserByName},
	}
}

func (s *Server) sortedInstalls() []*installation {
	var all []*installation
	for _, i := range s.app.installs {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b *installation) int { return int(a.id - b.id) })
	return all
}

func listInstallations(c *call) answer {
	var all []any
	for _, i := range c.s.sortedInstalls() {
		all = append(all, c.s.installationJSON(i))
	}
	return c.page(all, nil)
}

func (c *call) installation() *installation {
	for _, i := range c.s.app.installs {
		if i.id == c.argID("installation_id") {
			return i
		}
	}
	return nil
}

func getInstallation(c *call) answer {
	i := c.installation()
	if i == nil {
		return notFound()
	}
	return ok(c.s.installationJSON(i))
}

// createToken makes an installation token, of fewer repositories and permissions where asked.
func createToken(c *call) answer {
	i := c.installation()
	if i == nil {
		return notFound()
	}
	if i.suspended {
		return failure(http.StatusForbidden, "This installation has been suspended")
	}
	a := &actor{account: c.s.app.user, install: i, permissions: map[string]string{}, expires: c.s.now().Add(c.s.opt.TokenLifetime)}
	wanted, _ := c.body["permissions"].(object)
	for name, level := range i.permissions {
		if len(wanted) == 0 {
			a.permissions[name] = level
		}
	}
	for name, v := range wanted {
		level, _ := v.(string)
		if !granted(i.permissions, name+":"+level) {
			return unprocessable("The permissions requested are not granted to this installation.")
		}
		a.permissions[name] = level
	}
	if names := c.texts("repositories"); len(names) > 0 {
		a.only = map[int64]bool{}
		for _, name := range names {
			r := c.s.repos[strings.ToLower(i.account.login+"/"+name)]
			if r == nil || r.outside {
				return unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation.")
			}
			a.only[r.id] = true
		}
	}
	if ids, _ := c.body["repository_ids"].([]any); len(ids) > 0 {
		a.only = map[int64]bool{}
		for _, v := range ids {
			n, _ := v.(float64)
			a.only[int64(n)] = true
		}
	}
	token := c.s.issue("ghs_", a)
	selection := "all"
	if a.only != nil {
		selection = "selected"
	}
	return created(object{
		"token": token, "expires_at": stamp(a.expires), "permissions": permissionsJSON(a.permissions), "repository_selection": selection,
	})
}

func repositoryInstallation(c *call) answer {
	i := c.repo.installed()
	if i == nil {
		return notFound()
	}
	return ok(c.s.installationJSON(i))
}

func ownerInstallation(c *call) answer {
	i := c.s.app.installs[strings.ToLower(c.args["username"]+c.args["org"])]
	if i == nil {
		return notFound()
	}
	return ok(c.s.installationJSON(i))
}

func installationRepositories(c *call) answer {
	if c.actor.install == nil {
		return failure(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	}
	var all []any
	for _, r := range c.s.repos {
		if c.actor.reaches(r) {
			all = append(all, r.json())
		}
	}
	slices.SortFunc(all, func(a, b any) int { return int(a.(object)["id"].(int64) - b.(object)["id"].(int64)) })
	return c.page(all, counted("repositories", len(all)))
}

func revokeToken(c *call) answer {
	if c.actor.install == nil {
		return failure(http.StatusUnauthorized, "Requires authentication")
	}
	delete(c.s.tokens, c.actor.token)
	return noContent()
}

// convertManifest trades the code of GitHub's App creation flow for the App; a code works once.
func convertManifest(c *call) answer {
	code := c.args["code"]
	if c.s.conversed[code] || !strings.HasPrefix(code, "manifest-") {
		return notFound()
	}
	c.s.conversed[code] = true
	o := c.s.appJSON()
	o["client_secret"] = random(20)
	o["webhook_secret"] = c.s.opt.WebhookSecret
	o["pem"] = string(c.s.AppKeyPEM())
	return created(o)
}

// ManifestCode is a code that the App creation flow would hand to its redirect URL.
func (s *Server) ManifestCode() string { return "manifest-" + random(20) }

func getUser(c *call) answer {
	if c.actor.account == nil || c.actor.install != nil {
		return failure(http.StatusForbidden, "Resource not accessible by integration")
	}
	return ok(c.s.publicUser(c.actor.account))
}

// listOwnRepositories lists what a user has a role in.
func listOwnRepositories(c *call) answer {
	if c.actor.account == nil || c.actor.install != nil {
		return failure(http.StatusForbidden, "Resource not accessible by integration")
	}
	var all []any
	for _, r := range c.s.repos {
		if role := r.roles[strings.ToLower(c.actor.account.login)]; role != "" {
			o := r.json()
			o["permissions"] = rolePermissions(role)
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b any) int { return int(a.(object)["id"].(int64) - b.(object)["id"].(int64)) })
	return c.page(all, nil)
}

func getUserByName(c *call) answer {
	a := c.s.accounts[strings.ToLower(c.args["username"])]
	if a == nil {
		return notFound()
	}
	return ok(c.s.publicUser(a))
}

func (s *Server) publicUser(a *account) object {
	o := s.accountJSON(a).(object)
	for k, v := range map[string]any{
		"name": a.login, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil, "public_repos": 1,
		"public_gists": 0, "followers": 0, "following": 0, "created_at": stamp(s.app.made), "updated_at": stamp(s.app.made),
	} {
		o[k] = v
	}
	return o
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
