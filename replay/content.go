package replay

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// binaryPrefix marks a body that was not text, textPrefix one whose text would be taken for something else: JSON by its
// content type that is none (a service has to refuse it again), or text that begins like a mark.
const (
	binaryPrefix = "data:application/octet-stream;base64,"
	textPrefix   = "data:text/plain,"
)

// keepBody turns bytes as they were on the wire into what a golden set holds: JSON as
// JSON with sorted keys, text as a JSON string, anything else base64 in a string.
func keepBody(data []byte, contentType string) json.RawMessage {
	if len(data) == 0 {
		return nil
	}
	trimmed := bytes.TrimSpace(data)
	structured := len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
	if structured || isJSON(contentType) {
		if v, err := decodeJSON(trimmed); err == nil {
			text, isText := v.(string)
			if raw, err := canonicalJSON(v); err == nil && !(isText && marked(text)) {
				return raw
			}
		}
	}
	text := string(data)
	switch {
	case !utf8.ValidString(text):
		text = binaryPrefix + base64.StdEncoding.EncodeToString(data)
	case isJSON(contentType) || marked(text):
		text = textPrefix + text
	}
	raw, err := canonicalJSON(text)
	if err != nil {
		return nil // a valid string always encodes
	}
	return raw
}

func marked(text string) bool {
	return strings.HasPrefix(text, binaryPrefix) || strings.HasPrefix(text, textPrefix)
}

// wireBody is the inverse of keepBody, up to white space and key order.
func wireBody(raw json.RawMessage, contentType string) []byte {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] != '"' {
		return raw
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	if plain, ok := strings.CutPrefix(text, textPrefix); ok {
		return []byte(plain)
	}
	if encoded, ok := strings.CutPrefix(text, binaryPrefix); ok {
		if data, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return data
		}
	}
	if isJSON(contentType) {
		return raw
	}
	return []byte(text)
}

func isJSON(contentType string) bool {
	mime, _, _ := strings.Cut(contentType, ";")
	mime = strings.ToLower(strings.TrimSpace(mime))
	return mime == "application/json" || strings.HasSuffix(mime, "+json")
}

// header finds a header without regard to case.
func header(h map[string]string, name string) string {
	if v, ok := h[name]; ok {
		return v
	}
	for k, v := range h {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// shapeOf replaces every leaf by the name of its type.
func shapeOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = shapeOf(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = shapeOf(e)
		}
		return out
	default:
		return typeName(v)
	}
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	}
	return "unknown"
}
