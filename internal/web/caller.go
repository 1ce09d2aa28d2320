package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/remediator/remediator/internal/config"
)

// Role is what a caller may do; each includes those below it.
type Role int

// The roles, weakest first.
const (
	Nobody     Role = iota
	Read            // see cases and their artifacts
	Approve         // decide on cases
	Administer      // dead letters and the breaker
)

var roleNames = map[string]Role{"read": Read, "approve": Approve, "administer": Administer}

func (r Role) String() string {
	for name, role := range roleNames {
		if role == r {
			return name
		}
	}
	return "nobody"
}

// caller is who asks.
type caller struct {
	name    string
	role    Role
	via     string // "api" or "page"
	session string // nonce of the session, "" without one
	expires time.Time
}

// localName is how somebody on the service's own machine is called in the history.
const localName = "local user"

// maxToken bounds what is hashed for a caller who is not known yet.
const maxToken = 512

// bearer returns the token of the Authorization header.
func bearer(r *http.Request) (token string, given bool) {
	value := r.Header.Get("Authorization")
	if value == "" {
		return "", false
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true
	}
	return strings.TrimSpace(token), true
}

// match finds the token among those configured. All are compared, each in constant time, so that the
// time taken tells nothing about them.
func match(tokens []config.Token, given string) (config.Token, bool) {
	if given == "" || len(given) > maxToken {
		return config.Token{}, false
	}
	sum := sha256.Sum256([]byte(given))
	found := -1
	for i, t := range tokens {
		want, err := hex.DecodeString(t.SHA256)
		if err != nil || len(want) != sha256.Size {
			continue
		}
		if subtle.ConstantTimeCompare(want, sum[:]) == 1 && found < 0 {
			found = i
		}
	}
	if found < 0 {
		return config.Token{}, false
	}
	return tokens[found], true
}

// identify says who asks on the API or, with a session, on a page. It returns Nobody for somebody
// who showed nothing, and a problem for one who showed something wrong.
func (h *Handler) identify(r *http.Request) (caller, *Problem) {
	if given, ok := bearer(r); ok {
		t, known := match(h.tokens(), given)
		if known {
			return caller{name: t.Name, role: roleNames[t.Role], via: "api"}, nil
		}
		// Tokens that are right pass whatever others at the same address got wrong, since behind a proxy
		// all share one address.
		if wait := h.failures.charge(remoteHost(r), h.now()); wait > 0 {
			p := problem(http.StatusTooManyRequests, "too many wrong tokens from this address: wait %s", wait.Round(time.Second))
			p.retryAfter = wait
			return caller{}, p
		}
		p := problem(http.StatusUnauthorized, "the token is not known: check it, or ask whoever runs the service for another")
		p.challenge = true
		return caller{}, p
	}
	if s, ok := h.session(r); ok {
		return s, nil
	}
	if h.open && !forwarded(r) && loopbackAddress(r.RemoteAddr) {
		return caller{name: localName, role: Administer, via: "page"}, nil
	}
	return caller{}, nil
}

// forwarded says whether a proxy passed the request on, so that its sender may be anybody.
func forwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func loopbackAddress(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	return loopbackHost(host)
}

// loopbackHost says whether a name of the Host header or of a URL can only mean this machine.
func loopbackHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// hostAllowed keeps a page of somebody else, whose name was made to resolve to this machine, from
// reading the service with the browser of a person who needs no login (DNS rebinding).
func (h *Handler) hostAllowed(r *http.Request) bool {
	if !h.loopback {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}
	return loopbackHost(host) || strings.EqualFold(host, h.hostname)
}

// needsLogin says whether a service that is bound to loopback still asks for a login: a public URL means that
// something on this machine passes requests of other people on.
func openWithoutLogin(loopback bool, public *url.URL) bool {
	return loopback && (public == nil || loopbackHost(public.Hostname()))
}
