package web

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy/docket"
)

// Item is what a list says of a case.
type Item struct {
	Fingerprint string            `json:"fingerprint"`
	Stage       docket.Stage      `json:"stage"`
	Title       string            `json:"title"`
	Why         string            `json:"why"`     // it is where it is
	Waiting     bool              `json:"waiting"` // for a person
	Progress    string            `json:"progress,omitempty"`
	Repository  string            `json:"repository,omitempty"`
	Service     string            `json:"service,omitempty"`
	Severity    incident.Severity `json:"severity"`
	Alerts      int               `json:"alerts"`
	Attempt     int               `json:"attempt"`
	FirstAlert  time.Time         `json:"first_alert"`
	LastAlert   time.Time         `json:"last_alert"`
	Resolved    time.Time         `json:"resolved,omitzero"`
	Updated     time.Time         `json:"updated"`
	JoinedTo    string            `json:"joined_to,omitempty"`
	Pull        string            `json:"pull,omitempty"` // URL
	URL         string            `json:"url"`            // of the case's page
}

// List is one page of cases, newest first by their first alert.
type List struct {
	Cases []Item `json:"cases"`
	Total int    `json:"total"`          // that fit the filters
	Next  string `json:"next,omitempty"` // cursor of the next page
}

// Case is everything about one case.
type Case struct {
	docket.Record
	Title string `json:"title"`
	Why   string `json:"why"` // it is where it is
	// Waiting says that a person has to decide.
	Waiting bool `json:"waiting"`
	// Actions are what may be asked for now.
	Actions []string `json:"actions"`
	URL     string   `json:"url"` // of the case's page
}

// filter selects cases; the zero value selects all.
type filter struct {
	stages     []docket.Stage
	repository string
	service    string
	since      time.Time
}

// stages in the order people read them.
var stages = []docket.Stage{
	docket.Queued, docket.Running, docket.Held, docket.Writing, docket.Proposed,
	docket.Merged, docket.Refused, docket.Declined, docket.Joined, docket.Failed,
}

func parseFilter(q url.Values) (filter, error) {
	f := filter{repository: q.Get("repository"), service: q.Get("service")}
	for _, value := range q["stage"] {
		for one := range strings.SplitSeq(value, ",") {
			if one == "" {
				continue
			}
			if !slices.Contains(stages, docket.Stage(one)) {
				return f, problem(http.StatusBadRequest, "there is no stage %q: choose from %s", clip(one, 40), joinStages())
			}
			f.stages = append(f.stages, docket.Stage(one))
		}
	}
	if value := q.Get("since"); value != "" {
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return f, problem(http.StatusBadRequest, "since is not a time such as 2026-01-31T08:00:00Z")
		}
		f.since = t
	}
	return f, nil
}

func joinStages() string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func (f filter) admits(r *docket.Record) bool {
	return (len(f.stages) == 0 || slices.Contains(f.stages, r.Stage)) &&
		(f.repository == "" || strings.EqualFold(f.repository, r.Repository)) &&
		(f.service == "" || f.service == serviceOf(r)) &&
		(f.since.IsZero() || !r.Updated.Before(f.since))
}

// records lists those that a filter admits in an order that does not change while a case moves on, so that a
// cursor neither skips one nor shows one twice.
func (h *Handler) records(r *http.Request, f filter) ([]*docket.Record, error) {
	all, err := h.store.List(r.Context())
	if err != nil {
		return nil, fmt.Errorf("listing cases: %w", err)
	}
	all = slices.DeleteFunc(slices.Clone(all), func(rec *docket.Record) bool { return !f.admits(rec) })
	slices.SortFunc(all, func(a, b *docket.Record) int {
		return cmp.Or(b.FirstAlert.Compare(a.FirstAlert), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return all, nil
}

// after cuts off what comes before a cursor.
func after(all []*docket.Record, cursor string) ([]*docket.Record, error) {
	if cursor == "" {
		return all, nil
	}
	bad := problem(http.StatusBadRequest, "the cursor is not one that this service gave out: start without one")
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, bad
	}
	nanos, fingerprint, ok := strings.Cut(string(text), ".")
	n, err := strconv.ParseInt(nanos, 10, 64)
	if !ok || err != nil {
		return nil, bad
	}
	at := time.Unix(0, n)
	i := slices.IndexFunc(all, func(r *docket.Record) bool {
		c := at.Compare(r.FirstAlert)
		return c > 0 || c == 0 && r.Fingerprint > fingerprint
	})
	if i < 0 {
		return nil, nil
	}
	return all[i:], nil
}

func cursorOf(r *docket.Record) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(r.FirstAlert.UnixNano(), 10) + "." + r.Fingerprint))
}

