package evaluate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/remediator/remediator/localize"
)

// Prediction is the answer for one case. Case to Decision are what any scorer reads, one JSON object per
// line; the rest is of this package.
type Prediction struct {
	Case     string  `json:"case"`
	Services []Entry `json:"services"`
	Files    []Entry `json:"files"`
	Commit   string  `json:"commit"` // hash, or "none"
	Decision string  `json:"decision"`

	Peer       string         `json:"peer,omitempty"`   // the dependency that the first suspect calls
	Places     []Place        `json:"places,omitempty"` // places in code, best first
	Cause      localize.Cause `json:"cause,omitempty"`
	Confidence float64        `json:"confidence,omitempty"`
}

// Place is a place in the code with the rank it has, ties counted as the worst.
type Place struct {
	Name     string `json:"name"` // file or class
	Line     int    `json:"line"`
	Function string `json:"function,omitempty"`
	Rank     int    `json:"rank"`
}

// maxFiles bounds the files and places of a prediction.
const maxFiles = 30

// Predict reads an answer from a result. Which files it names follows from what the result says, in
// this order:
//
//  1. Where a change is blamed, its files, since one of them would be edited or taken back: those that a
//     lead of a suspect names first, then by the number of changed lines, most first.
//  2. The files, or the classes where no file is known, that the leads of each suspect name: stack frames, code
//     places of spans and log records, loggers; by suspect, then by the lead's weight. The instrumentation scope
//     of a span is no lead: it mostly names a library.
//
// What the result cannot tell apart (leads of one suspect with equal weights, files with as many changed lines)
// ties.
func Predict(id string, res *localize.Result, changes []localize.Change) Prediction {
	p := Prediction{Case: id, Services: []Entry{}, Files: []Entry{}, Commit: "none", Decision: string(res.Decision), Cause: res.Cause, Confidence: res.Confidence}
	seen := map[string]bool{}
	for i := range res.Suspects {
		s := &res.Suspects[i]
		if seen[s.Service] {
			continue
		}
		seen[s.Service] = true
		score := s.Score
		p.Services = append(p.Services, Entry{Names: []string{s.Service}, Score: &score})
	}
	if len(res.Suspects) > 0 {
		p.Peer = res.Suspects[0].Peer
	}
	leads := leadsOf(res.Suspects)
	if len(res.Changes) > 0 {
		p.Commit = res.Changes[0].SHA
		p.Files = changedFiles(p.Commit, changes, leads)
	}
	rank := 0
	for _, group := range leads {
		var names []string
		rank += len(group)
		for _, h := range group {
			names = append(names, h.Name)
			if h.Line > 0 && len(p.Places) < maxFiles {
				h.Rank = rank
				p.Places = append(p.Places, h)
			}
		}
		if len(p.Files) < maxFiles {
			p.Files = append(p.Files, Entry{Names: names})
		}
	}
	rerank(p.Places)
	return p
}

// rerank counts ranks among places with a line only; members of a tie share the worst.
func rerank(places []Place) {
	for i := 0; i < len(places); {
		j := i
		for j < len(places) && places[j].Rank == places[i].Rank {
			j++
		}
		for k := i; k < j; k++ {
			places[k].Rank = j
		}
		i = j
	}
}

// leadsOf lists what the suspects' leads name, in groups that tie.
func leadsOf(suspects []localize.Suspect) [][]Place {
	var out [][]Place
	for i := range suspects {
		last := -1.0
		for _, h := range suspects[i].Hints {
			if h.Kind != localize.HintFrame && h.Kind != localize.HintCode && h.Kind != localize.HintLog {
				continue
			}
			name := h.File
			if name == "" || h.Namespace != "" && !strings.Contains(name, "/") {
				name = cmp.Or(h.Namespace, h.File) // a class with its package says more than a bare file name
			}
			if name == "" {
				continue
			}
			place := Place{Name: name, Line: h.Line, Function: h.Function}
			if h.Weight == last {
				out[len(out)-1] = append(out[len(out)-1], place)
			} else {
				out = append(out, []Place{place})
			}
			last = h.Weight
		}
	}
	return out
}

// changedFiles ranks the files of the blamed change.
func changedFiles(sha string, changes []localize.Change, leads [][]Place) []Entry {
	at := slices.IndexFunc(changes, func(c localize.Change) bool { return c.SHA == sha })
	if at < 0 {
		return []Entry{}
	}
	type weighed struct {
		path string
		lead int // place among the leads
		size int
	}
	var files []weighed
	for _, f := range changes[at].Files {
		w := weighed{path: f.Path, lead: len(leads), size: changedLines(f.Patch)}
		for n := len(leads) - 1; n >= 0; n-- {
			if slices.ContainsFunc(leads[n], func(p Place) bool { return sameFile(p.Name, f.Path) }) {
				w.lead = n
			}
		}
		files = append(files, w)
	}
	order := func(a, b weighed) int { return cmp.Or(cmp.Compare(a.lead, b.lead), cmp.Compare(b.size, a.size)) }
	slices.SortStableFunc(files, order)
	out := []Entry{}
	for i, f := range files {
		if i > 0 && order(files[i-1], f) == 0 {
			out[len(out)-1].Names = append(out[len(out)-1].Names, f.path)
			continue
		}
		out = append(out, Entry{Names: []string{f.path}})
	}
	return out
}

func changedLines(patch string) int {
	n := 0
	for line := range strings.Lines(patch) {
		if line[0] == '+' || line[0] == '-' {
			n++
		}
	}
	return n
}

// WritePredictions writes one object per line.
func WritePredictions(w io.Writer, predictions []Prediction) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range predictions {
		if err := enc.Encode(&predictions[i]); err != nil {
			return fmt.Errorf("write predictions: %w", err)
		}
	}
	return nil
}

// regionRank is the rank of the first place within the labelled region; 0 when none is. A place is within it
// when its file or class is the labelled one and its line lies between both ends, these included.
// Where the region starts with its method, whose first line the label does not say, a place counts when its
// function is named in the region and its line is not beyond the end, or when it is the end itself.
func regionRank(places []Place, t *Truth) int {
	for _, p := range places {
		if !slices.ContainsFunc(t.wanted(), func(w string) bool { return sameFile(p.Name, w) }) {
			continue
		}
		from, to := t.Lines[0], t.Lines[1]
		in := p.Line >= from && p.Line <= to
		if from == 0 {
			in = p.Line == to || p.Line < to && p.Function != "" && strings.Contains(t.Region, baseName(p.Function))
		}
		if in {
			return p.Rank
		}
	}
	return 0
}

// baseName is a function without its package, type or receiver.
func baseName(function string) string {
	return function[strings.LastIndexAny(function, ".:/#$")+1:]
}
