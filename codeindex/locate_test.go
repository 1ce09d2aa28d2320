package codeindex

import (
	"context"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// expectation is one line of a fixture: "locate" wants the place first, "also" anywhere.
type expectation struct {
	line  string
	query Query
	first bool
	file  string
	fn    string
	code  string // what the location's line holds
}

var (
	expectLine = regexp.MustCompile("^(locate|also) (.*) => (\\S+) (`[^`]*`|\\S+) \"(.*)\"$")
	pair       = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

func readFixture(t *testing.T, file string) (fs.FS, map[string]string, []expectation) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree, sources := fstest.MapFS{}, map[string]string{}
	for _, f := range archive.Files {
		tree[f.Name] = &fstest.MapFile{Data: f.Data}
		sources[f.Name] = string(f.Data)
	}
	var out []expectation
	for _, line := range strings.Split(string(archive.Comment), "\n") {
		m := expectLine.FindStringSubmatch(line)
		if m == nil {
			if strings.Contains(line, "=>") {
				t.Fatalf("%s: cannot read %q", file, line)
			}
			continue
		}
		e := expectation{line: line, first: m[1] == "locate", file: m[3], fn: strings.Trim(m[4], "`"), code: m[5]}
		for _, p := range pair.FindAllStringSubmatch(m[2], -1) {
			q := &e.query
			switch p[1] {
			case "span":
				q.Span = p[2]
			case "route":
				q.Route = p[2]
			case "method":
				q.Method = p[2]
			case "log":
				q.Log = p[2]
			case "statement":
				q.Statement = p[2]
			case "peer":
				q.Peer = p[2]
			case "file":
				q.File = p[2]
			case "line":
				q.Line, _ = strconv.Atoi(p[2])
			case "function":
				q.Function = p[2]
			case "namespace":
				q.Namespace = p[2]
			default:
				t.Fatalf("%s: no field %s", file, p[1])
			}
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		t.Fatalf("%s expects nothing", file)
	}
	return tree, sources, out
}

func (e expectation) fits(l Location, sources map[string]string) bool {
	lines := strings.Split(sources[l.File], "\n")
	return l.File == e.file && l.Function == e.fn && l.Line > 0 && l.Line <= len(lines) && strings.Contains(lines[l.Line-1], e.code)
}

func TestLeadsOfEveryFramework(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			tree, sources, expectations := readFixture(t, file)
			x, err := Build(context.Background(), tree, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if p := x.Problems(); len(p) > 0 {
				t.Fatalf("problems: %v", p)
			}
			for _, e := range expectations {
				got := x.Locate(WeightedQuery{Query: e.query})
				ok := false
				for i, l := range got {
					if e.fits(l, sources) && (i == 0 || !e.first) {
						ok = true
						if l.Reason == "" || l.Confidence <= 0 || l.Confidence > 1 || l.From > l.Line || l.To < l.Line {
							t.Errorf("%s\nincomplete: %+v", e.line, l)
						}
					}
				}
				if !ok {
					t.Errorf("%s\ngot %s", e.line, show(got))
				}
			}
		})
	}
}

func show(locations []Location) string {
	if len(locations) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i, l := range locations {
		if i == 4 {
			break
		}
		b.WriteString("\n  " + l.File + ":" + strconv.Itoa(l.Line) + " " + l.Function + " " + strconv.FormatFloat(l.Confidence, 'f', 2, 64) + " " + l.Reason)
	}
	return b.String()
}