// The sizes of a page of the list.
const (
	defaultLimit = 50
	maxLimit     = 200
)

func listCases(h *Handler, w http.ResponseWriter, r *http.Request, _ caller) error {
	q := r.URL.Query()
	f, err := parseFilter(q)
	if err != nil {
		return err
	}
	limit := defaultLimit
	if value := q.Get("limit"); value != "" {
		if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > maxLimit {
			return problem(http.StatusBadRequest, "limit is not a number from 1 to %d", maxLimit)
		}
	}
	all, err := h.records(r, f)
	if err != nil {
		return err
	}
	page, err := after(all, q.Get("cursor"))
	if err != nil {
		return err
	}
	l := List{Cases: []Item{}, Total: len(all)}
	for i, rec := range page {
		if i == limit {
			l.Next = cursorOf(page[i-1])
			break
		}
		l.Cases = append(l.Cases, h.item(rec))
	}
	return writeJSON(w, r, l)
}

// minPrefix is how much of a fingerprint has to be given; less hits another case sooner or later.
const minPrefix = 8

// find returns the case of a fingerprint or of an unambiguous beginning of one.
func (h *Handler) find(r *http.Request, given string) (*docket.Record, error) {
	if len(given) < minPrefix || len(given) > 64 || strings.Trim(given, "0123456789abcdef") != "" {
		return nil, problem(http.StatusNotFound, "%q is not a fingerprint: give at least %d of its lower-case hex digits", clip(given, 70), minPrefix)
	}
	rec, err := h.store.Get(r.Context(), given)
	if err == nil {
		return rec, nil
	}
	all, listErr := h.store.List(r.Context())
	if listErr != nil {
		return nil, fmt.Errorf("looking for a case: %w", listErr)
	}
	var found []*docket.Record
	for _, rec := range all {
		if strings.HasPrefix(rec.Fingerprint, given) {
			found = append(found, rec)
		}
	}
	switch len(found) {
	case 0:
		return nil, err
	case 1:
		return found[0], nil
	}
	return nil, problem(http.StatusConflict, "%d cases begin with %s: give more of the fingerprint", len(found), given)
}

func showCase(h *Handler, w http.ResponseWriter, r *http.Request, _ caller) error {
	rec, err := h.find(r, r.PathValue("fingerprint"))
	if err != nil {
		return err
	}
	return writeJSON(w, r, h.whole(rec))
}

func (h *Handler) item(r *docket.Record) Item {
	i := Item{
		Fingerprint: r.Fingerprint, Stage: r.Stage, Title: titleOf(r), Why: whyOf(r), Waiting: waits(r), Progress: r.Progress,
		Repository: r.Repository, Service: serviceOf(r), Severity: r.Incident.Severity, Alerts: r.Alerts, Attempt: r.Attempt,
		FirstAlert: r.FirstAlert, LastAlert: r.LastAlert, Resolved: r.Resolved, Updated: r.Updated, JoinedTo: r.JoinedTo, URL: h.pageOf(r),
	}
	if r.Pull != nil {
		i.Pull = r.Pull.URL
	}
	return i
}

func (h *Handler) whole(r *docket.Record) Case {
	return Case{Record: *r, Title: titleOf(r), Why: whyOf(r), Waiting: waits(r), Actions: actionsOf(r), URL: h.pageOf(r)}
}

func (h *Handler) pageOf(r *docket.Record) string { return h.url + "/cases/" + r.Fingerprint }

// eventData is the data of an event of the stream.
type eventData struct {
	Fingerprint string `json:"fingerprint"`
	Deleted     bool   `json:"deleted,omitempty"`
	Case        *Item  `json:"case,omitempty"`
}

func (h *Handler) event(r *docket.Record) []byte {
	e := eventData{Fingerprint: r.Fingerprint, Deleted: r.Stage == ""}
	if !e.Deleted {
		i := h.item(r)
		e.Case = &i
	}
	data, _ := json.Marshal(e) // of strings, numbers and times
	return data
}
