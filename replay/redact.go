package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// redactionRuleset names the built-in rules; it changes when they do.
const redactionRuleset = "remediator.redaction/v2"

// Finder finds secrets in text. It is how rule sets of other tools (gitleaks) are added.
type Finder interface {
	// Find returns the secrets in the text, each a substring of it.
	Find(text string) []string
	// Digest identifies the rules and their version.
	Digest() string
}

// Redactor replaces secrets and personal data by stand-ins of the same form, so that a replayed request still
// passes the validation that the recorded one passed: a card number becomes another valid card number, an
// e-mail address another address. Equal values get equal stand-ins, so values that link
// exchanges still do. A nil Redactor changes nothing.
type Redactor struct {
	rules   []redactRule
	finders []Finder

	mu     sync.Mutex
	stand  map[string]string // secret digest -> stand-in
	counts map[string]int
}

type redactRule struct {
	name    string
	pattern *regexp.Regexp
	// hint must occur in the text, so that most texts cost one scan and no regexp.
	hint func(string) bool
	// ok decides on a match; nil means always.
	ok func(match string) bool
	// keep is how much of the beginning of a match is no secret; nil means none.
	keep func(match string) int
	// stand makes the n-th stand-in.
	stand func(match string, n int) string
}

// secretHeaders carry credentials or identity as a whole.
var secretHeaders = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true, "set-cookie": true, "x-api-key": true, "api-key": true, "x-auth-token": true,
	"x-csrf-token": true, "x-xsrf-token": true, "x-amz-security-token": true, "x-forwarded-for": true, "x-real-ip": true, "forwarded": true,
}

// secretNames are names of JSON members, form fields and URL parameters whose whole value is a secret.
const secretNames = `[a-z0-9_.-]*pass(?:word|wd|phrase)[a-z0-9_.-]*|pass|secret|client[_-]?secret|(?:access|refresh|id|auth|api|session|bearer)?[_-]?token|api[_-]?key|private[_-]?key|cvv2?|cvc|ssn|iban|pin|authorization|cookie`

var secretFields = regexp.MustCompile(`(?i)^(?:` + secretNames + `)$`)

// NewRedactor returns a Redactor with the built-in rules and any further finders.
func NewRedactor(finders ...Finder) *Redactor {
	return &Redactor{
		finders: finders, stand: map[string]string{}, counts: map[string]int{},
		rules: []redactRule{
			{name: "private-key", pattern: regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----`), hint: contains("PRIVATE KEY"), stand: numbered("redacted-private-key-%d")},
			{name: "jwt", pattern: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*`), hint: contains("eyJ"), stand: numbered("redacted-jwt-%d")},
			{name: "bearer", pattern: regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+[A-Za-z0-9+/_=.~-]{8,}`), hint: containsAny("earer", "EARER", "asic", "ASIC"), stand: numbered("Bearer redacted-%d")},
			{name: "token", pattern: regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|sk_(?:live|test)_[A-Za-z0-9]{10,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,})`),
				hint: containsAny("gh", "github_pat_", "glpat-", "xox", "sk_", "AKIA", "AIza"), stand: numbered("redacted-token-%d")},
			{name: "field", pattern: regexp.MustCompile(`(?i)[?&](?:` + secretNames + `)=[^&\s"'<>#]+`), hint: containsAny("?", "&"), keep: func(match string) int { return strings.IndexByte(match, '=') + 1 }, stand: numbered("redacted-%d")},
			// JSON inside text, and JSON that is cut off.
			{name: "field", pattern: regexp.MustCompile(`(?i)"(?:` + secretNames + `)"\s*:\s*"[^"]+`), hint: contains(`"`), keep: func(match string) int { return strings.LastIndexByte(match, '"') + 1 }, stand: numbered("redacted-%d")},
			{name: "email", pattern: regexp.MustCompile(`[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}\b`), hint: contains("@"), ok: notExample, stand: numbered("person-%d@example.com")},
			{name: "card", pattern: regexp.MustCompile(`\b[0-9](?:[ -]?[0-9]){12,18}\b`), hint: manyDigits, ok: isCard, stand: cardStandIn},
		},
	}
}

// Redaction identifies the rules in the header of a set.
func (r *Redactor) Redaction() Redaction {
	h := sha256.New()
	h.Write([]byte(redactionRuleset))
	h.Write([]byte(secretFields.String()))
	for _, k := range sortedKeys(secretHeaders) {
		h.Write([]byte("\x00" + k))
	}
	for _, rule := range r.rules {
		h.Write([]byte("\x00" + rule.name + "\x00" + rule.pattern.String()))
	}
	for _, f := range r.finders {
		h.Write([]byte("\x00" + f.Digest()))
	}
	return Redaction{Ruleset: redactionRuleset, Digest: "sha256:" + hex.EncodeToString(h.Sum(nil))}
}

