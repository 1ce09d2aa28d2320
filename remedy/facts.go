package remedy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/policy"
)

// facts describes a patch to the policy. Sizes, statuses and modes come from the diff
// itself, the same text that a reviewer sees; the rest from the draft.
func (r *run) facts(p *patch.Patch, service string) (policy.Facts, error) {
	f, err := policy.FactsFromDiff(p.Diff)
	if err != nil {
		return policy.Facts{}, err
	}
	f.Rung, f.Recipe, f.Service = string(p.Option.Rung), p.Option.Recipe, service
	f.Severity = string(r.c.Incident.Severity)
	f.Paths = r.Settings.Services[service].Paths
	f.Tests, f.Telemetry = len(p.Tests), p.Telemetry
	f.Confidence = r.result.Suspects[p.Option.Suspect].Confidence
	if p.Flag != nil {
		f.Flag = &policy.Flag{Name: p.Flag.Name, Provider: p.Flag.Provider}
	}
	kinds := map[string]patch.FileKind{}
	for _, e := range p.Files {
		kinds[e.Path] = e.Kind
		if e.Kind != patch.SourceFile {
			continue
		}
		changes, err := codeindex.DiffAPI(e.Path, e.Old, e.New)
		if err != nil {
			return policy.Facts{}, fmt.Errorf("reading the public interface of %s: %w", e.Path, err)
		}
		for _, c := range changes {
			f.API = append(f.API, policy.APIChange{Path: e.Path, Symbol: c.Symbol, Change: c.Change})
		}
	}
	for i := range f.Files {
		f.Files[i].Kind = string(kinds[f.Files[i].Path])
	}
	return f, nil
}

// counts are the lines a diff adds and deletes.
func counts(diff string) (added, deleted int) {
	inHunk := false
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "diff --git "):
			inHunk = false
		case strings.HasPrefix(line, "@@ "):
			inHunk = true
		case inHunk && line[0] == '+':
			added++
		case inHunk && line[0] == '-':
			deleted++
		}
	}
	return added, deleted
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
