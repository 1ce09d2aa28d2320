package codeindex

import (
	"path"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// resolve replaces references to constants of other files by their texts, and what cannot be
// resolved by a hole.
func (x *Index) resolve(entry int, template string) string {
	for depth := 0; depth < 4; depth++ {
		open := strings.IndexByte(template, facts.RefOpen[0])
		if open < 0 {
			return template
		}
		var b strings.Builder
		for open >= 0 {
			end := strings.IndexByte(template[open:], facts.RefClose[0])
			if end < 0 {
				break
			}
			end += open
			b.WriteString(template[:open])
			text, ok := x.constant(entry, template[open+1:end])
			if !ok || depth == 3 || b.Len()+len(text) > 8192 {
				text = facts.Hole
			}
			b.WriteString(text)
			template = template[end+1:]
			open = strings.IndexByte(template, facts.RefOpen[0])
		}
		b.WriteString(template)
		template = b.String()
		// What a constant itself refers to belongs to another file; one step is enough there.
	}
	return template
}

// constant finds the text of a constant as a file refers to it.
func (x *Index) constant(entry int, name string) (string, bool) {
	short := lastName(name)
	qualifier := owner(name)
	if short == "" || len(short) < 2 {
		return "", false
	}
	from := x.entries[entry]
	ff := from.facts()
	best, bestScore := "", 0
	for _, i := range x.mentioning(short) {
		e := x.entries[i]
		f := e.facts()
		if f.Language != ff.Language && !(script(f.Language) && script(ff.Language)) {
			continue
		}
		for _, c := range f.Consts {
			if lastName(c.Name) != short {
				continue
			}
			score := 0
			switch {
			case i == entry && (c.Name == name || lastName(owner(c.Name)) == lastName(qualifier)):
				score = 10
			case qualifier == "" && ff.Language == "go" && path.Dir(e.path) == path.Dir(from.path):
				score = 8
			case qualifier == "" && imports(ff, e.path, f, short):
				score = 7
			case qualifier != "" && c.Name == name:
				score = 6
			case qualifier != "" && imports(ff, e.path, f, qualifier):
				score = 6
			case qualifier != "" && lastName(owner(c.Name)) == lastName(qualifier):
				score = 5
			case qualifier != "" && f.Package == qualifier:
				score = 4
			}
			if score > bestScore {
				best, bestScore = c.Value, score
			}
		}
	}
	return best, bestScore > 0
}

func script(language string) bool { return language == "javascript" || language == "typescript" }

// imports says whether a file imports, under the local name, the file at the path.
func imports(f *facts.File, target string, tf *facts.File, local string) bool {
	stem := strings.TrimSuffix(target, path.Ext(target))
	for _, i := range f.Imports {
		name := i.Name
		if name == "" {
			name = path.Base(strings.ReplaceAll(i.Path, ".", "/"))
			if f.Language == "go" {
				name = goImportName(i.Path)
			}
		}
		if name != local && !(i.Name == "" && i.Path == local) {
			continue
		}
		if importsPath(f.Language, i, stem, target, tf) {
			return true
		}
	}
	return false
}

// importsPath says whether an import's path may mean the file with that stem. Paths are compared
// by their ends, since module and source roots are not known.
func importsPath(language string, i facts.Import, stem, target string, tf *facts.File) bool {
	switch language {
	case "go":
		dir := path.Dir(target)
		return dir != "." && (strings.HasSuffix("/"+i.Path, "/"+dir) || sharedTail(i.Path, dir) >= 1)
	case "python":
		p := strings.ReplaceAll(strings.TrimLeft(i.Path, "."), ".", "/")
		stem = strings.TrimSuffix(stem, "/__init__")
		full := strings.TrimPrefix(p+"/"+i.Item, "/")
		return p != "" && strings.HasSuffix("/"+stem, "/"+p) || i.Item != "" && strings.HasSuffix("/"+stem, "/"+full)
	case "java":
		return strings.HasSuffix(stem, strings.ReplaceAll(i.Path, ".", "/")) || strings.HasPrefix(i.Path, tf.Package+".")
	}
	p := path.Clean(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(i.Path, ".js"), ".ts"), "/index"))
	for strings.HasPrefix(p, "../") {
		p = p[3:]
	}
	p = strings.TrimPrefix(p, "@/")
	return p != "" && p != "." && p != ".." && strings.HasSuffix("/"+strings.TrimSuffix(stem, "/index"), "/"+p)
}

// goImportName is the package name that a Go import path suggests.
func goImportName(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	return strings.TrimPrefix(base, "go-")
}

// sharedTail counts the path elements that two paths share at their ends.
func sharedTail(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(as) && n < len(bs) && as[len(as)-1-n] == bs[len(bs)-1-n] {
		n++
	}
	return n
}
