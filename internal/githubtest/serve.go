package githubtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const maxRequest = 128 << 20

func routes() []route {
	var all []route
	for _, part := range [][]route{
		appRoutes(), hookRoutes(), repositoryRoutes(), gitDataRoutes(), pullRoutes(), commentRoutes(), checkRoutes(), statusRoutes(),
	} {
		all = append(all, part...)
	}
	return all
}

// exchange is one request on its way through the stand-in.
type exchange struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	raw   []byte
	fault *Fault
	entry Entry
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	}
	rewind := func() { r.Body = io.NopCloser(bytes.NewReader(raw)) }
	rewind()
	s.watch.call(Before, r)
	rewind()
	x := &exchange{s: s, w: w, r: r, raw: raw, fault: s.watch.strike(r), entry: Entry{At: s.now(), Method: r.Method, Path: r.URL.RequestURI()}}
	rewind()
	defer func() {
		s.record(x.entry)
	}()
	if x.fault != nil {
		x.entry.Fault = x.fault.Kind
		switch x.fault.Kind {
		case CutBefore:
			x.cut()
		case Slow:
			select {
			case <-time.After(x.fault.Delay):
			case <-r.Context().Done():
			}
		}
	}
	if repo, rest, isGit := s.gitPath(r.URL.Path); isGit {
		x.entry.Route = "git"
		x.git(repo, rest)
		return
	}
	path, inside := s.apiPath(r.URL.EscapedPath())
	switch {
	case r.URL.Path == "/graphql" && !s.opt.Enterprise, r.URL.Path == "/api/graphql":
		x.entry.Route = "graphql"
		x.send(s.graphQL(x))
	case !inside:
		x.send(notFound())
	default:
		x.api(path)
	}
}

// cut ends the connection without an answer.
func (x *exchange) cut() {
	panic(http.ErrAbortHandler)
}

// api answers a call to the REST API.
func (x *exchange) api(path string) {
	s := x.s
	x.entry.Path = path
	if q := x.r.URL.RawQuery; q != "" {
		x.entry.Path += "?" + q
	}
	rt, args := s.find(x.r.Method, path)
	if rt == nil {
		x.send(notFound())
		s.opt.Report("the stand-in has no %s %s", x.r.Method, path)
		return
	}
	x.entry.Route = rt.path
	if !strings.Contains(rt.path, "access_tokens") && len(x.raw) < 1<<20 {
		x.entry.Body = string(x.raw)
	}
	if x.fault != nil {
		if a, answers := x.fault.refusal(s.now()); answers {
			x.send(a)
			return
		}
	}
	body, err := readBody(x.raw)
	if err != nil {
		x.send(failure(http.StatusBadRequest, "Problems parsing JSON"))
		return
	}
	a := x.handle(rt, args, path, body)
	x.check(rt, a)
	x.send(a)
}

// handle runs the handler under the lock.
func (x *exchange) handle(rt *route, args map[string]string, path string, body object) answer {
	s := x.s
	s.mu.Lock()
	defer s.mu.Unlock()
	who, bad := s.authenticate(x.r)
	if bad != nil {
		return *bad
	}
	x.entry.Actor = who.name()
	if who.app {
		x.entry.Actor = "app"
	}
	c := &call{s: s, r: x.r, path: path, args: args, body: body, actor: who, stale: x.fault != nil && x.fault.Kind == StaleRef}
	if name := args["repo"]; name != "" {
		if c.repo = s.repos[strings.ToLower(args["owner"]+"/"+name)]; c.repo == nil {
			return notFound()
		}
	}
	limit := s.rate(who)
	if rt.path != "/rate_limit" && limit.used >= limit.limit {
		a := failure(http.StatusForbidden, "API rate limit exceeded for %s.", who.name())
		limit.write(&a)
		return a
	}
	if refused := c.permit(rt.need); refused != nil {
		limit.used++
		limit.write(refused)
		return *refused
	}
	a := rt.do(c)
	fresh := x.conditional(&a)
	if fresh && rt.path != "/rate_limit" {
		limit.used++
	}
	limit.write(&a)
	return a
}

