package localize

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

// complaining is a service that writes one message over and over in the second half of the window.
func complaining(messages ...string) (r Result) {
	b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
	quietLogs(b, 120, "billing", "mail")
	quietLogs(c, 60, "billing", "mail")
	for i := 60; i < 120; i++ {
		c.log(time.Duration(i)*time.Second, "billing", "ERROR "+messages[i%len(messages)])
	}
	return Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{})
}

func TestOneServiceThatFindsNoNamesAnyMore(t *testing.T) {
	for name, messages := range map[string][]string{
		"several names":                      {"dial tcp: lookup rates.example: no such host", "getaddrinfo ENOTFOUND ledger.internal"},
		"the name service says so of itself": {"getaddrinfo EAI_AGAIN ledger.internal"},
		"a resolver that does not answer":    {"lookup ledger.internal on 10.0.0.2:53: read udp 10.1.2.3:40512->10.0.0.2:53: i/o timeout"},
	} {
		if r := complaining(messages...); r.Cause != CauseExternal || r.Decision != Abstain {
			t.Errorf("%s: %s", name, says(r))
		}
	}
	// One service, one name that does not exist: it may be misspelt.
	if r := complaining("dial tcp: lookup legder.internal: no such host"); r.Cause == CauseExternal {
		t.Errorf("a name that may be misspelt is called an outside cause:\n%s", says(r))
	}
}

func TestACertificateThatExpiredIsAnOutsideCause(t *testing.T) {
	for _, m := range []string{"x509: certificate has expired or is not yet valid: current time 2026-01-01T00:00:00Z is after 2025-12-31T00:00:00Z", "request failed: CERT_HAS_EXPIRED",
		"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)", "java.security.cert.CertificateExpiredException: NotAfter: Thu Jan 01 00:00:00 UTC 2026"} {
		if r := complaining(m); r.Cause != CauseExternal || r.Decision != Abstain || !strings.Contains(strings.Join(r.Why, " "), "billing") {
			t.Errorf("%s: %s", m, says(r))
		}
	}
	if r := complaining("the membership of the customer has expired"); r.Cause == CauseExternal {
		t.Errorf("something else expired:\n%s", says(r))
	}
}

func TestHostsAreFoundInWhatResolversSay(t *testing.T) {
	for text, want := range map[string]string{
		"dial tcp: lookup Rates.example on 10.0.0.2:53: no such host": "rates.example", "getaddrinfo ENOTFOUND smtp.example": "smtp.example",
		"java.net.UnknownHostException: ledger": "ledger", "HTTPConnectionPool(host='search-1', port=80)": "search-1",
		"curl: (6) Could not resolve host: cdn.example.com": "cdn.example.com", "everything is fine": "", "": "",
	} {
		if got := hostIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// surging sends requests of two kinds, from the middle of the window on at a multiple of the rate; with more of them
// every request takes longer.
func surging(factor int) Result {
	request := func(w *world, i int, slow time.Duration) node {
		return server("edge", fmt.Sprintf("GET /kind-%d", i%2), ms, client("edge", "GET stock", "stock", ms, server("stock", "GET /stock", slow)))
	}
	b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
	for i := range 240 {
		b.trace(time.Duration(i)*time.Second, request(b, i, 10*ms))
	}
	for i := range 240 {
		at, n, slow := time.Duration(i)*time.Second, 1, 10*ms
		if i >= 120 {
			n, slow = factor, 300*ms
		}
		for k := range n {
			c.trace(at+time.Duration(k)*10*ms, request(c, i, slow))
		}
	}
	return Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{})
}

func TestASuddenSurgeOfMostKindsOfRequestsIsAnOutsideCause(t *testing.T) {
	if r := surging(3); r.Cause != CauseExternal || r.Decision != Abstain {
		t.Errorf("three times the requests:\n%s", says(r))
	}
	if r := surging(1); r.Cause == CauseExternal {
		t.Errorf("as many requests as ever, and slow:\n%s", says(r))
	}
}
