package replay

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// extract takes values out of a response body: name -> RFC 6901 pointer. What is not there
// stays unset, and the case that needs it says so.
func extract(vars map[string]string, pointers map[string]string, body json.RawMessage) {
	if len(pointers) == 0 || len(body) == 0 {
		return
	}
	doc, err := decodeJSON(body)
	if err != nil {
		return
	}
	for _, name := range sortedKeys(pointers) {
		p, err := parsePointer(pointers[name])
		if err != nil {
			continue // validated when the set was read
		}
		switch v, _ := p.lookup(doc); v := v.(type) {
		case string:
			vars[name] = v
		case json.Number:
			vars[name] = v.String()
		case bool:
			vars[name] = strconv.FormatBool(v)
		}
	}
}

// inject puts values into a request: RFC 6901 pointer -> name. The request is seen as
// {"path": [segments], "query": {fields}, "headers": {...}, "body": ...}.
func inject(r Request, pointers map[string]string, vars map[string]string) (Request, error) {
	for _, at := range sortedKeys(pointers) {
		name := pointers[at]
		value, ok := vars[name]
		if !ok {
			return r, fmt.Errorf("%s needs %q, which no earlier case supplied (name the case that extracts it in depends_on)", at, name)
		}
		p, err := parsePointer(at)
		if err != nil {
			return r, err
		}
		if r, err = injectOne(r, p, value); err != nil {
			return r, fmt.Errorf("%s: %w", at, err)
		}
	}
	return r, nil
}

func injectOne(r Request, p pointer, value string) (Request, error) {
	if len(p) == 0 {
		return r, fmt.Errorf("points at the whole request")
	}
	switch {
	case p[0] == "path" && len(p) == 2:
		segments := strings.Split(strings.TrimPrefix(r.Path, "/"), "/")
		i, ok := arrayIndex(p[1], len(segments))
		if !ok {
			return r, fmt.Errorf("the path %s has no segment %s", clip(r.Path, 60), p[1])
		}
		segments[i] = url.PathEscape(value)
		r.Path = "/" + strings.Join(segments, "/")
		return r, nil
	case p[0] == "query" && len(p) == 2:
		fields := strings.Split(r.Query, "&")
		for i, f := range fields {
			if name, _, _ := strings.Cut(f, "="); name == p[1] {
				fields[i] = name + "=" + url.QueryEscape(value)
				r.Query = strings.Join(fields, "&")
				return r, nil
			}
		}
		return r, fmt.Errorf("the query has no field %q", clip(p[1], 60))
	case p[0] == "headers" && len(p) == 2:
		if strings.ContainsAny(value, "\r\n\x00") {
			return r, fmt.Errorf("the value has a line break, which no header may carry")
		}
		headers := make(map[string]string, len(r.Headers)+1)
		for k, v := range r.Headers {
			if !strings.EqualFold(k, p[1]) { // or it would be sent twice
				headers[k] = v
			}
		}
		headers[p[1]] = value
		r.Headers = headers
		return r, nil
	case p[0] == "body":
		doc, err := decodeJSON(r.Body)
		if err != nil {
			return r, fmt.Errorf("the request has no JSON body")
		}
		old, _ := p[1:].lookup(doc)
		var v any = value
		if _, number := old.(json.Number); number {
			// NaN, +1 and 0x1p4 are numbers to a parser and none in JSON.
			if _, err := strconv.ParseFloat(value, 64); err == nil && json.Valid([]byte(value)) {
				v = json.Number(value)
			}
		}
		doc, ok := p[1:].replace(doc, v)
		if !ok {
			return r, fmt.Errorf("the body has no such place")
		}
		r.Body, err = canonicalJSON(doc)
		return r, err
	}
	return r, fmt.Errorf("starts with none of /path, /query, /headers and /body")
}
