package selftelemetry

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Dependency is something that a service cannot work without.
type Dependency struct {
	Name string
	// Check returns an error when the dependency cannot be used now.
	Check func(context.Context) error
	// Optional dependencies are listed, and being without them is no reason to send requests elsewhere.
	Optional bool
}

// checkTimeout is how long a dependency may take to say that it is there.
const checkTimeout = 3 * time.Second

// Alive answers that the process runs, whatever it depends on: being restarted would not mend that.
func Alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// Ready answers whether requests may be sent here, with the state of each dependency: 200 when all are there, else 503. What exactly is wrong
// is logged when it changes and not told to whoever asks.
func Ready(log *slog.Logger, dependencies ...Dependency) http.Handler {
	r := &readiness{log: log, dependencies: dependencies, failing: map[string]bool{}}
	return r
}

type readiness struct {
	log          *slog.Logger
	dependencies []Dependency

	mu      sync.Mutex
	failing map[string]bool
}

// readyAnswer is the answer as JSON.
type readyAnswer struct {
	Ready        bool              `json:"ready"`
	Dependencies map[string]string `json:"dependencies"` // "ok" or "failing"
}

func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), checkTimeout)
	defer cancel()
	errs := make([]error, len(r.dependencies))
	var wg sync.WaitGroup
	for i, d := range r.dependencies {
		wg.Go(func() { errs[i] = d.Check(ctx) })
	}
	wg.Wait()
	a := readyAnswer{Ready: true, Dependencies: map[string]string{}}
	for i, d := range r.dependencies {
		a.Dependencies[d.Name] = "ok"
		if errs[i] != nil {
			a.Dependencies[d.Name] = "failing"
			a.Ready = a.Ready && d.Optional
		}
		if req.Context().Err() == nil { // else it is whoever asked that went away
			r.report(d.Name, errs[i])
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !a.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(a)
}

// report logs what changed.
func (r *readiness) report(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.failing[name]; was == (err != nil) {
		return
	}
	r.failing[name] = err != nil
	if err != nil {
		r.log.Warn("a dependency fails", "dependency", name, "error", err)
		return
	}
	r.log.Info("a dependency works again", "dependency", name)
}
