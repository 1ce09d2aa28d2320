package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

type diffLine struct{ Class, Text string }

type caseView struct {
	frame
	R          *docket.Record
	Item       Item
	Actions    []string
	Case       *remedy.Case // of the last finished run; nil without one
	Diff       []diffLine
	DiffCut    int // lines that are not shown
	Files      []string
	Report     string // URL
	Timeline   []docket.Event
	Lines      []string // what the alert says, "name: value"
	Unreadable []string
}

const (
	// maxCaseFile and maxDiffLines bound what one page shows; the files themselves are a link away.
	maxCaseFile  = 16 << 20
	maxDiffLines = 1500
)

func (h *Handler) casePage(w http.ResponseWriter, r *http.Request, who caller) error {
	given := r.PathValue("fingerprint")
	rec, err := h.find(r, given)
	if err != nil {
		return err
	}
	if rec.Fingerprint != given {
		http.Redirect(w, r, "/cases/"+rec.Fingerprint, http.StatusFound)
		return nil
	}
	v := caseView{R: rec, Item: h.item(rec), Actions: actionsOf(rec)}
	v.Timeline = slices.Clone(rec.History)
	slices.Reverse(v.Timeline)
	v.readFiles(h, r, rec)
	for _, name := range []string{"summary", "description", "message"} {
		if text := plain(rec.Incident.Annotations[name]); text != "" {
			v.Lines = append(v.Lines, text)
		}
	}
	v.frame = h.frame(w, r, who, v.Item.Title)
	v.Live = apiPrefix + "/events?case=" + rec.Fingerprint
	h.render(w, r, http.StatusOK, "case", v.Nonce, v)
	return nil
}

// readFiles takes from the case's files what the page shows. A file that is gone or damaged leaves a line
// on the page: whoever reads it has to decide all the same.
func (v *caseView) readFiles(h *Handler, r *http.Request, rec *docket.Record) {
	names, err := docket.CaseFiles(r.Context(), h.blobs, rec)
	if err != nil {
		h.log.ErrorContext(r.Context(), "the files of a case cannot be listed", "case", rec.Fingerprint, "error", err)
		v.Unreadable = append(v.Unreadable, "The files of this case cannot be read now; the service's log says why.")
		return
	}
	slices.Sort(names)
	v.Files = names
	if rec.Files != "" && len(names) == 0 {
		v.Unreadable = append(v.Unreadable, "The files of this case were erased, as configured.")
	}
	if slices.Contains(names, reportFile) {
		v.Report = artifactPath(rec, reportFile)
	}
	read := func(name string, use func([]byte) error) {
		if !slices.Contains(names, name) {
			return
		}
		data, err := h.file(r.Context(), rec, name)
		if err == nil {
			err = use(data)
		}
		if err != nil && !errors.Is(err, docket.ErrNotFound) {
			h.log.WarnContext(r.Context(), "a file of a case cannot be shown", "case", rec.Fingerprint, "file", name, "error", err)
			v.Unreadable = append(v.Unreadable, name+" cannot be shown here; open it from the list of files.")
		}
	}
	read(caseFile, func(data []byte) error {
		if len(data) > maxCaseFile {
			return errTooLarge
		}
		var c remedy.Case
		if err := json.Unmarshal(data, &c); err != nil {
			return err
		}
		v.Case = &c
		return nil
	})
	read(diffFile, func(data []byte) error {
		v.Diff, v.DiffCut = diffLines(string(data))
		return nil
	})
}

func diffLines(diff string) (out []diffLine, cut int) {
	for line := range strings.Lines(diff) {
		if len(out) == maxDiffLines {
			cut++
			continue
		}
		line = clip(block(strings.TrimRight(line, "\r\n")), 1000)
		class := "same"
		switch {
		case strings.HasPrefix(line, "diff --git"), strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "index "), strings.HasPrefix(line, "new file"), strings.HasPrefix(line, "deleted file"):
			class = "file"
		case strings.HasPrefix(line, "@@"):
			class = "hunk"
		case strings.HasPrefix(line, "+"):
			class = "add"
		case strings.HasPrefix(line, "-"):
			class = "del"
		}
		out = append(out, diffLine{class, line})
	}
	return out, cut
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func percent(ratio float64) string {
	switch {
	case ratio == 0:
		return "0 %"
	case ratio < 0.001:
		return "below 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*ratio)
}

func score(f float64) string { return fmt.Sprintf("%.2f", f) }

// stageWord is a stage as a reader without the documentation understands it.
func stageWord(r *docket.Record) string {
	switch {
	case r.Stage == docket.Held && !waits(r):
		return "paused"
	case r.Stage == docket.Held:
		return "waits for you"
	case r.Stage == docket.Running && r.Progress != "":
		return "running · " + plain(r.Progress)
	case r.Stage == docket.Proposed && r.Pull != nil && r.Pull.Draft:
		return "proposed as draft"
	case r.Stage == docket.Declined:
		return "no proposal"
	}
	return string(r.Stage)
}

// tone is the colour of a stage.
func tone(r *docket.Record) string {
	switch {
	case waits(r):
		return "warn"
	case r.Stage == docket.Failed:
		return "bad"
	case r.Stage == docket.Merged, r.Stage == docket.Proposed:
		return "good"
	case r.Stage.Ended():
		return "soft"
	}
	return "accent"
}

func place(s remedy.Suspect) string {
	if s.File == "" {
		return "not found in the code"
	}
	return plain(strings.TrimSpace(fmt.Sprintf("%s:%d %s", s.File, s.Line, s.Function)))
}

func suspectName(s remedy.Suspect) string {
	who := name(s.Service + " " + s.Operation)
	if s.Peer != "" && s.Peer != s.Service {
		who += " → " + name(s.Peer)
	}
	return who
}

func symptomText(s localize.Symptom) string {
	where := or(name(s.Service+" "+s.Operation), "the service")
	switch s.Kind {
	case localize.SymptomErrors:
		return fmt.Sprintf("%s: %s of requests failed, %s in the healthy window.", where, percent(s.Errors.Incident), percent(s.Errors.Baseline))
	case localize.SymptomLatency:
		return fmt.Sprintf("%s: the 95th percentile took %s, %s in the healthy window.", where, seconds(s.P95.Incident), seconds(s.P95.Baseline))
	case localize.SymptomUnknown:
		return "Not known: no telemetry of the incident was received."
	}
	return where + ": neither errors nor latency differ from the healthy window."
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

var rungWords = map[patch.Rung]string{
	patch.FlagOff: "turn a flag off", patch.Revert: "revert the culprit", patch.Config: "change a value", patch.Code: "flagged code change",
}

func rungWord(r patch.Rung) string { return or(rungWords[r], plain(string(r))) }

var outcomeWords = map[remedy.Outcome]string{
	remedy.Chosen: "taken", remedy.Rejected: "rejected", remedy.NotTried: "not tried", remedy.LeftOut: "left",
}

func outcomeWord(o remedy.Outcome) string { return or(outcomeWords[o], plain(string(o))) }
