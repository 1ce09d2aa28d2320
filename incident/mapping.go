package incident

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Mapping says where the fields of an incident stand in a body of the generic format: the name of
// the field to a JSON pointer (RFC 6901), such as "starts_at" to "/alert/opened".
type Mapping map[string]string

// mappingFields are what a [Mapping] may hold. name and starts_at are required. fingerprint
// is the sender's own key for repeats of one alert; labels points to an object.
var mappingFields = []string{"name", "service", "operation", "severity", "status", "starts_at", "ends_at", "fingerprint", "labels"}

// MappingFields returns the fields that a [Mapping] knows.
func MappingFields() []string { return slices.Clone(mappingFields) }

// Wrong is what is wrong with one field of a mapping.
type Wrong struct {
	Field string // "" for the mapping as a whole
	What  string
	Fix   string
}

// Check returns what is wrong with a mapping, by field.
func (m Mapping) Check() []Wrong {
	var all []Wrong
	for _, field := range []string{"name", "starts_at"} {
		if _, ok := m[field]; !ok {
			all = append(all, Wrong{"", field + " is required", `add ` + field + `: "/path/in/the/body"`})
		}
	}
	for _, field := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(mappingFields, field) {
			all = append(all, Wrong{field, "is not a field of an incident", "known are " + strings.Join(mappingFields, ", ")})
		} else if _, err := splitPointer(m[field]); err != nil {
			all = append(all, Wrong{field, err.Error(), `write "/alert/name"; ~1 stands for a slash within a key and ~0 for a tilde`})
		}
	}
	return all
}

// maxPointer bounds a pointer; real ones have a handful of parts.
const maxPointer = 512 // bytes

// splitPointer returns the unescaped parts of a JSON pointer, RFC 6901 sections 3 and 4.
func splitPointer(p string) ([]string, error) {
	if p == "" {
		return nil, nil
	}
	if p[0] != '/' || len(p) > maxPointer {
		return nil, fmt.Errorf("%q is not a JSON pointer", clip(p, 60))
	}
	parts := strings.Split(p[1:], "/")
	for i, part := range parts {
		for at := strings.IndexByte(part, '~'); at >= 0; {
			if at+1 >= len(part) || part[at+1] != '0' && part[at+1] != '1' {
				return nil, fmt.Errorf("%q is not a JSON pointer", clip(p, 60))
			}
			next := strings.IndexByte(part[at+2:], '~')
			if next < 0 {
				break
			}
			at += 2 + next
		}
		// First ~1, then ~0, so that ~01 becomes ~1 and not a slash.
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return parts, nil
}

// lookup follows a pointer through a decoded JSON value; false where nothing is.
func lookup(v any, pointer string) (any, bool) {
	parts, err := splitPointer(pointer)
	if err != nil {
		return nil, false
	}
	for _, part := range parts {
		switch node := v.(type) {
		case map[string]any:
			child, ok := node[part]
			if !ok {
				return nil, false
			}
			v = child
		case []any:
			n, err := strconv.ParseUint(part, 10, 31)
			if err != nil || int(n) >= len(node) || part != strconv.FormatUint(n, 10) {
				return nil, false
			}
			v = node[n]
		default:
			return nil, false
		}
	}
	return v, true
}

// text is a scalar of a decoded JSON value as text; "" for null, objects and lists.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