// Text redacts free text.
func (r *Redactor) Text(s string) string {
	if r == nil || s == "" {
		return s
	}
	for i := range r.rules {
		rule := &r.rules[i]
		if !rule.hint(s) {
			continue
		}
		s = rule.pattern.ReplaceAllStringFunc(s, func(match string) string {
			if rule.ok != nil && !rule.ok(match) {
				return match
			}
			kept := ""
			if rule.keep != nil {
				n := rule.keep(match)
				kept, match = match[:n], match[n:]
			}
			return kept + r.standIn(rule.name, match, rule.stand)
		})
	}
	for _, f := range r.finders {
		for _, secret := range f.Find(s) {
			if secret == "" || strings.HasPrefix(secret, "redacted-") {
				continue
			}
			s = strings.ReplaceAll(s, secret, r.standIn("secret", secret, numbered("redacted-secret-%d")))
		}
	}
	return s
}

// standIn gives each secret its own stand-in and remembers only the secret's digest.
func (r *Redactor) standIn(rule, secret string, stand func(string, int) string) string {
	if standInText.FindString(secret) == secret && secret != "" {
		return secret // redacted before
	}
	sum := sha256.Sum256([]byte(rule + "\x00" + secret))
	key := string(sum[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.stand[key]; ok {
		return s
	}
	r.counts[rule]++
	s := stand(secret, r.counts[rule])
	r.stand[key] = s
	return s
}

// Header redacts one header.
func (r *Redactor) Header(name, value string) string {
	if r == nil {
		return value
	}
	if secretHeaders[strings.ToLower(name)] {
		return r.standIn("header", value, numbered("redacted-header-%d"))
	}
	return r.Text(value)
}

// Body redacts a body as a golden set holds it.
func (r *Redactor) Body(raw json.RawMessage) json.RawMessage {
	if r == nil || len(raw) == 0 {
		return raw
	}
	v, err := decodeJSON(raw)
	if err != nil {
		return raw // never the case for what keepBody made
	}
	out, err := canonicalJSON(r.value(v))
	if err != nil {
		return raw
	}
	return out
}

// Query redacts a query string or form, whose fields are known by name.
func (r *Redactor) Query(q string) string {
	if r == nil || q == "" {
		return q
	}
	parts := strings.Split(q, "&")
	for i, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		switch {
		case ok && value != "" && secretFields.MatchString(name):
			parts[i] = name + "=" + r.standIn("field", value, numbered("redacted-%d"))
		case ok:
			// The at sign of an address arrives escaped.
			plain := strings.ReplaceAll(strings.ReplaceAll(value, "%40", "@"), "%20", " ")
			if red := r.Text(plain); red != plain {
				parts[i] = name + "=" + strings.ReplaceAll(strings.ReplaceAll(red, "@", "%40"), " ", "%20")
			}
		}
	}
	return strings.Join(parts, "&")
}

func (r *Redactor) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) { // sorted: the numbering of stand-ins is deterministic
			e := v[k]
			switch s := e.(type) {
			case string:
				if s != "" && secretFields.MatchString(k) {
					e = r.standIn("field", s, fieldStandIn)
				} else {
					e = r.value(e)
				}
			case json.Number:
				if secretFields.MatchString(k) && strings.Trim(s.String(), "0123456789") == "" {
					e = json.Number(r.standIn("number", s.String(), numberStandIn))
				} else {
					e = r.value(e)
				}
			default:
				e = r.value(e)
			}
			out[r.Text(k)] = e
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.value(e)
		}
		return out
	case string:
		return r.Text(v)
	case json.Number:
		if s := v.String(); len(s) >= 13 {
			if red := r.Text(s); red != s {
				return json.Number(red)
			}
		}
	}
	return v
}

func contains(sub string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, sub) }
}

func containsAny(subs ...string) func(string) bool {
	return func(s string) bool {
		for _, sub := range subs {
			if strings.Contains(s, sub) {
				return true
			}
		}
		return false
	}
}

func numbered(format string) func(string, int) string {
	return func(_ string, n int) string { return fmt.Sprintf(format, n) }
}

// fieldStandIn keeps the length and class of short numeric secrets (PIN, CVV), which services validate.
func fieldStandIn(secret string, n int) string {
	if strings.Trim(secret, "0123456789") == "" && len(secret) <= 12 {
		return fmt.Sprintf("%0*d", len(secret), n%pow10(len(secret)))
	}
	return fmt.Sprintf("redacted-%d", n)
}

// numberStandIn is a number of as many digits that does not begin with a zero, which JSON forbids.
func numberStandIn(secret string, n int) string {
	first := pow10(min(len(secret), 18) - 1)
	return fmt.Sprint(first + n%(9*first))
}

func pow10(n int) int {
	out := 1
	for range n {
		out *= 10
	}
	return out
}

// notExample keeps addresses that RFC 2606 reserves for examples: they are nobody's.
func notExample(address string) bool {
	domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
	for _, reserved := range []string{"example.com", "example.org", "example.net", "example", "test", "invalid", "localhost"} {
		if domain == reserved || strings.HasSuffix(domain, "."+reserved) {
			return false
		}
	}
	return true
}
