package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	gh "github.com/google/go-github/v66/github"
)

// Manifest describes the App to GitHub's "Registering a GitHub App from a manifest".
type Manifest struct {
	Name               string            `json:"name"`
	URL                string            `json:"url"`
	HookAttributes     HookAttributes    `json:"hook_attributes"`
	RedirectURL        string            `json:"redirect_url"`
	Description        string            `json:"description"`
	Public             bool              `json:"public"`
	DefaultEvents      []string          `json:"default_events"`
	DefaultPermissions map[string]string `json:"default_permissions"`
}

// HookAttributes say where webhooks go.
type HookAttributes struct {
	URL    string `json:"url"`
	Active bool   `json:"active"`
}

// maxAppName is GitHub's limit.
const maxAppName = 34

// NewManifest is the manifest of an App for the service at serviceURL.
func NewManifest(serviceURL, name string) (*Manifest, error) {
	u, err := url.Parse(serviceURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is not the URL of the service; give one such as https://remediator.example.com", serviceURL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL of the service must be plain, without user, query or fragment")
	}
	name = oneLine(name)
	if name == "" || len([]rune(name)) > maxAppName {
		return nil, fmt.Errorf("the App needs a name of at most %d characters; names are taken GitHub-wide, so add your organization's", maxAppName)
	}
	at := strings.TrimSuffix(u.String(), "/")
	m := &Manifest{
		Name: name, URL: at, RedirectURL: at + "/app/created",
		Description:        "Turns alerts into proven, signed pull requests.",
		HookAttributes:     HookAttributes{URL: at + "/webhooks/github", Active: true},
		DefaultPermissions: map[string]string{},
	}
	for _, p := range Permissions() {
		m.DefaultPermissions[p.Name] = p.Access
	}
	for _, e := range Events() {
		m.DefaultEvents = append(m.DefaultEvents, e.Name)
	}
	return m, nil
}

var manifestPage = template.Must(template.New("manifest").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Create the GitHub App {{.Manifest.Name}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}button{font:inherit;padding:.5rem 1rem}</style>
<h1>Create the GitHub App {{.Manifest.Name}}</h1>
<p>The button takes you to GitHub, which shows the App once more and creates it when you agree. GitHub then
sends you to <code>{{.Manifest.RedirectURL}}?code=…</code>. Run <code>remediator app create --code CODE</code> with that code within the hour.</p>
<form action="{{.Action}}" method="post">
<input type="hidden" name="manifest" value="{{.JSON}}">
<button>Create the App at GitHub</button>
</form>
<h2>What it asks for</h2>
<table><tr><th>Permission<th>Access<th>Why</tr>{{range .Permissions}}
<tr><td>{{.Shown}}<td>{{.Access}}<td>{{.Why}}</tr>{{end}}
</table>
</html>
`))

var organization = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}$`)

// Page is an HTML page with the form that posts the manifest to GitHub at site ("https://github.com"), for an
// organization or, without one, for whoever is logged in.
func (m *Manifest) Page(site, owner string) ([]byte, error) {
	u, err := url.Parse(site)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is not the address of a GitHub; give one such as https://github.com", site)
	}
	path := "/settings/apps/new"
	if owner != "" {
		if !organization.MatchString(owner) {
			return nil, fmt.Errorf("%q is not the name of an organization", owner)
		}
		path = "/organizations/" + owner + path
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = manifestPage.Execute(&b, map[string]any{
		"Manifest": m, "Action": strings.TrimSuffix(u.String(), "/") + path, "JSON": string(raw), "Permissions": Permissions(),
	})
	return b.Bytes(), err
}

// CreatedApp is an App that GitHub made from a manifest, with its secrets, which GitHub tells once.
type CreatedApp struct {
	ID            int64
	Slug          string
	URL           string
	PrivateKey    []byte // PEM
	WebhookSecret string // empty if GitHub made none
}

var manifestCode = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// CreateApp trades the code that GitHub's redirect carries for the App (POST /app-manifests/{code}/conversions). A
// code works once.
func CreateApp(ctx context.Context, o Options, code string) (*CreatedApp, error) {
	if !manifestCode.MatchString(code) {
		return nil, errors.New("that is not a code of GitHub's; it stands behind code= in the address that GitHub sends you to")
	}
	o.Token, o.AppID = "none", 0
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	made, _, err := c.sdk(c.wire()).Apps.CompleteAppManifest(ctx, code)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return nil, errors.New("github: GitHub does not know the code; it works once and for an hour: create the App anew")
	case err != nil:
		// The path holds the code, which is a secret until it was used.
		return nil, errors.New(strings.ReplaceAll(explain(err, "creating the App", "").Error(), code, "CODE"))
	}
	return appOf(made)
}

func appOf(a *gh.AppConfig) (*CreatedApp, error) {
	out := &CreatedApp{ID: a.GetID(), Slug: a.GetSlug(), URL: a.GetHTMLURL(), PrivateKey: []byte(a.GetPEM()), WebhookSecret: a.GetWebhookSecret()}
	if out.ID == 0 || len(out.PrivateKey) == 0 {
		return nil, errors.New("github: GitHub's answer lacks the App's id or key; create the App anew")
	}
	return out, nil
}

// CreatedPage serves the address that GitHub sends the creator of an App to. It only says what to do with the
// code: whoever has it can take the App's key, so the service does not.
func CreatedPage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		code := r.URL.Query().Get("code")
		if !manifestCode.MatchString(code) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintln(w, "GitHub sends you here with a code when it has made the App; there is none in this address.")
			return
		}
		fmt.Fprintf(w, "GitHub has made the App. Within the hour, where the service runs:\n\n    remediator app create --code %s --out DIR\n", code)
	})
}
