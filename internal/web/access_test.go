package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/remedy/docket"
)

func TestRolesByToken(t *testing.T) {
	s := newSite(t)
	s.record(fp("12345678"), held("approval"))
	s.letters = []docket.DeadLetter{{ID: "7"}}
	const anybody, read, approve, admin = 0, 1, 2, 3
	tokens := []string{"", readToken, writeToken, adminToken}
	for path, least := range map[string]int{
		"GET /cases": read, "GET /cases/12345678": read, "GET /cases/12345678/artifacts": read, "GET /dead-letters": read, "GET /breaker": read, "GET /openapi.json": anybody,
		"POST /cases/12345678/approve": approve, "POST /dead-letters/7/revive": admin, "POST /breaker/reset": admin,
	} {
		method, where, _ := strings.Cut(path, " ")
		for role, token := range tokens {
			r := s.call(method, where, token, "")
			want := http.StatusOK
			switch {
			case least == anybody:
			case role == 0:
				want = http.StatusUnauthorized
			case role < least:
				want = http.StatusForbidden
			}
			if r.StatusCode != want {
				t.Errorf("%s with the token %q: %s, want %d", path, token, r.Status, want)
			}
			if challenge := r.Header.Get("WWW-Authenticate"); (want == http.StatusUnauthorized) != (challenge != "") {
				t.Errorf("%s with the token %q: challenge %q", path, token, challenge)
			}
		}
	}
}

func TestTokenTakenAwayOrAlteredHoldsAtOnce(t *testing.T) {
	s := newSite(t)
	b := s.browser().login(writeToken)
	if r := b.get("/"); r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	s.mu.Lock()
	s.tokens = []config.Token{tokenOf("jane", "read", writeToken)}
	s.mu.Unlock()
	if r := s.call("POST", "/breaker/reset", writeToken, ""); r.StatusCode != http.StatusForbidden {
		t.Errorf("after its role was lowered: %s", r.Status)
	}
	if r := b.get("/"); !strings.Contains(r.body, "(read)") {
		t.Error("the session has kept its old role")
	}
	s.mu.Lock()
	s.tokens = nil
	s.mu.Unlock()
	if r := s.call("GET", "/cases", writeToken, ""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after it was taken away: %s", r.Status)
	}
	if r := b.get("/"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("its session: %s", r.Status)
	}
}

