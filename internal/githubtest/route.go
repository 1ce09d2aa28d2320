package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// call is one request to the API on its way through a handler.
type call struct {
	s     *Server
	r     *http.Request
	path  string // below the root of the API
	args  map[string]string
	body  object
	actor *actor
	repo  *Repository
	stale bool // reads of refs answer as before the last write
}

// route binds a path of GitHub's description to a handler. need is what an installation must be granted,
// as "contents:write"; several with | between them mean any one. "app" wants the App's own JWT, "" anybody.
type route struct {
	method, path, need string
	do                 func(*call) answer
}

// text reads a field of the body.
func (c *call) text(name string) string {
	v, _ := c.body[name].(string)
	return v
}

func (c *call) texts(name string) []string {
	list, _ := c.body[name].([]any)
	var out []string
	for _, v := range list {
		if t, ok := v.(string); ok {
			out = append(out, t)
		}
	}
	return out
}

func (c *call) flag(name string) bool {
	v, _ := c.body[name].(bool)
	return v
}

// number reads a number of the query.
func (c *call) number(name string, fallback int) int {
	if n, err := strconv.Atoi(c.r.URL.Query().Get(name)); err == nil {
		return n
	}
	return fallback
}

func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// argID reads a number of the path.
func (c *call) argID(name string) int64 {
	n, err := strconv.ParseInt(c.args[name], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// long are the variables at the end of a path that may hold slashes.
var long = map[string]bool{"{ref}": true, "{path}": true, "{basehead}": true, "{branch}": true}

// match compares a path with a template and returns the variables. A long variable takes as many segments as
// leave enough for the rest.
func match(template, path string) (map[string]string, bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(have) < len(want) {
		return nil, false
	}
	extra := len(have) - len(want)
	args := map[string]string{}
	at := 0
	for _, w := range want {
		n := 1
		if long[w] {
			n += extra
			extra = 0
		}
		got := strings.Join(have[at:at+n], "/")
		at += n
		if !strings.HasPrefix(w, "{") {
			if w != got {
				return nil, false
			}
			continue
		}
		plain, err := url.PathUnescape(got)
		if err != nil || plain == "" && w != "{path}" {
			return nil, false
		}
		args[strings.Trim(w, "{}")] = plain
	}
	return args, extra == 0
}

// find looks a request up in the table. The path with more fixed segments wins, since it is the more exact one.
func (s *Server) find(method, path string) (*route, map[string]string) {
	var best *route
	var with map[string]string
	fixed := func(r *route) int { return strings.Count(r.path, "/") - strings.Count(r.path, "{") }
	for i := range s.routes {
		r := &s.routes[i]
		if r.method != method {
			continue
		}
		if args, fits := match(r.path, path); fits && (best == nil || fixed(r) > fixed(best)) {
			best, with = r, args
		}
	}
	return best, with
}

// readBody decodes what was sent; a request without a body has an empty object.
func readBody(raw []byte) (object, error) {
	if len(raw) == 0 {
		return object{}, nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("problems parsing JSON: %w", err)
	}
	switch v := v.(type) {
	case object:
		return v, nil
	case []any: // labels may be sent as a bare list
		return object{"": v}, nil
	case nil:
		return object{}, nil
	}
	return nil, fmt.Errorf("body should be a JSON object")
}
