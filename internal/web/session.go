package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/internal/config"
)

const (
	sessionCookie = "remediator_session"
	flashCookie   = "remediator_said"
	// sessionAge is a long shift; after it the token is asked for again.
	sessionAge = 12 * time.Hour
	flashAge   = time.Minute
	maxFlash   = 1000
	// maxLoggedOut bounds the memory of sessions that ended before their time.
	maxLoggedOut = 10_000
)

// sealed is what a session cookie says. It names the token by a keyed hash, so that a token taken out of the
// configuration ends its sessions and a role changed there holds at once.
type sealed struct {
	Token   string `json:"t"`
	Nonce   string `json:"n"`
	Expires int64  `json:"e"`
}

// mac is a keyed hash for one purpose.
func (h *Handler) mac(purpose, text string) []byte {
	m := hmac.New(sha256.New, h.key)
	m.Write([]byte(purpose))
	m.Write([]byte{0})
	m.Write([]byte(text))
	return m.Sum(nil)
}

func (h *Handler) seal(purpose string, payload []byte) string {
	return base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(h.mac(purpose, string(payload)))
}

func (h *Handler) unseal(purpose, value string) ([]byte, bool) {
	if len(value) > 4096 {
		return nil, false
	}
	text, sum, ok := strings.Cut(value, ".")
	if !ok {
		return nil, false
	}
	payload, err1 := base64.RawURLEncoding.Strict().DecodeString(text)
	got, err2 := base64.RawURLEncoding.Strict().DecodeString(sum)
	if err1 != nil || err2 != nil || !hmac.Equal(got, h.mac(purpose, string(payload))) {
		return nil, false
	}
	return payload, true
}

func (h *Handler) tokenTag(t config.Token) string {
	return hex.EncodeToString(h.mac("token", strings.ToLower(t.SHA256))[:16])
}

// login starts a session for a token.
func (h *Handler) login(w http.ResponseWriter, r *http.Request, t config.Token) {
	s := sealed{Token: h.tokenTag(t), Nonce: rand.Text(), Expires: h.now().Add(sessionAge).Unix()}
	payload, _ := json.Marshal(s) // of strings and a number: cannot fail
	h.setCookie(w, r, sessionCookie, h.seal("session", payload), sessionAge)
}

// session reads the caller from the session cookie.
func (h *Handler) session(r *http.Request) (caller, bool) {
	c, err := r.Cookie(h.cookieName(r, sessionCookie))
	if err != nil {
		return caller{}, false
	}
	payload, ok := h.unseal("session", c.Value)
	if !ok {
		return caller{}, false
	}
	var s sealed
	if json.Unmarshal(payload, &s) != nil {
		return caller{}, false
	}
	expires := time.Unix(s.Expires, 0)
	if !h.now().Before(expires) || h.loggedOut.has(s.Nonce) {
		return caller{}, false
	}
	for _, t := range h.tokens() {
		if subtle.ConstantTimeCompare([]byte(h.tokenTag(t)), []byte(s.Token)) == 1 {
			return caller{name: t.Name, role: roleNames[t.Role], via: "page", session: s.Nonce, expires: expires}, true
		}
	}
	return caller{}, false
}

// csrf is the value that a form has to carry: a page of another origin cannot read it.
func (h *Handler) csrf(c caller) string {
	return hex.EncodeToString(h.mac("csrf", c.session))
}

func (h *Handler) csrfOK(c caller, given string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(h.csrf(c))) == 1
}

// say keeps a line for the page that is shown next.
func (h *Handler) say(w http.ResponseWriter, r *http.Request, text string) {
	h.setCookie(w, r, flashCookie, h.seal("said", []byte(clip(text, maxFlash))), flashAge)
}

// said takes the line that was kept.
func (h *Handler) said(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(h.cookieName(r, flashCookie))
	if err != nil {
		return ""
	}
	h.setCookie(w, r, flashCookie, "", -1)
	text, _ := h.unseal("said", c.Value)
	return string(text)
}

func (h *Handler) secure(r *http.Request) bool { return h.https || r.TLS != nil }

// cookieName binds the cookie to this host alone where the browser can be sure of the host.
func (h *Handler) cookieName(r *http.Request, name string) string {
	if h.secure(r) {
		return "__Host-" + name
	}
	return name
}

func (h *Handler) setCookie(w http.ResponseWriter, r *http.Request, name, value string, age time.Duration) {
	c := &http.Cookie{Name: h.cookieName(r, name), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: h.secure(r), MaxAge: int(age / time.Second)}
	if age < 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// endedSessions remembers sessions that were logged out until they would have ended anyway.
type endedSessions struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (e *endedSessions) add(nonce string, expires, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at == nil {
		e.at = map[string]time.Time{}
	}
	for n, t := range e.at {
		if !now.Before(t) {
			delete(e.at, n)
		}
	}
	if len(e.at) < maxLoggedOut {
		e.at[nonce] = expires
	}
}

func (e *endedSessions) has(nonce string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.at[nonce]
	return ok
}