func TestAttackWrongTokens(t *testing.T) {
	s := newSite(t)
	s.tokens = append(s.tokens, config.Token{Name: "broken", Role: "administer", SHA256: "not hex"}, config.Token{Name: "empty", Role: "administer"}, tokenOf("odd", "emperor", "odd-token"))
	for _, header := range []string{"Bearer wrong", "Bearer ", "Bearer " + strings.Repeat("x", 100_000), "Basic " + readToken, readToken, "Bearer " + s.tokens[0].SHA256, "Bearer " + readToken + " x", "Bearer \xff"} {
		r, err := http.NewRequest("GET", s.server.URL+"/api/v1/cases", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = []string{header}
		if got := s.send(http.DefaultClient, r); got.StatusCode < 400 {
			t.Errorf("%.40q: %s", header, got.Status)
		}
	}
	if r := s.call("GET", "/cases", "odd-token", ""); r.StatusCode < 400 {
		t.Errorf("a token with a role that does not exist: %s", r.Status)
	}
	if log := s.log.String(); strings.Contains(log, readToken) || strings.Contains(log, "wrong") {
		t.Errorf("a token stands in the log:\n%s", log)
	}
}

func TestAttackGuessingTokens(t *testing.T) {
	s := newSite(t)
	status := map[int]int{}
	for i := range wrongTokens + 10 {
		r := s.call("GET", "/cases", fmt.Sprintf("guess-%d", i), "")
		status[r.StatusCode]++
		if r.StatusCode == http.StatusTooManyRequests && r.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if status[http.StatusUnauthorized] != wrongTokens || status[http.StatusTooManyRequests] != 10 {
		t.Errorf("answers by status: %v, want %d times 401 and then 429", status, wrongTokens)
	}
	if r := s.call("GET", "/cases", readToken, ""); r.StatusCode != http.StatusOK {
		t.Errorf("somebody else at the same address was shut out: %s", r.Status)
	}
	b := s.browser()
	if r := b.post("/login", url.Values{"token": {writeToken}}); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
		t.Errorf("a login from an address that guesses: %s", r.Status)
	}
	s.clock.Advance(wrongEvery + time.Second)
	b.login(writeToken)
}

func TestAttackManyAddressesGuess(t *testing.T) {
	var a attempts
	now := time.Unix(1_700_000_000, 0)
	for i := range 3 * maxAddresses {
		a.charge(fmt.Sprint(i), now)
	}
	if len(a.byIP) > maxAddresses {
		t.Errorf("%d addresses are remembered", len(a.byIP))
	}
	for range wrongTokens + 1 {
		a.charge("x", now)
	}
	if a.blocked("x", now) <= 0 || a.blocked("x", now.Add(wrongEvery+time.Second)) > 0 {
		t.Error("blocking neither begins nor ends as it should")
	}
}

func TestAttackForgedSession(t *testing.T) {
	s := newSite(t)
	other := newSite(t)
	foreign := other.browser().login(adminToken)
	u, err := url.Parse(other.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookies := foreign.client.Jar.Cookies(u)
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	valid := s.browser().login(adminToken)
	own, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	good := valid.client.Jar.Cookies(own)[0].Value
	payload, mac, _ := strings.Cut(good, ".")
	flash := s.handler.seal("said", []byte(`{"t":"x","n":"y","e":99999999999}`))
	for name, value := range map[string]string{
		"of another service": cookies[0].Value, "cut": good[:len(good)-1], "without signature": payload, "empty signature": payload + ".", "empty": ".", "other payload": "e30." + mac,
		"of another purpose": flash, "padding": good + "=", "long": strings.Repeat("a", 5000) + "." + mac,
	} {
		r, err := http.NewRequest("GET", s.server.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", sessionCookie+"="+value)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		if got := s.send(client, r); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s, want the login", name, got.Status)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	s := newSite(t)
	b := s.browser().login(readToken)
	s.clock.Advance(sessionAge - time.Second)
	if r := b.get("/"); r.StatusCode != http.StatusOK {
		t.Errorf("before its end: %s", r.Status)
	}
	s.clock.Advance(time.Second)
	if r := b.get("/"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("after its end: %s", r.Status)
	}
}

func TestAttackCookieUsedAfterLogout(t *testing.T) {
	s := newSite(t)
	b := s.browser().login(readToken)
	own, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	stolen := b.client.Jar.Cookies(own)
	if r := b.post("/logout", url.Values{"csrf": {"wrong"}}); r.StatusCode != http.StatusForbidden {
		t.Errorf("logout by another page: %s", r.Status)
	}
	page := b.get("/")
	if r := b.post("/logout", url.Values{"csrf": {b.csrf(page.body)}}); r.StatusCode != http.StatusSeeOther {
		t.Fatal(r.Status)
	}
	if left := b.client.Jar.Cookies(own); len(left) != 0 {
		t.Errorf("cookies left: %v", left)
	}
	thief := s.browser()
	thief.client.Jar.SetCookies(own, stolen)
	if r := thief.get("/"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the cookie still opens the page: %s", r.Status)
	}
}

func TestSessionCookieIsKeptFromScriptsAndOtherSites(t *testing.T) {
	for _, public := range []string{"", "https://remediator.example.com"} {
		s := newSite(t, func(o *Options) { o.URL = public })
		r := s.browser().post("/login", url.Values{"token": {readToken}})
		cookies := r.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%q: %v", public, r.Header)
		}
		c := cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge != int(sessionAge/time.Second) {
			t.Errorf("%q: %s", public, r.Header.Get("Set-Cookie"))
		}
		if https := public != ""; c.Secure != https || strings.HasPrefix(c.Name, "__Host-") != https || (r.Header.Get("Strict-Transport-Security") != "") != https {
			t.Errorf("%q: %s", public, r.Header.Get("Set-Cookie"))
		}
		if strings.Contains(c.Value, readToken) || strings.Contains(c.Value, s.tokens[0].SHA256) {
			t.Errorf("the cookie holds the token: %s", c.Value)
		}
	}
}

func TestAttackRedirectAfterLogin(t *testing.T) {
	s := newSite(t)
	for next, want := range map[string]string{
		"/cases/12345678?x=y": "/cases/12345678?x=y", "https://evil.example/": "/", "//evil.example/": "/", `/\evil.example/`: "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "": "/", "http:/x": "/", "/a\r\nSet-Cookie: x=y": "/",
	} {
		if r := s.browser().post("/login", url.Values{"token": {readToken}, "next": {next}}); r.Header.Get("Location") != want {
			t.Errorf("%q leads to %q", next, r.Header.Get("Location"))
		}
	}
}

func TestAttackFormOfAnotherSite(t *testing.T) {
	s := newSite(t)
	s.record(fp("12345678"), held("approval"))
	b := s.browser().login(writeToken)
	token := b.csrf(b.get("/cases/" + fp("12345678")).body)
	path := "/cases/" + fp("12345678") + "/approve"
	for name, header := range map[string]http.Header{
		"cross-site": {"Sec-Fetch-Site": {"cross-site"}}, "same-site": {"Sec-Fetch-Site": {"same-site"}}, "origin": {"Origin": {"https://evil.example"}}, "null origin": {"Origin": {"null"}},
	} {
		b.header = header
		if r := b.post(path, url.Values{"csrf": {token}}); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, r.Status)
		}
		if r := b.post("/login", url.Values{"token": {writeToken}}); r.StatusCode != http.StatusForbidden {
			t.Errorf("login %s: %s", name, r.Status)
		}
	}
	b.header = http.Header{} // a browser too old to say where a form is from
	for name, value := range map[string]string{"none": "", "wrong": "0123", "of another session": s.handler.csrf(caller{session: "other"})} {
		if r := b.post(path, url.Values{"csrf": {value}}); r.StatusCode != http.StatusForbidden {
			t.Errorf("token %s: %s", name, r.Status)
		}
	}
	if r := s.browser().post(path, url.Values{"csrf": {token}}); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/login" {
		t.Errorf("without a session: %s", r.Status)
	}
	if n := len(s.actions()); n != 0 {
		t.Fatalf("%d actions reached the docket", n)
	}
	if r := b.post(path, url.Values{"csrf": {token}}); r.StatusCode != http.StatusSeeOther || len(s.actions()) != 1 {
		t.Errorf("the page's own form: %s", r.Status)
	}
}

