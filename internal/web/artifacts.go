package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"

	"github.com/remediator/remediator/remedy/docket"
)

// Artifact is one file of a case.
type Artifact struct {
	Name string `json:"name"`
	Type string `json:"type"` // media type
	URL  string `json:"url"`
}

// Artifacts are the files of a case.
type Artifacts struct {
	Artifacts []Artifact `json:"artifacts"`
}

// The files of a case that pages show.
const (
	caseFile   = "case.json"
	diffFile   = "patch.diff"
	reportFile = "report.html"
)

// mediaTypes are those a browser shows; everything else is saved.
var mediaTypes = map[string]string{
	".json": "application/json",
	".html": "text/html; charset=utf-8",
	".md":   "text/markdown; charset=utf-8",
	".diff": "text/x-diff; charset=utf-8",
	".pub":  "text/plain; charset=utf-8",
	".txt":  "text/plain; charset=utf-8",
}

func mediaType(name string) string {
	if t := mediaTypes[path.Ext(name)]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// artifactPolicy lets a report show itself and nothing else: no scripts, no requests, and an origin of its own, so that
// what got into it cannot act for its reader. The page of the case may frame it.
const artifactPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

func listArtifacts(h *Handler, w http.ResponseWriter, r *http.Request, _ caller) error {
	rec, err := h.find(r, r.PathValue("fingerprint"))
	if err != nil {
		return err
	}
	names, err := docket.CaseFiles(r.Context(), h.blobs, rec)
	if err != nil {
		return fmt.Errorf("listing the files of case %s: %w", rec.Fingerprint, err)
	}
	slices.Sort(names)
	a := Artifacts{Artifacts: []Artifact{}}
	for _, name := range names {
		a.Artifacts = append(a.Artifacts, Artifact{Name: name, Type: mediaType(name), URL: h.url + artifactPath(rec, name)})
	}
	return writeJSON(w, r, a)
}

func artifactPath(rec *docket.Record, name string) string {
	return apiPrefix + "/cases/" + rec.Fingerprint + "/artifacts/" + url.PathEscape(name)
}

func showArtifact(h *Handler, w http.ResponseWriter, r *http.Request, _ caller) error {
	rec, err := h.find(r, r.PathValue("fingerprint"))
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	data, err := h.file(r.Context(), rec, name)
	if errors.Is(err, docket.ErrNotFound) {
		return problem(http.StatusNotFound, "case %s has no file %q; files are erased some time after a case has ended", short(rec.Fingerprint), clip(name, 100))
	} else if err != nil {
		return err
	}
	how := "inline"
	if mediaTypes[path.Ext(name)] == "" {
		how = "attachment"
	}
	header := w.Header()
	header.Set("Content-Type", mediaType(name))
	header.Set("Content-Disposition", how+"; filename*=UTF-8''"+url.PathEscape(name))
	header.Set("Content-Security-Policy", artifactPolicy)
	header.Set("Cache-Control", "private, no-cache")
	return writeTagged(w, r, data)
}

// file reads a file of a case; only so many at a time, since each stands in memory as a whole.
func (h *Handler) file(ctx context.Context, rec *docket.Record, name string) ([]byte, error) {
	select {
	case h.reads <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.reads }()
	return docket.CaseFile(ctx, h.blobs, rec, name)
}
