package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// AutonomyOf is the most a proposal about a service may become, by the first rule that fits. The
// service may be "" when it is not known; only rules that name no service fit then.
func (c Config) AutonomyOf(service, severity string) string {
	for _, r := range c.AutonomyFor {
		if (len(r.Services) == 0 || slices.Contains(r.Services, service)) &&
			(len(r.Severities) == 0 || slices.Contains(r.Severities, severity)) {
			return r.Autonomy
		}
	}
	return cmp.Or(c.Autonomy, DefaultAutonomy)
}

// NeedsApproval says whether a person decides before anything is proposed for an incident of
// this severity.
func (c Config) NeedsApproval(severity string) bool {
	if c.Approvals == nil {
		return slices.Contains(defaultApprovals, severity)
	}
	return slices.Contains(c.Approvals, severity)
}

// Bypass says whether the limits do not hold for an incident of this severity.
func (l Limits) Bypass(severity string) bool {
	return severity == severities[0] && (l.CriticalBypass == nil || *l.CriticalBypass)
}

func (l Limits) withDefaults() Limits {
	l.OpenPullRequests = cmp.Or(l.OpenPullRequests, DefaultOpen)
	l.OpenPerService = cmp.Or(l.OpenPerService, DefaultOpenPerService)
	l.PullRequestsPerHour = cmp.Or(l.PullRequestsPerHour, DefaultPerHour)
	if l.CriticalBypass == nil {
		yes := true
		l.CriticalBypass = &yes
	}
	return l
}

func (c Config) validateAutonomy(ps *problems) {
	for i, r := range c.AutonomyFor {
		at := fmt.Sprintf("autonomy_for[%d]", i)
		if r.Autonomy == "" {
			ps.add(Problem{Path: at, Message: "autonomy is required", Fix: "add autonomy: one of " + strings.Join(autonomies, ", ")})
		}
		ps.choice(at+".autonomy", r.Autonomy, autonomies)
		if len(r.Services) == 0 && len(r.Severities) == 0 {
			ps.add(Problem{Path: at, Message: "fits every incident", Fix: "name services or severities, or set autonomy instead"})
		}
		for j, name := range r.Services {
			here := fmt.Sprintf("%s.services[%d]", at, j)
			if _, ok := c.Services[name]; !ok {
				fix := "add it under services"
				if near := nearest(name, c.ServiceNames()); near != "" {
					fix = "did you mean " + strconv.Quote(near) + "?"
				}
				ps.add(Problem{Path: here, Message: "there is no service " + strconv.Quote(name), Fix: fix})
			}
		}
		ps.choices(at+".severities", r.Severities, severities)
	}
	ps.choices("approvals", c.Approvals, severities)
	for key, n := range map[string]int{"open_pull_requests": c.Limits.OpenPullRequests, "open_per_service": c.Limits.OpenPerService,
		"pull_requests_per_hour": c.Limits.PullRequestsPerHour} {
		if n < 0 {
			ps.add(Problem{Path: "limits." + key, Message: "must not be negative"})
		}
	}
}

func (m Model) validate(ps *problems, at string) {
	if m.URL == "" {
		if m.Name != "" {
			ps.add(Problem{Path: at, Message: "a model is named, but not the server it runs on", Fix: "add url: http://127.0.0.1:11434/v1"})
		}
		return
	}
	u := ps.url(at+".url", m.URL)
	if u != nil && u.Scheme == "http" && !nearby(u.Hostname()) {
		ps.add(Problem{Path: at + ".url", Message: "evidence and code would travel unencrypted", Fix: "use https, or a server on this machine or network"})
	}
}

// choices checks a list whose items have a fixed set of values, each at most once.
func (ps *problems) choices(at string, values, allowed []string) {
	for i, v := range values {
		here := fmt.Sprintf("%s[%d]", at, i)
		if v == "" {
			ps.add(Problem{Path: here, Message: "is empty", Fix: "use one of " + strings.Join(allowed, ", ")})
		}
		ps.choice(here, v, allowed)
		if slices.Contains(values[:i], v) {
			ps.add(Problem{Path: here, Message: strconv.Quote(v) + " is there twice", Fix: "remove one of them"})
		}
	}
}

// url checks an http or https URL that carries no credential, query or fragment. It returns nil
// when there was something to say.
func (ps *problems) url(at, text string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		ps.add(Problem{Path: at, Message: "is not an http or https URL", Fix: `write "https://host/path"`})
	case u.User != nil:
		ps.add(Problem{Path: at, Message: "carries a user name or password", Fix: "remove what stands before the @"})
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		ps.add(Problem{Path: at, Message: "carries a query or fragment", Fix: "remove what stands from ? or # on"})
	default:
		return u
	}
	return nil
}

// secureURL checks a URL that must be https unless it stays on this machine.
func (ps *problems) secureURL(at, text string) {
	if text == "" {
		return
	}
	if u := ps.url(at, text); u != nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		ps.add(Problem{Path: at, Message: "must be https: only an address of this machine may do without", Fix: "write " + strconv.Quote("https"+strings.TrimPrefix(text, "http"))})
	}
}

// loopback says whether a host is this machine and nothing else.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// nearby says whether a host is this machine, has a private address, or a name that public DNS does not give.
func nearby(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap()
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return true // a container's or a machine's own name
	}
	for _, suffix := range []string{".local", ".internal", ".lan", ".svc", ".home.arpa"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// address checks host:port of a socket to listen on and says whether it is bound to loopback.
func (ps *problems) address(at, text string) (local bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		ps.add(Problem{Path: at, Message: strconv.Quote(text) + " is not host:port", Fix: `write "127.0.0.1:8080", or ":8080" for every interface`})
		return false
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		ps.add(Problem{Path: at, Message: strconv.Quote(port) + " is not a TCP port", Fix: "use 1 to 65535, or 0 for any free one"})
	}
	return loopback(host)
}