// The session's cookie comes along by itself, so it must not be enough for the API to change anything.
func TestAttackSessionUsedOnTheAPI(t *testing.T) {
	s := newSite(t)
	s.record(fp("12345678"), held("approval"))
	b := s.browser().login(adminToken)
	if r := b.get("/api/v1/cases"); r.StatusCode != http.StatusOK {
		t.Errorf("reading: %s", r.Status)
	}
	if r := b.post("/api/v1/cases/12345678/approve", url.Values{"reason": {"x"}}); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a form: %s", r.Status)
	}
	if r := s.call("POST", "/cases/12345678/approve", adminToken, "reason=x", "Content-Type", "application/x-www-form-urlencoded"); r.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("a form with a token: %s", r.Status)
	}
	if n := len(s.actions()); n != 0 {
		t.Errorf("%d actions reached the docket", n)
	}
}

func TestLoopbackNeedsNoLogin(t *testing.T) {
	s := newSite(t, onLoopback)
	s.record(fp("12345678"), held("approval"))
	b := s.browser()
	page := b.get("/cases/" + fp("12345678"))
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, localName) {
		t.Fatalf("%s", page.Status)
	}
	if r := b.post("/cases/"+fp("12345678")+"/approve", url.Values{"csrf": {b.csrf(page.body)}}); r.StatusCode != http.StatusSeeOther {
		t.Errorf("%s", r.Status)
	}
	if r := s.call("POST", "/cases/12345678/reject", "", "{}"); r.StatusCode != http.StatusOK {
		t.Errorf("the API: %s", r.Status)
	}
	if got := s.actions(); len(got) != 2 || got[0].By != localName || got[0].Via != "page" || got[1].Via != "api" {
		t.Errorf("%+v", got)
	}
	if r := s.call("GET", "/cases", "wrong", ""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token: %s", r.Status)
	}
	if r := s.call("POST", "/breaker/reset", readToken, "{}"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a token that may only read: %s", r.Status)
	}
}

