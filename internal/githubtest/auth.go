package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// actor is who makes a call.
type actor struct {
	account     *account // nil for nobody
	app         bool     // the App itself, by its JWT
	install     *installation
	permissions map[string]string // of an installation's token
	only        map[int64]bool    // repositories a token is limited to; nil for all
	expires     time.Time
	token       string
}

func (a *actor) name() string {
	if a.account == nil {
		return "nobody"
	}
	return a.account.login
}

func (a *actor) email() string {
	if a.account == nil || len(a.account.emails) == 0 {
		return "nobody@users.noreply.github.com"
	}
	return a.account.emails[0]
}

// reaches says whether an installation's token covers a repository.
func (a *actor) reaches(r *Repository) bool {
	return r.installed() == a.install && (a.only == nil || a.only[r.id])
}

// issue stores a token.
func (s *Server) issue(prefix string, a *actor) string {
	a.token = prefix + random(18)
	s.tokens[a.token] = a
	return a.token
}

// Token makes a personal access token of a user.
func (s *Server) Token(login string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue("ghp_", &actor{account: s.account(login, "User")})
}

// InstallationToken makes a token as the App would get it for a repository's owner.
func (s *Server) InstallationToken(fullName string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, _, _ := strings.Cut(fullName, "/")
	i := s.installationOf(s.account(owner, "User"))
	return s.issue("ghs_", &actor{account: s.app.user, install: i, permissions: i.permissions, expires: s.now().Add(s.opt.TokenLifetime)})
}

// ActionsToken makes what a workflow of a repository has as GITHUB_TOKEN, with the permissions block of the workflow.
func (s *Server) ActionsToken(fullName string, permissions map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[strings.ToLower(fullName)]
	if r == nil {
		return ""
	}
	user := s.account("github-actions[bot]", "Bot")
	user.emails = []string{"41898282+github-actions[bot]@users.noreply.github.com"}
	return s.issue("ghs_", &actor{
		account: user, install: s.installationOf(r.owner), permissions: permissions, only: map[int64]bool{r.id: true},
		expires: s.now().Add(24 * time.Hour),
	})
}

// Expire makes every installation token invalid at once, as an hour would.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, a := range s.tokens {
		if a.install != nil {
			delete(s.tokens, t)
		}
	}
}

// authenticate finds out who calls. No credentials are fine for public things.
func (s *Server) authenticate(r *http.Request) (*actor, *answer) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return &actor{}, nil
	}
	bad := failure(http.StatusUnauthorized, "Bad credentials")
	kind, value, _ := strings.Cut(header, " ")
	switch strings.ToLower(kind) {
	case "basic":
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, &bad
		}
		_, value, _ = strings.Cut(string(plain), ":")
	case "bearer", "token":
	default:
		return nil, &bad
	}
	if strings.Count(value, ".") == 2 {
		if problem := s.checkJWT(value); problem != "" {
			wrong := failure(http.StatusUnauthorized, "%s", problem)
			return nil, &wrong
		}
		return &actor{app: true}, nil
	}
	a := s.tokens[value]
	if a == nil || !a.expires.IsZero() && !s.now().Before(a.expires) {
		return nil, &bad
	}
	if a.install != nil && a.install.suspended {
		suspended := failure(http.StatusForbidden, "This installation has been suspended")
		return nil, &suspended
	}
	return a, nil
}

// checkJWT holds an App's token to GitHub's rules: RS256, issued in the past, at most ten minutes long. It returns what
// GitHub says of a bad one.
func (s *Server) checkJWT(text string) (problem string) {
	now := s.opt.Now()
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return &s.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(func() time.Time { return now }))
	switch {
	case err != nil && claims.ExpiresAt != nil && now.After(claims.ExpiresAt.Time):
		return "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	case err != nil:
		return "A JSON web token could not be decoded"
	case claims.ExpiresAt == nil || claims.IssuedAt == nil:
		return "Missing 'exp' or 'iat' claim in assertion"
	case claims.IssuedAt.After(now.Add(5 * time.Second)):
		return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	case claims.ExpiresAt.After(now.Add(10*time.Minute + 5*time.Second)):
		return "'Expiration time' claim ('exp') is too far in the future"
	case claims.Issuer != strconv.FormatInt(s.app.id, 10) && claims.Issuer != fmt.Sprintf("Iv1.%016x", s.app.id):
		return "Integration not found"
	}
	return ""
}

var levels = map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}

// granted says whether permissions include any of the needs in "a:read|b:write".
func granted(have map[string]string, need string) bool {
	for one := range strings.SplitSeq(need, "|") {
		name, level, _ := strings.Cut(one, ":")
		if levels[have[name]] >= levels[level] && levels[level] > 0 {
			return true
		}
	}
	return false
}

// permit checks that the actor may make a call and returns GitHub's refusal if not.
func (c *call) permit(need string) *answer {
	refuse := func(a answer) *answer { return &a }
	if need == "app" {
		if !c.actor.app {
			return refuse(failure(http.StatusUnauthorized, "A JSON web token could not be decoded"))
		}
		return nil
	}
	if c.actor.app {
		// Only /app and its neighbours take the App's own token.
		if need != "" {
			return refuse(failure(http.StatusForbidden, "Resource not accessible by integration"))
		}
		return nil
	}
	if c.repo == nil || need == "" {
		return nil
	}
	if c.actor.install != nil {
		if !c.actor.reaches(c.repo) {
			return refuse(notFound())
		}
		if !granted(c.actor.permissions, need) && !(need == "metadata:read") {
			a := failure(http.StatusForbidden, "Resource not accessible by integration")
			a.header = http.Header{"X-Accepted-Github-Permissions": {strings.NewReplacer(":", "=", "|", "; ").Replace(need)}}
			return refuse(a)
		}
		return nil
	}
	role := c.repo.role(c.actor.account)
	switch {
	case role == "none":
		return refuse(notFound())
	case strings.HasSuffix(need, ":read"):
		return nil
	case c.actor.account == nil:
		return refuse(failure(http.StatusUnauthorized, "Requires authentication"))
	case strings.HasPrefix(need, "checks:"):
		return refuse(failure(http.StatusForbidden, "You must authenticate via a GitHub App."))
	case strings.HasPrefix(need, "issues:"): // whoever may read may comment
		return nil
	case !atLeast(role, "write"):
		return refuse(notFound())
	}
	return nil
}
