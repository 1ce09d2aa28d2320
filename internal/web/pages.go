package web

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

//go:embed page.html.tmpl page.css page.js
var files embed.FS

// asset is a file that pages load; its name holds its digest, so that it may be kept for ever.
type asset struct {
	kind string
	data []byte
}

func (h *Handler) loadPages() error {
	h.assets = map[string]asset{}
	names := map[string]string{}
	for name, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"} {
		data, err := files.ReadFile(name)
		if err != nil {
			return fmt.Errorf("web: %w", err)
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(name)
		public := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:8]) + ext
		h.assets[public] = asset{kind, data}
		names[name] = "/assets/" + public
	}
	t, err := template.New("").Funcs(template.FuncMap{
		"plain": plain, "brief": func(s string) string { return clip(s, 240) }, "name": name, "plural": plural, "block": block, "short": short, "percent": percent, "score": score, "stage": stageWord, "tone": tone,
		"place": place, "suspect": suspectName, "symptom": symptomText, "rung": rungWord, "outcome": outcomeWord,
		"asset":    func(name string) string { return names[name] },
		"ago":      func(t time.Time) string { return ago(h.now(), t) },
		"when":     func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 MST") },
		"machine":  func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"item":     h.item,
		"artifact": artifactPath,
		"pullLink": pullLink,
		"segment":  url.PathEscape,
	}).ParseFS(files, "page.html.tmpl")
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	h.pages = t
	return nil
}

func (h *Handler) pageRoutes() {
	h.mux.HandleFunc("GET /{$}", h.servePage(h.overview))
	h.mux.HandleFunc("GET /cases/{fingerprint}", h.servePage(h.casePage))
	h.mux.HandleFunc("POST /cases/{fingerprint}/{action}", h.serveForm(Approve, h.decide))
	h.mux.HandleFunc("POST /dead-letters/{id}/{action}", h.serveForm(Administer, h.letterForm))
	h.mux.HandleFunc("POST /breaker/reset", h.serveForm(Administer, h.breakerForm))
	h.mux.HandleFunc("GET /login", h.loginPage)
	h.mux.HandleFunc("POST /login", h.loginForm)
	h.mux.HandleFunc("POST /logout", h.logoutForm)
	h.mux.HandleFunc("GET /assets/{name}", h.serveAsset)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.failPage(w, r, caller{}, problem(http.StatusNotFound, "there is no such page"))
	})
}

func (h *Handler) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := h.assets[r.PathValue("name")]
	if !ok {
		h.failPage(w, r, caller{}, problem(http.StatusNotFound, "there is no such file"))
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.data)
}

// frame is what every page has.
type frame struct {
	Title  string
	Nonce  string
	Who    string // "" before login
	Logout bool
	CSRF   string
	Said   string // what came of the last action
	Live   string // URL of the events that change the page; "" for none
	// MayApprove and MayAdminister are the caller's rights.
	MayApprove, MayAdminister bool
	Role                      string
	Path                      string // of this page, for forms that come back to it
}

func (h *Handler) frame(w http.ResponseWriter, r *http.Request, who caller, title string) frame {
	f := frame{Title: title, Nonce: rand.Text(), Who: who.name, Logout: who.session != "", MayApprove: who.role >= Approve, MayAdminister: who.role >= Administer, Role: who.role.String(), Path: r.URL.RequestURI()}
	if who.role > Nobody {
		f.CSRF = h.csrf(who)
	}
	// A page that is fetched to freshen the one shown must not take the line meant for that.
	if r.Method == http.MethodGet && r.Header.Get("X-Live") == "" {
		f.Said = plain(h.said(w, r))
	}
	return f
}

