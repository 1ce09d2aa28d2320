package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy/docket"
)

// group is one section of the overview.
type group struct {
	ID, Title string
	Cases     []*docket.Record
	More      int
	All       string // URL of the whole group
}

// count leads to a group.
type count struct {
	Title, URL string
	N          int
}

type overviewView struct {
	frame
	Headline string
	Waiting  int
	Breaker  Breaker
	Letters  []docket.DeadLetter
	Groups   []group
	Counts   []count
	Empty    bool // there is no case at all

	// Of a filtered or further page.
	Flat       bool
	Total      int
	Next       string
	Stage      string
	Service    string
	Repository string
	Stages     []string
	Unreadable []string // what could not be shown, and why
}

// groupSize is how long a group of the overview gets; the rest is a link away.
const groupSize = 20

func (h *Handler) overview(w http.ResponseWriter, r *http.Request, who caller) error {
	q := r.URL.Query()
	f, err := parseFilter(q)
	if err != nil {
		return err
	}
	v := overviewView{Stage: q.Get("stage"), Service: f.service, Repository: f.repository, Stages: stageNames(q.Get("stage"))}
	v.Flat = v.Stage != "" || f.service != "" || f.repository != "" || q.Get("cursor") != ""
	all, err := h.records(r, filter{})
	if err != nil {
		return err
	}
	v.Empty = len(all) == 0
	for _, rec := range all {
		if waits(rec) {
			v.Waiting++
		}
	}
	v.Headline = headline(v.Waiting, v.Empty)
	if v.Breaker, err = h.breakerState(r.Context()); err != nil {
		h.log.ErrorContext(r.Context(), "the breaker cannot be read", "error", err)
		v.Unreadable = append(v.Unreadable, "Whether the breaker is open cannot be told now; the service's log says why.")
	}
	if v.Letters, err = h.letters.DeadLetters(r.Context()); err != nil {
		h.log.ErrorContext(r.Context(), "dead letters cannot be read", "error", err)
		v.Unreadable = append(v.Unreadable, "Dead letters cannot be read now; the service's log says why.")
	}
	if v.Flat {
		all = slices.DeleteFunc(all, func(rec *docket.Record) bool { return !f.admits(rec) })
		page, err := after(all, q.Get("cursor"))
		if err != nil {
			return err
		}
		v.Total = len(all)
		if len(page) > defaultLimit {
			page = page[:defaultLimit]
			q.Set("cursor", cursorOf(page[len(page)-1]))
			v.Next = "/?" + q.Encode()
		}
		v.Groups = []group{{ID: "found", Title: "Cases", Cases: page}}
	} else {
		v.Groups = groups(all)
		for _, g := range v.Groups {
			v.Counts = append(v.Counts, count{g.Title, "#g-" + g.ID, len(g.Cases) + g.More})
		}
	}
	v.frame = h.frame(w, r, who, v.Headline)
	v.Live = apiPrefix + "/events"
	h.render(w, r, http.StatusOK, "overview", v.Nonce, v)
	return nil
}

func headline(waiting int, empty bool) string {
	switch {
	case empty:
		return "No cases yet"
	case waiting == 0:
		return "Nothing waits for a person"
	case waiting == 1:
		return "1 case waits for a person"
	}
	return plural(waiting, "case") + " wait for a person"
}

// stageNames are what the filter offers: every stage, and the combination in use.
func stageNames(used string) []string {
	var names []string
	for _, s := range stages {
		names = append(names, string(s))
	}
	if used != "" && !slices.Contains(names, used) {
		names = append(names, used)
	}
	return names
}

// groups sorts cases by what a reader has to do about them.
func groups(all []*docket.Record) []group {
	out := []group{
		{ID: "waiting", Title: "Waits for a person", All: stageQuery(docket.Held)},
		{ID: "under-way", Title: "Under way", All: stageQuery(docket.Queued, docket.Running, docket.Writing, docket.Held)},
		{ID: "proposed", Title: "Proposed", All: stageQuery(docket.Proposed)},
		{ID: "failed", Title: "Failed", All: stageQuery(docket.Failed)},
		{ID: "ended", Title: "Ended", All: stageQuery(docket.Merged, docket.Refused, docket.Declined, docket.Joined)},
	}
	// What is most urgent is decided on first; everything else stays newest first.
	var waiting, rest []*docket.Record
	for _, rec := range all {
		if waits(rec) {
			waiting = append(waiting, rec)
		} else {
			rest = append(rest, rec)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *docket.Record) int { return urgency(a) - urgency(b) })
	for _, rec := range append(waiting, rest...) {
		at := 4
		switch {
		case waits(rec):
			at = 0
		case rec.Stage == docket.Proposed:
			at = 2
		case rec.Stage == docket.Failed:
			at = 3
		case !rec.Stage.Ended():
			at = 1
		}
		if len(out[at].Cases) < groupSize {
			out[at].Cases = append(out[at].Cases, rec)
		} else {
			out[at].More++
		}
	}
	return slices.DeleteFunc(out, func(g group) bool { return len(g.Cases) == 0 })
}

// urgency orders severities, the most urgent first.
func urgency(r *docket.Record) int {
	return -slices.Index([]incident.Severity{incident.Unknown, incident.Minor, incident.Major, incident.Critical}, r.Incident.Severity)
}

func stageQuery(of ...docket.Stage) string {
	names := make([]string, len(of))
	for i, s := range of {
		names[i] = string(s)
	}
	return "/?" + url.Values{"stage": {strings.Join(names, ",")}}.Encode()
}
