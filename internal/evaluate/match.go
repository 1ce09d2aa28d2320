package evaluate

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Entry is one place of a ranking: a name, several names that tie, or a name with a score, where
// neighbours with equal scores tie.
type Entry struct {
	Names []string
	Score *float64
}

// MarshalJSON writes the shortest of the three forms.
func (e Entry) MarshalJSON() ([]byte, error) {
	switch {
	case e.Score != nil && len(e.Names) == 1:
		return json.Marshal(struct {
			Name  string  `json:"name"`
			Score float64 `json:"score"`
		}{e.Names[0], *e.Score})
	case len(e.Names) == 1:
		return json.Marshal(e.Names[0])
	}
	return json.Marshal(e.Names)
}

// UnmarshalJSON reads any of the three forms.
func (e *Entry) UnmarshalJSON(data []byte) error {
	*e = Entry{}
	var name string
	if json.Unmarshal(data, &name) == nil {
		e.Names = []string{name}
		return nil
	}
	if json.Unmarshal(data, &e.Names) == nil {
		return nil
	}
	var scored struct {
		Name  *string  `json:"name"`
		Score *float64 `json:"score"`
	}
	if err := json.Unmarshal(data, &scored); err != nil || scored.Name == nil {
		return fmt.Errorf("%.60s is neither a name, nor a list of names, nor an object with a name", data)
	}
	e.Names, e.Score = []string{*scored.Name}, scored.Score
	return nil
}

// groups are the places of a ranking, each with the names that share it. A name counts where it
// comes first.
func groups(entries []Entry) [][]string {
	var raw [][]string
	var last *float64
	for _, e := range entries {
		if e.Score != nil && last != nil && *e.Score == *last {
			raw[len(raw)-1] = append(raw[len(raw)-1], e.Names...)
		} else {
			raw = append(raw, slices.Clone(e.Names))
		}
		last = e.Score
	}
	seen := map[string]bool{}
	var out [][]string
	for _, g := range raw {
		var fresh []string
		for _, name := range g {
			if !seen[name] {
				seen[name] = true
				fresh = append(fresh, name)
			}
		}
		if len(fresh) > 0 {
			out = append(out, fresh)
		}
	}
	return out
}

// strictRank is the worst place, from 1, of the first group that holds a match; 0 when none does.
func strictRank(entries []Entry, matches func(string) bool) int {
	place := 0
	for _, g := range groups(entries) {
		place += len(g)
		if slices.ContainsFunc(g, matches) {
			return place
		}
	}
	return 0
}

var (
	lineSuffix = regexp.MustCompile(`[:#](L?[0-9]+)(-L?[0-9]+)?$`)
	hexOnly    = regexp.MustCompile(`^[0-9a-f]+$`)
)

// codeEndings tell a file name from the name of a class.
var codeEndings = strings.Fields(`go java py ts tsx js jsx rb rs c cc cpp h hpp cs kt scala php yaml yml json toml sql proto mod sum
	css html md xml properties sh tf`)

// splitName cuts a path or a dotted class into its parts and the ending of a file.
func splitName(name string) (parts []string, ending string) {
	name = lineSuffix.ReplaceAllString(strings.TrimSpace(name), "")
	for _, p := range strings.Split(strings.ReplaceAll(name, `\`, "/"), "/") {
		if p != "" && p != "." {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return nil, ""
	}
	last := parts[len(parts)-1]
	if strings.Contains(strings.TrimLeft(last, "."), ".") {
		at := strings.LastIndexByte(last, '.')
		if e := strings.ToLower(last[at+1:]); slices.Contains(codeEndings, e) {
			return append(parts[:len(parts)-1:len(parts)-1], last[:at]), e
		}
		if len(parts) == 1 {
			return strings.Split(last, "."), ""
		}
	}
	return parts, ""
}

// sameFile says that the shorter of two paths ends the longer one. A bare file name is enough only where
// the label is bare too, or one of both is a class.
func sameFile(predicted, truth string) bool {
	p, pEnd := splitName(predicted)
	t, tEnd := splitName(truth)
	if len(p) == 0 || len(t) == 0 || p[len(p)-1] != t[len(t)-1] {
		return false
	}
	if pEnd != "" && tEnd != "" && pEnd != tEnd {
		return false
	}
	if len(t) == 1 || pEnd == "" || tEnd == "" {
		return true
	}
	if len(p) == 1 {
		return false
	}
	n := min(len(p), len(t))
	return slices.Equal(p[len(p)-n:], t[len(t)-n:])
}

// sameCommit accepts a shortened hash of seven digits or more.
func sameCommit(predicted, truth string) bool {
	p, t := strings.ToLower(strings.TrimSpace(predicted)), strings.ToLower(strings.TrimSpace(truth))
	return p != "" && (p == t || len(p) >= 7 && hexOnly.MatchString(p) && strings.HasPrefix(t, p))
}
