package githubtest

import (
	"net/http"
	"time"
)

// Entry is one request as the stand-in saw it. It holds no header and no credential.
type Entry struct {
	At     time.Time
	Method string
	Path   string // below the root of the API, with the query
	Route  string // as GitHub's description writes it; "git" for git, "" for an unknown path
	Status int    // 0 when the connection was cut before anything happened
	Actor  string
	Fault  FaultKind
	Body   string // of the request, JSON only; empty where it could hold a credential
}

func (s *Server) record(e Entry) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.entries = append(s.entries, e)
}

// Requests are all requests so far.
func (s *Server) Requests() []Entry {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return append([]Entry(nil), s.entries...)
}

// Mutations counts the calls that changed something, by "METHOD route". Calls that failed are not counted; calls whose
// effect happened and whose answer was lost are.
func (s *Server) Mutations() map[string]int {
	all := map[string]int{}
	for _, e := range s.Requests() {
		if e.Method != http.MethodGet && e.Method != http.MethodHead && e.Status >= 200 && e.Status < 300 {
			all[e.Method+" "+e.Route]++
		}
	}
	return all
}

// ForgetRequests empties the log.
func (s *Server) ForgetRequests() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.entries = nil
}
