package githubtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// gitPath recognises the paths of git's smart protocol and returns the repository's owner/name and the rest.
func (s *Server) gitPath(path string) (repo, rest string, ok bool) {
	for _, end := range []string{"/info/refs", "/git-upload-pack", "/git-receive-pack"} {
		if name, isGit := strings.CutSuffix(path, end); isGit {
			name = strings.TrimSuffix(strings.TrimPrefix(name, "/"), ".git")
			return name, end, strings.Count(name, "/") == 1
		}
	}
	return "", "", false
}

// git answers git over HTTP by git's own program.
func (x *exchange) git(name, rest string) {
	s := x.s
	if x.fault != nil {
		if a, answers := x.fault.refusal(s.now()); answers {
			x.send(a)
			return
		}
	}
	s.mu.Lock()
	a := x.gitLocked(name, rest)
	s.mu.Unlock()
	x.send(a)
}

func (x *exchange) gitLocked(name, rest string) answer {
	s := x.s
	login := answer{
		status: http.StatusUnauthorized, raw: []byte("authentication required"), media: "text/plain",
		header: http.Header{"Www-Authenticate": {`Basic realm="GitHub"`}},
	}
	who, bad := s.authenticate(x.r)
	if bad != nil {
		return login
	}
	x.entry.Actor = who.name()
	repo := s.repos[strings.ToLower(name)]
	writes := rest == "/git-receive-pack" || x.r.URL.Query().Get("service") == "git-receive-pack"
	switch {
	case who.account == nil && (writes || repo == nil || repo.private):
		return login
	case repo == nil || !repo.gitAllowed(who, "read"):
		return answer{status: http.StatusNotFound, raw: []byte("Repository not found."), media: "text/plain"}
	case writes && !repo.gitAllowed(who, "write"):
		return answer{status: http.StatusForbidden, raw: []byte("Permission to " + repo.FullName() + ".git denied to " + who.name() + "."), media: "text/plain"}
	}
	before := repo.git.refs()
	w := repo.backend(x.r, x.raw, rest, who)
	if rest == "/git-receive-pack" {
		repo.pushed(before, who.account)
	}
	return answer{status: w.Code, raw: w.Body.Bytes(), media: w.Header().Get("Content-Type"), header: w.Header()}
}

func (r *Repository) gitAllowed(who *actor, level string) bool {
	if who.install != nil {
		return who.reaches(r) && granted(who.permissions, "contents:"+level)
	}
	if level == "read" {
		return atLeast(r.role(who.account), "read")
	}
	return atLeast(r.role(who.account), "write")
}

func (r *Repository) backend(req *http.Request, body []byte, rest string, who *actor) *httptest.ResponseRecorder {
	git, err := exec.LookPath("git")
	w := httptest.NewRecorder()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return w
	}
	// CGI knows no chunked bodies, so the whole body goes with its length.
	inner := req.Clone(req.Context())
	inner.Body, inner.ContentLength, inner.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	inner.URL.Path = rest
	inner.Header.Del("Authorization")
	h := &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Dir: r.git.dir,
		Env: append(cleanEnv(), "GIT_PROJECT_ROOT="+filepath.Clean(r.git.dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER="+who.name(),
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"),
	}
	h.ServeHTTP(w, inner)
	return w
}

// pushed lets everything follow what a push changed.
func (r *Repository) pushed(before map[string]string, by *account) {
	after := r.git.refs()
	var names []string
	for name := range before {
		names = append(names, name)
	}
	for name := range after {
		if before[name] == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if before[name] != after[name] {
			r.moved(name, before[name], after[name], by)
		}
	}
}