// render writes a page; only what the page itself names may run or be loaded.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, status int, name, nonce string, view any) {
	var b bytes.Buffer
	if err := h.pages.ExecuteTemplate(&b, name, view); err != nil {
		h.log.ErrorContext(r.Context(), "a page could not be shown", "page", name, "error", err)
		http.Error(w, "the page could not be shown; the service's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; connect-src 'self'; frame-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

type failView struct {
	frame
	Problem *Problem
}

func (h *Handler) failPage(w http.ResponseWriter, r *http.Request, who caller, p *Problem) {
	f := h.frame(w, r, who, p.Title)
	h.render(w, r, p.Status, "fail", f.Nonce, failView{f, p})
}

// servePage lets those who may read see a page, and others log in.
func (h *Handler) servePage(show func(http.ResponseWriter, *http.Request, caller) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, p := h.identify(r)
		switch {
		case p != nil:
			h.failPage(w, r, caller{}, p)
		case who.role < Read:
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			if err := show(w, r, who); err != nil {
				h.failPage(w, r, who, h.asProblem(r, err))
			}
		}
	}
}

// serveForm handles a form of a page: do returns the line to show and the page to show it on.
func (h *Handler) serveForm(role Role, do func(*http.Request, caller, Ask) (said, next string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		who, p := h.identify(r)
		switch err := r.ParseForm(); {
		case p != nil:
		case err != nil:
			p = h.asProblem(r, problem(http.StatusBadRequest, "the form cannot be read"))
		case who.role == Nobody:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		case !h.csrfOK(who, r.PostFormValue("csrf")):
			p = problem(http.StatusForbidden, "the form is from an older session or not from here: open the page again and repeat")
		case who.role < role:
			p = problem(http.StatusForbidden, "%s has the role %s, and this takes %s", who.name, who.role, role)
		}
		if p != nil {
			h.failPage(w, r, who, p)
			return
		}
		who.via = "page"
		ask := Ask{Reason: r.PostFormValue("reason")}
		if value := r.PostFormValue("hold_since"); value != "" {
			var err error
			if ask.HoldSince, err = time.Parse(time.RFC3339Nano, value); err != nil {
				h.failPage(w, r, who, problem(http.StatusBadRequest, "the form cannot be read"))
				return
			}
		}
		said, next, err := do(r, who, ask)
		if err != nil {
			h.failPage(w, r, who, h.asProblem(r, err))
			return
		}
		h.say(w, r, said)
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

func (h *Handler) decide(r *http.Request, who caller, ask Ask) (string, string, error) {
	rec, err := h.find(r, r.PathValue("fingerprint"))
	if err != nil {
		return "", "", err
	}
	said, err := h.perform(r.Context(), rec, r.PathValue("action"), ask, who)
	return or(said, "Done."), "/cases/" + rec.Fingerprint, err
}

func (h *Handler) letterForm(r *http.Request, who caller, _ Ask) (string, string, error) {
	said, err := h.letter(r, r.PathValue("id"), r.PathValue("action"), who)
	return said, "/", err
}

func (h *Handler) breakerForm(r *http.Request, who caller, ask Ask) (string, string, error) {
	return "The breaker is closed: cases go on.", "/", h.reset(r, ask, who)
}

type loginView struct {
	frame
	Next    string
	Wrong   string
	NoToken bool // none is configured
}

// local keeps the page after login on this service.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if who, p := h.identify(r); p == nil && who.role >= Read {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	h.askToken(w, r, http.StatusOK, next, "")
}

func (h *Handler) askToken(w http.ResponseWriter, r *http.Request, status int, next, wrong string) {
	f := h.frame(w, r, caller{}, "Log in")
	h.render(w, r, status, "login", f.Nonce, loginView{frame: f, Next: next, Wrong: wrong, NoToken: len(h.tokens()) == 0})
}

func (h *Handler) loginForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		h.failPage(w, r, caller{}, problem(http.StatusBadRequest, "the form cannot be read"))
		return
	}
	next := local(r.PostFormValue("next"))
	address := remoteHost(r)
	if wait := h.failures.blocked(address, h.now()); wait > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())+1))
		h.askToken(w, r, http.StatusTooManyRequests, next, fmt.Sprintf("Too many wrong tokens from this address. Wait %s and try again.", wait.Round(time.Second)))
		return
	}
	t, ok := match(h.tokens(), strings.TrimSpace(r.PostFormValue("token")))
	if !ok || roleNames[t.Role] == Nobody {
		h.failures.charge(address, h.now())
		h.log.WarnContext(r.Context(), "a login failed", "audit", true, "address", address)
		h.askToken(w, r, http.StatusUnauthorized, next, "This token is not known. Check that all of it was pasted, or ask whoever runs the service for another.")
		return
	}
	h.login(w, r, t)
	h.log.InfoContext(r.Context(), "login", "audit", true, "by", t.Name, "role", t.Role, "address", address)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (h *Handler) logoutForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if who, ok := h.session(r); ok {
		if !h.csrfOK(who, r.PostFormValue("csrf")) {
			h.failPage(w, r, who, problem(http.StatusForbidden, "the form is not from here: open the page again and repeat"))
			return
		}
		h.loggedOut.add(who.session, who.expires, h.now())
		h.log.InfoContext(r.Context(), "logout", "audit", true, "by", who.name)
	}
	h.setCookie(w, r, sessionCookie, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// pullLink returns the URL of a pull request if a browser may follow it.
func pullLink(p *docket.Pull) string {
	if p == nil {
		return ""
	}
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return p.URL
}

var errTooLarge = errors.New("too large to show")