// conditional adds the entity tag and turns an answer that the caller has already into a 304. It says whether the
// answer is new, since only then it costs something.
func (x *exchange) conditional(a *answer) bool {
	if x.r.Method != http.MethodGet || a.status != http.StatusOK {
		return true
	}
	data := a.raw
	if data == nil {
		data, _ = json.Marshal(a.body)
	}
	sum := sha256.Sum256(data)
	tag := `W/"` + hex.EncodeToString(sum[:16]) + `"`
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("ETag", tag)
	have := x.r.Header.Get("If-None-Match")
	if have == "" || strings.TrimPrefix(have, "W/") != strings.TrimPrefix(tag, "W/") {
		return true
	}
	a.status, a.body, a.raw = http.StatusNotModified, nil, nil
	return false
}

// send writes an answer, after the hooks and the faults that come after an effect.
func (x *exchange) send(a answer) {
	x.r.Body = io.NopCloser(bytes.NewReader(x.raw))
	x.s.watch.call(After, x.r)
	x.entry.Status = a.status
	if x.fault != nil && x.fault.Kind == LostResponse {
		x.cut()
	}
	h := x.w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	h.Set("X-Github-Request-Id", strings.ToUpper(random(10)))
	h.Set("X-Github-Media-Type", "github.v3; format=json")
	data := a.raw
	switch {
	case data != nil:
		h.Set("Content-Type", a.media)
	case a.body != nil:
		var err error
		if data, err = json.Marshal(a.body); err != nil {
			x.s.opt.Report("answer to %s %s: %v", x.entry.Method, x.entry.Path, err)
		}
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	x.w.WriteHeader(a.status)
	_, _ = x.w.Write(data)
}

// rate counts the calls of one actor in the running hour.
type rate struct {
	limit, used int
	reset       time.Time
}

func (s *Server) rate(who *actor) *rate {
	key := who.name()
	if who.app {
		key = "app"
	}
	if who.install != nil {
		key = strconv.FormatInt(who.install.id, 10)
	}
	r := s.rates[key]
	if r == nil || !s.now().Before(r.reset) {
		r = &rate{limit: s.opt.RateLimit, reset: s.now().Add(time.Hour)}
		s.rates[key] = r
	}
	return r
}

// Spend uses up calls of everybody who has made one, as another program with the same App would.
func (s *Server) Spend(calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rates {
		r.used = min(r.used+calls, r.limit)
	}
}

// RateUsed is the number of calls that the installation at a repository's owner has spent.
func (s *Server) RateUsed(fullName string) int {
	id := s.InstallationID(fullName)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rates[strconv.FormatInt(id, 10)]; r != nil {
		return r.used
	}
	return 0
}

func (r *rate) json() object {
	return object{"limit": r.limit, "remaining": r.limit - r.used, "used": r.used, "reset": r.reset.Unix()}
}

func (r *rate) write(a *answer) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("X-RateLimit-Limit", strconv.Itoa(r.limit))
	a.header.Set("X-RateLimit-Remaining", strconv.Itoa(r.limit-r.used))
	a.header.Set("X-RateLimit-Used", strconv.Itoa(r.used))
	a.header.Set("X-RateLimit-Reset", strconv.FormatInt(r.reset.Unix(), 10))
	a.header.Set("X-RateLimit-Resource", "core")
}

func getRateLimit(c *call) answer {
	core := c.s.rate(c.actor).json()
	other := object{"limit": 30, "remaining": 30, "used": 0, "reset": c.s.now().Add(time.Hour).Unix()}
	return ok(object{
		"resources": object{"core": core, "search": other, "graphql": other, "integration_manifest": other, "code_search": other},
		"rate":      core,
	})
}
