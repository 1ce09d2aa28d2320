package replay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxPointerTokens bounds how deep a pointer may reach; no sane document is deeper.
const maxPointerTokens = 128

// pointer is a parsed RFC 6901 JSON pointer. A token "*" stands for any one token where
// the pointer is used as a pattern.
type pointer []string

// parsePointer parses an RFC 6901 pointer. The empty string is the whole document.
func parsePointer(s string) (pointer, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, fmt.Errorf("pointer %q does not start with %q (RFC 6901)", clip(s, 60), "/")
	}
	parts := strings.Split(s[1:], "/")
	if len(parts) > maxPointerTokens {
		return nil, fmt.Errorf("pointer has %d tokens, more than %d", len(parts), maxPointerTokens)
	}
	for i, part := range parts {
		token, err := unescapeToken(part)
		if err != nil {
			return nil, fmt.Errorf("pointer %q: %w", clip(s, 60), err)
		}
		parts[i] = token
	}
	return parts, nil
}

func unescapeToken(s string) (string, error) {
	if !strings.Contains(s, "~") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '~' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case i < len(s) && s[i] == '0':
			b.WriteByte('~')
		case i < len(s) && s[i] == '1':
			b.WriteByte('/')
		default:
			return "", errors.New("a tilde must be followed by 0 or 1 (write ~0 for a tilde)")
		}
	}
	return b.String(), nil
}

func escapeToken(s string) string {
	if !strings.ContainsAny(s, "~/") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

func (p pointer) String() string {
	var b strings.Builder
	for _, t := range p {
		b.WriteByte('/')
		b.WriteString(escapeToken(t))
	}
	return b.String()
}

// matches reports whether the pattern p covers exactly the place at.
func (p pointer) matches(at []string) bool {
	if len(p) != len(at) {
		return false
	}
	for i, t := range p {
		if t != "*" && t != at[i] {
			return false
		}
	}
	return true
}

// child returns p extended by one token without sharing memory with siblings.
func (p pointer) child(token string) pointer {
	return append(p[:len(p):len(p)], token)
}

// lookup finds the value p points to in a document decoded by decodeJSON.
func (p pointer) lookup(doc any) (any, bool) {
	for _, t := range p {
		switch v := doc.(type) {
		case map[string]any:
			next, ok := v[t]
			if !ok {
				return nil, false
			}
			doc = next
		case []any:
			i, ok := arrayIndex(t, len(v))
			if !ok {
				return nil, false
			}
			doc = v[i]
		default:
			return nil, false
		}
	}
	return doc, true
}

// replace sets the existing value p points to; it adds nothing that was not there.
func (p pointer) replace(doc any, value any) (any, bool) {
	if len(p) == 0 {
		return value, true
	}
	parent, ok := p[:len(p)-1].lookup(doc)
	if !ok {
		return doc, false
	}
	last := p[len(p)-1]
	switch v := parent.(type) {
	case map[string]any:
		if _, ok := v[last]; !ok {
			return doc, false
		}
		v[last] = value
	case []any:
		i, ok := arrayIndex(last, len(v))
		if !ok {
			return doc, false
		}
		v[i] = value
	default:
		return doc, false
	}
	return doc, true
}

func arrayIndex(token string, n int) (int, bool) {
	if token == "" || len(token) > 1 && token[0] == '0' {
		return 0, false
	}
	i, err := strconv.ParseUint(token, 10, 31)
	return int(i), err == nil && int(i) < n
}
