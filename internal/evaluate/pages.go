package evaluate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// made begins every page, so that nobody edits it by hand.
const made = "<!-- made by `make eval`; edit internal/evaluate or misses.md instead -->\n\n"

// notesFile is the hand-written page among the made ones.
const notesFile = "misses.md"

// Pages writes what was measured as Markdown pages into dir: one per corpus, one per section, the overview
// README.md, and costs.md with what differs from run to run. The notes on misses are read from misses.md; what does not
// fit there is an error, returned after everything was written.
func Pages(dir string, sections []Section, reports []*Report, noted func(corpus string) bool) error {
	var notes Notes
	text, err := os.ReadFile(filepath.Join(dir, notesFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if notes, err = ReadNotes(string(text)); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(dir, notesFile), err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	pages := map[string]*bytes.Buffer{}
	page := func(name, title string) *bytes.Buffer {
		b := pages[name]
		if b == nil {
			b = &bytes.Buffer{}
			b.WriteString(made)
			fmt.Fprintf(b, "# %s\n\n", title)
			pages[name] = b
		} else {
			b.WriteString("\n")
		}
		return b
	}
	overview := page("README.md", "Localization, measured")
	overview.WriteString("Ranks are strict: what ties takes the worst place. [localization.md](../localization.md) says what the figures mean.\n\n")
	Overview(overview, reports)
	overview.WriteString("\n")
	for _, s := range sections {
		name, title := s.Page+".md", strings.ToUpper(s.Page[:1])+s.Page[1:]
		if s.Varies {
			name, title = "costs.md", "Time and memory"
		}
		b := page(name, title)
		fmt.Fprintf(b, "## %s\n\n", s.Title)
		if s.About != "" {
			fmt.Fprintf(b, "%s\n\n", s.About)
		}
		s.Write(b, true)
		if !strings.Contains(overview.String(), "("+name+")") {
			fmt.Fprintf(overview, "- [%s](%s)\n", strings.TrimSuffix(name, ".md"), name)
		}
	}
	var misses []Miss
	for _, r := range reports {
		if !noted(r.Corpus) {
			continue
		}
		b := page(r.Corpus+".md", r.Corpus)
		b.WriteString("## Where it fails\n\n")
		r.MissTable(b, notes, true)
		misses = append(misses, r.Misses()...)
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if err := WriteWhole(filepath.Join(dir, name), pages[name].Bytes()); err != nil {
			return err
		}
	}
	return notes.Check(misses)
}

// WriteWhole puts a file in its place when all of it is written, so that whoever stops the program finds the old one or
// the new one.
func WriteWhole(name string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone by then if all went well
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// Overview prints the figures of all corpora side by side.
func Overview(b *bytes.Buffer, reports []*Report) {
	titles := []string{"corpus", "cases:"}
	list := figures()[:9]
	for _, f := range list {
		titles = append(titles, f.title+":")
	}
	t := newTable(titles...)
	for _, r := range reports {
		o := &Outcome{Metrics: map[string]Metrics{r.Corpus: r.Metrics}, Rows: map[string][]Row{r.Corpus: r.Rows}}
		cells := []string{r.Corpus, fmt.Sprint(r.Cases)}
		for _, f := range list {
			rate := f.of(o)
			if rate.Of == 0 {
				cells = append(cells, "")
				continue
			}
			cells = append(cells, fmt.Sprintf("%s, %s", rate, percentOf(rate)))
		}
		t.add(cells...)
	}
	t.write(b, true)
}
