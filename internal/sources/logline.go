package sources

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/telemetry/nesting"
)

const (
	// maxFields is how many fields of a line become attributes.
	maxFields = 64
	// maxLine is how long a line is looked into; longer ones stay text.
	maxLine = 64 << 10
)

// logLine is what a line of a log says: its message, and its fields where it is JSON or logfmt.
type logLine struct {
	message string
	fields  map[string]string
}

// parseLine reads a line. A line that is neither JSON nor logfmt, or has no message in it, is its own message.
func parseLine(line string) logLine {
	if len(line) > maxLine {
		return logLine{message: line}
	}
	trimmed := strings.TrimSpace(line)
	var fields map[string]string
	switch {
	case strings.HasPrefix(trimmed, "{"):
		fields = jsonFields(trimmed)
	default:
		fields = logfmtFields(trimmed)
	}
	if fields == nil {
		return logLine{message: line}
	}
	out := logLine{message: line, fields: fields}
	for _, name := range messageNames {
		if m := fields[name]; m != "" {
			out.message = m
			delete(fields, name)
			break
		}
	}
	return out
}

// jsonFields are the members of an object that are values, nested ones with dots between the names; nil where it is none.
func jsonFields(text string) map[string]string {
	if nesting.JSON([]byte(text)) != nil {
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) != nil {
		return nil
	}
	out := map[string]string{}
	flatten(out, "", object, 3)
	return out
}

func flatten(into map[string]string, prefix string, object map[string]json.RawMessage, depth int) {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if len(into) >= maxFields {
			return
		}
		raw := object[name]
		var text string
		var inner map[string]json.RawMessage
		switch {
		case len(raw) == 0 || string(raw) == "null":
		case raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
			into[prefix+name] = text
		case raw[0] == '{' && depth > 1 && json.Unmarshal(raw, &inner) == nil:
			flatten(into, prefix+name+".", inner, depth-1)
		case raw[0] != '{' && raw[0] != '[':
			into[prefix+name] = string(raw)
		}
	}
}

// logfmtFields are the pairs of a line in logfmt (https://brandur.org/logfmt); nil unless the whole line is pairs and a
// level or a message is among them: plain text may hold a pair too.
func logfmtFields(line string) map[string]string {
	out := map[string]string{}
	rest := line
	for rest != "" && len(out) < maxFields {
		eq := strings.IndexByte(rest, '=')
		if eq <= 0 || strings.ContainsAny(rest[:eq], " \t\"") {
			return nil
		}
		name := rest[:eq]
		rest = rest[eq+1:]
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil
			}
			value, err := strconv.Unquote(quoted)
			if err != nil {
				return nil
			}
			out[name], rest = value, rest[len(quoted):]
			if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
				return nil
			}
		} else {
			end := strings.IndexAny(rest, " \t")
			if end < 0 {
				end = len(rest)
			}
			out[name], rest = rest[:end], rest[end:]
		}
		rest = strings.TrimLeft(rest, " \t")
	}
	for _, names := range [][]string{severityNames, messageNames} {
		for _, n := range names {
			if _, ok := out[n]; ok {
				return out
			}
		}
	}
	return nil
}
