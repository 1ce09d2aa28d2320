package patch

import (
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/localize"
)

// The classes of settings that can break a service when they are wrong.
const (
	classTimeout = "time-out"
	classPool    = "pool size"
	classRetry   = "retry setting"
	classLimit   = "limit"
	classAddress = "address"
)

// classWords tell the class of a setting by its name; the first class with a matching word counts.
var classWords = []struct {
	class string
	words []string
}{
	{classRetry, []string{"retry", "retries", "attempt", "backoff", "jitter"}},
	{classTimeout, []string{"timeout", "timelimit", "deadline", "keepalive", "lifetime", "expir", "ttl", "interval", "delay", "wait"}},
	{classPool, []string{"pool", "maxopen", "maxidle", "maxconn", "connections", "conns", "worker", "thread", "concurren", "parallel"}},
	{classAddress, []string{"url", "uri", "host", "addr", "endpoint", "port", "baseurl", "upstream", "topic", "queuename", "bucket", "region"}},
	{classLimit, []string{"limit", "max", "min", "quota", "rate", "burst", "size", "capacity", "threshold", "budget", "queue", "buffer", "batch", "memory",
		"cpu", "replica", "percent", "ratio", "count", "cache", "page"}},
}

// settingClass is "" for a setting of no known class.
func settingClass(s setting) string {
	name := normalName(s.Name)
	for _, c := range classWords {
		for _, w := range c.words {
			if strings.Contains(name, w) {
				return c.class
			}
		}
	}
	if hostOf(s.Text) != "" {
		return classAddress
	}
	return ""
}

// relatedClasses says which settings can explain a shape of failure. A shape without an entry
// leaves every class possible.
var relatedClasses = map[localize.PatternKind][]string{
	localize.PatternRetryBurst:    {classRetry, classTimeout, classLimit, classAddress},
	localize.PatternUnboundedCall: {classTimeout, classAddress, classLimit},
	localize.PatternPoolWait:      {classPool, classLimit, classTimeout},
	localize.PatternRepeatedQuery: {classLimit},
	localize.PatternSlowSelf:      {classLimit, classPool, classTimeout, classRetry},
}

func relates(patterns []localize.Pattern, class string) bool {
	known := false
	for _, p := range patterns {
		classes, ok := relatedClasses[p.Kind]
		if !ok || slices.Contains(classes, class) {
			return true
		}
		known = true
	}
	return !known
}

func patternNames(patterns []localize.Pattern) string {
	var names []string
	for _, p := range patterns {
		if !slices.Contains(names, string(p.Kind)) {
			names = append(names, string(p.Kind))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

var (
	secretWords = regexp.MustCompile(`(?i)(passw|passphrase|secret|token|credential|private|api_?-?key|access_?-?key|signing|encryption|certificate|salt|dsn|cookie|(^|[_.-])(key|auth|cert|pem)$)`)
	guardWords  = regexp.MustCompile(`(?i)(tls|ssl|verif|insecure|cors|csrf|allowed|denied|whitelist|allowlist|permission|role|validat|sanit|authori[sz]|authent)`)
	buildWords  = regexp.MustCompile(`(?i)^(image|tag|version|revision|commit|sha|digest|apiversion|kind|schema)$`)
	safeValue   = regexp.MustCompile(`^[A-Za-z0-9_.:/+-]{1,80}$`)
	hostPort    = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?(/[^\s]*)?$`)
	// Multi-label names written without a scheme count as hosts only if they end in letters, so that versions
	// and decimals do not.
	hostName = regexp.MustCompile(`^([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$`)
)

// unfitToRestore says why a previous value must not be put back, "" if it may.
func unfitToRestore(file string, a alteration) string {
	if a.added {
		return "was added by the change; there is no previous value to put back"
	}
	for _, part := range append(slices.Clone(a.now.Path), a.now.Name, path.Base(file)) {
		if secretWords.MatchString(part) {
			return "may be a credential; secrets are not rolled back by a tool"
		}
	}
	for _, part := range []string{a.now.Name, a.now.Path[len(a.now.Path)-1]} {
		switch {
		case guardWords.MatchString(part):
			return "is a security setting; a person has to weigh putting it back"
		case buildWords.MatchString(part):
			return "names a version; roll the deployment back instead"
		}
	}
	if len(a.now.Raw) > 200 || len(a.before.Raw) > 200 {
		return "holds a long text, which is no setting"
	}
	return foreignAddress(a.before.Text, a.now.Text)
}

// foreignAddress refuses to move a service to another host unless both are names inside, to send credentials
// along, or to leave TLS.
func foreignAddress(before, now string) string {
	for _, v := range []string{before, now} {
		if u, err := url.Parse(v); err == nil && u.User != nil {
			return "carries credentials in its address"
		}
	}
	b, n := hostOf(before), hostOf(now)
	if b != n && (b != "" && !insideHost(b) || n != "" && !insideHost(n)) {
		return "would change a host outside; a person has to decide where the service connects to"
	}
	bs, _, bok := strings.Cut(before, "://")
	ns, _, nok := strings.Cut(now, "://")
	if bok && nok && strings.HasSuffix(ns, "s") && bs+"s" == ns {
		return "would leave TLS"
	}
	return ""
}

// hostOf is the host of a URL, of host:port or of a bare name of several labels; "" of anything else.
func hostOf(v string) string {
	if strings.Contains(v, "://") {
		if u, err := url.Parse(v); err == nil {
			return strings.ToLower(u.Hostname())
		}
		return v // not to be read as a URL: treated as outside
	}
	if m := hostPort.FindStringSubmatch(v); m != nil {
		_, err := netip.ParseAddr(m[1])
		if err == nil || hostName.MatchString(m[1]) && (m[3] != "" || !strings.HasPrefix(m[4], "/")) || m[3] != "" && strings.ContainsAny(m[1], "abcdefghijklmnopqrstuvwxyz") {
			return strings.ToLower(m[1])
		}
	}
	return ""
}

// insideHost reports names that resolve inside a cluster, a machine or a private network only.
func insideHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsPrivate() || a.IsLoopback()
	}
	if !strings.Contains(host, ".") {
		return true
	}
	for _, suffix := range []string{".local", ".internal", ".svc", ".localhost", ".localdomain", ".lan"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// showValue writes a value into a message if it is harmless there.
func showValue(s setting) string {
	if safeValue.MatchString(s.Text) && !strings.Contains(s.Text, "@") {
		return s.Text
	}
	if _, err := strconv.ParseFloat(s.Text, 64); err == nil {
		return s.Text
	}
	return "its former value"
}

// keyTitle is the last part of a key, fit for a title.
func keyTitle(s setting) string {
	t := safeSubject(strings.ReplaceAll(s.Name, "_", "-"))
	if safeValue.MatchString(s.Name) {
		t = s.Name
	}
	if t == "" {
		return "a value"
	}
	if len(t) > 60 {
		t = t[:60]
	}
	return t
}

// normalName drops case and separators, so that DB_MAX_OPEN and db.maxOpen are the same name.
func normalName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, s)
}
