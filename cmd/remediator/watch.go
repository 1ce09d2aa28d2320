package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/remediator/remediator/internal/alerthook"
	"github.com/remediator/remediator/remedy/docket"
)

// watch tells the tool's own telemetry what the parts of the service do.
type watch struct{ s *service }

func (w *watch) alertRequest(alerthook.Request)                {}
func (w *watch) Received(string, string, int)                  {}
func (w *watch) Refused(string, string, string, int)           {}
func (w *watch) Stored(string, int)                            {}
func (w *watch) observe(docket.Observation)                    {}
func (w *watch) scrape() http.Handler                          { return http.NotFoundHandler() }
func (w *watch) alive(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("ok\n")) }

func (w *watch) ready(rw http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if _, err := w.s.queue.Health(ctx); err != nil {
		rw.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(rw).Encode(map[string]string{"queue": err.Error()})
		return
	}
	_, _ = rw.Write([]byte("ok\n"))
}
