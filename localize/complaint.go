package localize

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// complaint is what failing services say of a cause that lies outside their code.
type complaint struct {
	services, targets map[string]bool
	// share is how much of what the complaining services' new failures say is this. Other services are left out: they only
	// pass on that a complaining one failed.
	share float64
	// example is one of the messages.
	example string
}

// complaints collects the new errors and the messages of spans where failures began that a predicate recognises.
func (a *analysis) complaints(is func(text string) bool) complaint {
	c := complaint{services: map[string]bool{}, targets: map[string]bool{}}
	matching, all := map[string]float64{}, map[string]float64{}
	see := func(service, text string, weight float64) bool {
		all[service] += weight
		if !is(text) {
			return false
		}
		matching[service] += weight
		if c.example == "" || len(text) < len(c.example) {
			c.example = text
		}
		return true
	}
	for _, e := range a.raised {
		if e.severity >= warning || e.thrown {
			see(e.service, e.sample.Body, float64(len(e.cur))*e.strength)
		}
	}
	for t := range a.cur.recs {
		for i, r := range a.cur.recs[t] {
			if !r.origin {
				continue
			}
			s := a.cur.traces[t].Spans[i]
			text := s.Message
			if e := s.Exception(); e != nil {
				text += " " + e.Attrs.Get("exception.type") + " " + e.Attrs.Get("exception.message")
			}
			if strings.TrimSpace(text) == "" {
				continue
			}
			if op := &a.ops.list[r.op]; see(op.service, shorten(text, 1000), 1) && op.peer != "" {
				c.targets[op.peer] = true
			}
		}
	}
	told, heard := 0.0, 0.0
	for _, s := range a.services {
		// A service of whose failures a few speak of it is no witness: of many errors some are of anything.
		if matching[s] > 0.1*all[s] {
			c.services[s] = true
			told, heard = told+matching[s], heard+all[s]
		}
	}
	for i := range a.cur.ds.Logs {
		l := &a.cur.ds.Logs[i]
		if len(c.targets) >= 8 || l.Severity < warning || !c.services[l.Resource.Service] || !is(l.Body) {
			continue
		}
		if host := hostIn(l.Body); host != "" {
			c.targets[host] = true
		}
	}
	if heard > 0 {
		c.share = told / heard
	}
	return c
}

// soughtHost finds the host in the messages of resolvers: Go's "lookup HOST", Node's and libc's "ENOTFOUND HOST",
// "EAI_AGAIN HOST", Java's "UnknownHostException: HOST", Python's "host='HOST'".
var soughtHost = regexp.MustCompile(`(?i)(?:\blookup|\bENOTFOUND|\bEAI_AGAIN|UnknownHostException:|host=|could not resolve host:?|resolve)\s*['"]?([a-z0-9][a-z0-9_.-]*[a-z0-9])`)

func hostIn(text string) string {
	m := soughtHost.FindStringSubmatch(shorten(text, 1000))
	if m == nil {
		return ""
	}
	return strings.ToLower(m[1])
}

// resolutionFailure recognises names that no longer resolve or hosts that cannot be reached. What several services, or the
// calls of one to several hosts, share is the network or the name service below them. A name service that says of itself
// that it fails (getaddrinfo(3): EAI_AGAIN; RFC 1035: SERVFAIL) is to blame even for a single name; a name that does
// not exist, asked for by one service alone, may just as well be misspelt.
func (a *analysis) resolutionFailure([]ranked) verdict {
	c := a.complaints(isUnreachable)
	several := len(c.services) >= 2 || len(c.targets) >= 2
	if !several && !failsItself(c.example) {
		return verdict{}
	}
	who := strings.Join(a.sortedServices(c.services), ", ") + " cannot"
	if len(c.services) > 3 {
		who = fmt.Sprintf("%d services cannot", len(c.services))
	}
	what := "a host"
	if len(c.targets) >= 2 {
		what = fmt.Sprintf("%d different hosts", len(c.targets))
	}
	return verdict{cause: CauseExternal, firm: several, outside: a.k.outside.unreachable.of(c.share),
		why: []string{fmt.Sprintf("%s resolve or reach %s (%s of the new errors there, such as %q): the network or the name service below them is at fault", who, what, percent(c.share), shorten(c.example, 160))}}
}

// certificateFailure recognises certificates that are no longer valid: time ran out, not code.
func (a *analysis) certificateFailure([]ranked) verdict {
	c := a.complaints(isExpired)
	if len(c.services) == 0 {
		return verdict{}
	}
	return verdict{cause: CauseExternal, firm: true, outside: a.k.outside.unreachable.of(c.share),
		why: []string{fmt.Sprintf("a certificate has expired (%s of the new errors of %s, such as %q): it has to be renewed", percent(c.share),
			strings.Join(a.sortedServices(c.services), ", "), shorten(c.example, 160))}}
}

// volumeFailure recognises a volume without room (write(2): ENOSPC, EDQUOT): what fills it was going on before, and a change is
// to blame only where it fits what fills it.
func (a *analysis) volumeFailure([]ranked) verdict {
	c := a.complaints(isFull)
	if len(c.services) == 0 {
		return verdict{}
	}
	return verdict{cause: CauseResource, outside: a.k.outside.unreachable.of(c.share),
		why: []string{fmt.Sprintf("a volume is full (%s of the new errors of %s, such as %q): it needs room before anything else", percent(c.share),
			strings.Join(a.sortedServices(c.services), ", "), shorten(c.example, 160))}}
}

func (a *analysis) sortedServices(in map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(a.services), func(s string) bool { return !in[s] })
}

func isUnreachable(text string) bool {
	t := strings.ToLower(shorten(text, 1000))
	for _, w := range []string{"no such host", "enotfound", "eai_again", "servfail", "name resolution", "name resolver", "server misbehaving", "temporary failure in name", "name or service not known",
		"nodename nor servname", "could not resolve host", "no route to host", "network is unreachable", "ehostunreach", "enetunreach", "unknownhostexception", "nameserver"} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return strings.Contains(t, "lookup ") && strings.Contains(t, "timeout")
}

// failsItself says that a message is about the name service and not about the name.
func failsItself(text string) bool {
	t := strings.ToLower(shorten(text, 1000))
	for _, w := range []string{"eai_again", "servfail", "temporary failure in name", "server misbehaving"} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return strings.Contains(t, "lookup ") && strings.Contains(t, "timeout")
}

func isFull(text string) bool {
	t := strings.ToLower(shorten(text, 1000))
	for _, w := range []string{"no space left on device", "enospc", "disk quota exceeded", "edquot", "not enough space on the disk", "disk full"} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return false
}

// isExpired knows how TLS libraries say it: Go's x509, OpenSSL and what is built on it (Node, Python, Ruby), Java's.
func isExpired(text string) bool {
	t := strings.ToLower(shorten(text, 1000))
	return strings.Contains(t, "cert_has_expired") || strings.Contains(t, "certificateexpiredexception") || strings.Contains(t, "certificate has expired") ||
		strings.Contains(t, "certificate expired") || strings.Contains(t, "notafter:")
}
