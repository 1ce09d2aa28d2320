package evaluate

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/localize"
)

func TestNotesMustFitTheMisses(t *testing.T) {
	notes, err := ReadNotes("# Misses\n\ntext\n\n- a service, file: the log says nothing\n- b decision: too little\n")
	if err != nil {
		t.Fatal(err)
	}
	if notes[Miss{"a", "file"}] != "the log says nothing" || len(notes) != 3 {
		t.Errorf("notes %v", notes)
	}
	all := []Miss{{"a", "service"}, {"a", "file"}, {"b", "decision"}}
	if err := notes.Check(all); err != nil {
		t.Error(err)
	}
	if err := notes.Check(all[:2]); err == nil || !strings.Contains(err.Error(), "not missed any more: b decision") {
		t.Errorf("error %v for a stale note", err)
	}
	if err := notes.Check(append(all, Miss{"c", "commit"})); err == nil || !strings.Contains(err.Error(), "not explained: c commit") {
		t.Errorf("error %v for a miss without a note", err)
	}
	for text, want := range map[string]string{
		"- nonsense":               "is no note",
		"- a colour: blue":         `"colour" is none of`,
		"- a file: x\n- a file: y": "a second note for a file",
	} {
		if _, err := ReadNotes(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func FuzzNotes(f *testing.F) {
	f.Add("- a service: b\n- c file, region: d")
	f.Add("- : : :")
	f.Fuzz(func(t *testing.T, text string) {
		notes, err := ReadNotes(text)
		if err != nil {
			return
		}
		for m, why := range notes {
			if m.Case == "" || m.What == "" || why == "" {
				t.Errorf("note %q of %+v", why, m)
			}
		}
	})
}

// The pages are the same from run to run, but for the one with times.
func TestPagesAreTheSameEveryTime(t *testing.T) {
	corpus := writeCorpus(t, map[string]any{"a": map[string]any{"kind": "code", "service": "x"}, "bb": map[string]any{"kind": "none"}}, "a", "bb")
	read := func(dir string) map[string]string {
		tool := madeTool(func(id string, _ localize.Options) localize.Result {
			if id == "a" {
				return naming("y", "x")
			}
			return localize.Result{Decision: localize.Abstain}
		})
		sections, reports, err := tool.Measure(context.Background(), []*Corpus{open(t, corpus)}, Wanted{Cases: true, Healthy: true, Ablation: true, Calibrate: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := Pages(dir, sections, reports, func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.Base(f)] = string(data)
		}
		return out
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, d := range dirs {
		if err := os.WriteFile(filepath.Join(d, "misses.md"), []byte("- a service: it comes second\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, two := read(dirs[0]), read(dirs[1])
	for _, name := range []string{"README.md", "made.md", "healthy.md", "ablation.md", "reliability.md", "costs.md"} {
		if one[name] == "" {
			t.Errorf("no page %s", name)
		}
		if one[name] != two[name] && name != "costs.md" {
			t.Errorf("%s differs between two runs:\n%s\n%s", name, one[name], two[name])
		}
	}
	if !strings.Contains(one["made.md"], "| a | service | it comes second |") {
		t.Errorf("the note is not in\n%s", one["made.md"])
	}
	empty := t.TempDir()
	sections := []Section{}
	tool := madeTool(func(string, localize.Options) localize.Result { return naming("y") })
	_, reports, err := tool.Measure(context.Background(), []*Corpus{open(t, corpus)}, Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Pages(empty, sections, reports, func(string) bool { return true }); err == nil || !strings.Contains(err.Error(), "not explained: a service") {
		t.Errorf("error %v without notes", err)
	}
}
