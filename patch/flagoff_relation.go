package patch

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// flagRelation says what ties a flag to suspect i, "" if nothing does.
func flagRelation(in *Input, i int, t turnedFlag) string {
	if i < len(in.Locations) {
		for _, l := range in.Locations[i][:min(5, len(in.Locations[i]))] {
			src, _, err := ReadBase(in.Base, l.File)
			if err == nil && mentionsFlag(string(src), t.flag) {
				return fmt.Sprintf("%s, where the suspect's code is, reads it", safePath(l.File))
			}
		}
	}
	s := in.Suspects[i]
	if t.service != "" && t.service == s.Service {
		return "it belongs to the suspect's service"
	}
	for _, file := range serviceSources(in, s.Service) {
		if src, _, err := ReadBase(in.Base, file); err == nil && mentionsFlag(string(src), t.flag) {
			return fmt.Sprintf("%s, a file of the suspect's service, reads it", safePath(file))
		}
	}
	return ""
}

// mentionsFlag looks for the flag's name as a word of its own.
func mentionsFlag(src, flag string) bool {
	for at := 0; ; {
		k := strings.Index(src[at:], flag)
		if k < 0 {
			return false
		}
		k += at
		at = k + 1
		if (k == 0 || !nameByte(src[k-1])) && (k+len(flag) == len(src) || !nameByte(src[k+len(flag)])) {
			return true
		}
	}
}

func nameByte(c byte) bool { return c == '_' || c == '-' || isAlnum(c) }

// serviceSources lists the source files in a service's configured paths, at most 300.
func serviceSources(in *Input, service string) []string {
	paths := in.Services[service].Paths
	if len(paths) == 0 {
		return nil
	}
	var out []string
	seen := 0
	_ = fs.WalkDir(in.Base, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // an unreadable directory holds no evidence
		}
		if seen++; seen > 50_000 || len(out) >= 300 {
			return fs.SkipAll
		}
		if d.IsDir() {
			if n := d.Name(); n == ".git" || n == "node_modules" || n == "vendor" || n == ".venv" {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && KindOf(p) == SourceFile && slices.ContainsFunc(paths, func(g string) bool { return MatchGlob(g, p) }) {
			out = append(out, p)
		}
		return nil
	})
	return out
}

func suspectIndexes(in *Input) []int {
	out := make([]int, len(in.Suspects))
	for i := range out {
		out[i] = i
	}
	return out
}