func TestAttackDNSRebinding(t *testing.T) {
	s := newSite(t, onLoopback)
	s.record(fp("12345678"), held("approval"))
	for host, want := range map[string]int{
		"evil.example": 403, "evil.example:8080": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "10.0.0.1": 403, "2130706433": 403, "0.0.0.0": 403,
		"localhost": 200, "localhost:8080": 200, "LOCALHOST": 200, "127.0.0.1:1": 200, "[::1]:8080": 200, "[::1]": 200, "localhost.": 200,
	} {
		if r := s.call("GET", "/cases", "", "", "Host", host); r.StatusCode != want {
			t.Errorf("Host %s: %s, want %d", host, r.Status, want)
		}
	}
	if r := s.call("POST", "/cases/12345678/approve", "", "{}", "Host", "evil.example", "Origin", "http://evil.example"); r.StatusCode != 403 || len(s.actions()) != 0 {
		t.Errorf("POST: %s", r.Status)
	}
}

func TestAttackPageOfAnotherSiteAtLoopback(t *testing.T) {
	s := newSite(t, onLoopback)
	s.record(fp("12345678"), held("approval"))
	for _, header := range [][]string{
		{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Content-Type", "text/plain"}, {"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Type", ""},
	} {
		if r := s.call("POST", "/cases/12345678/approve", "", "{}", header...); r.StatusCode < 400 {
			t.Errorf("%v: %s", header, r.Status)
		}
	}
	if n := len(s.actions()); n != 0 {
		t.Errorf("%d actions reached the docket", n)
	}
}

// A proxy on the same machine makes everybody look local.
func TestAttackProxyInFrontOfLoopback(t *testing.T) {
	s := newSite(t, onLoopback)
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host"} {
		if r := s.call("GET", "/cases", "", "", name, "203.0.113.9"); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
	public := newSite(t, onLoopback, func(o *Options) { o.URL = "https://remediator.example.com" })
	for _, host := range []string{"remediator.example.com", "127.0.0.1:8080"} {
		if r := public.call("GET", "/cases", "", "", "Host", host); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("a service with a public URL, Host %s: %s", host, r.Status)
		}
	}
	if r := public.call("GET", "/cases", readToken, "", "Host", "remediator.example.com"); r.StatusCode != http.StatusOK {
		t.Errorf("with a token: %s", r.Status)
	}
	local := newSite(t, onLoopback, func(o *Options) { o.URL = "http://localhost:8080" })
	if r := local.call("GET", "/cases", "", ""); r.StatusCode != http.StatusOK {
		t.Errorf("a service with a local URL: %s", r.Status)
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("without anything")
	}
	good := newSite(t)
	for _, bad := range []string{"remediator.example.com", "ftp://x", "https://x/path", "https://", "::"} {
		_, err := New(Options{Store: good.memory, Blobs: good.memory, Letters: good, Act: good.handler.act, Breaker: good.handler.breaker, ResetBreaker: good.handler.resetBreaker, Tokens: good.handler.tokens, Now: good.clock.Now, Log: good.handler.log, URL: bad})
		if err == nil || !strings.Contains(err.Error(), "url") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
