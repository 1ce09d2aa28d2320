package evaluate

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Templates groups log messages: equal numbers for messages of one template.
type Templates interface {
	Add(message string) int32
}

// Parsing is how well the messages of one system were grouped.
type Parsing struct {
	System    string  `json:"system"`
	Lines     int     `json:"lines"`
	Found     int     `json:"templates_found"`
	True      int     `json:"templates_true"`
	Accuracy  float64 `json:"grouping_accuracy"`
	Precision float64 `json:"template_precision"`
	Recall    float64 `json:"template_recall"`
	F1        float64 `json:"template_f1"`
}

// maxLogFile bounds a file of parsed logs.
const maxLogFile = 512 << 20

// Parse groups the messages of every system of a corpus of parsed logs, each with a miner of its own.
//
// Grouping accuracy is the share of lines whose group holds exactly the lines of their true group (Zhu et al.,
// Tools and Benchmarks for Automated Log Parsing, ICSE-SEIP 2019). Frequent templates rule it; the F1 of group
// accuracy counts each template once (Jiang et al., A Large-Scale Evaluation for Log Parsing Techniques: How Far
// Are We?, ISSTA 2024): precision over the groups found, recall over the true ones.
func (t *Tool) Parse(ctx context.Context, c *Corpus) ([]Parsing, error) {
	if c.Content != Logs {
		return nil, fmt.Errorf("%s holds %s, no parsed logs", c.Dir, c.Content)
	}
	var out []Parsing
	for _, system := range c.Cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		files, err := filepath.Glob(filepath.Join(c.Dir, system+"*.log_structured.csv"))
		if err != nil || len(files) != 1 {
			return nil, fmt.Errorf("%s: %d files of parsed logs of %s, want one", c.Dir, len(files), system)
		}
		content, event, err := readParsed(files[0])
		if err != nil {
			return nil, err
		}
		miner := t.Miner()
		got := make([]int32, len(content))
		for i, message := range content {
			got[i] = miner.Add(message)
		}
		p := grouping(got, event)
		p.System = system
		out = append(out, p)
	}
	return out, nil
}

// readParsed reads the columns Content and EventId.
func readParsed(name string) (content, event []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return parsedLogs(io.LimitReader(f, maxLogFile), name)
}

func parsedLogs(in io.Reader, name string) (content, event []string, err error) {
	r := csv.NewReader(in)
	head, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	text, id := slices.Index(head, "Content"), slices.Index(head, "EventId")
	if text < 0 || id < 0 {
		return nil, nil, fmt.Errorf("%s has no columns Content and EventId; loghub's parsed files have both", name)
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		content, event = append(content, row[text]), append(event, row[id])
	}
	if len(content) == 0 {
		return nil, nil, fmt.Errorf("%s holds no lines", name)
	}
	return content, event, nil
}

// grouping compares the groups that were found with the true ones.
func grouping(got []int32, want []string) Parsing {
	found, truth := map[int32][]int{}, map[string][]int{}
	for i := range got {
		found[got[i]] = append(found[got[i]], i)
		truth[want[i]] = append(truth[want[i]], i)
	}
	lines, groups := 0, 0
	for _, members := range found {
		if slices.Equal(members, truth[want[members[0]]]) {
			lines += len(members)
			groups++
		}
	}
	p := Parsing{Lines: len(got), Found: len(found), True: len(truth), Accuracy: float64(lines) / float64(len(got)),
		Precision: float64(groups) / float64(len(found)), Recall: float64(groups) / float64(len(truth))}
	if p.Precision+p.Recall > 0 {
		p.F1 = 2 * p.Precision * p.Recall / (p.Precision + p.Recall)
	}
	return p
}

// ParsingTable prints the systems and their mean.
func ParsingTable(w io.Writer, list []Parsing, markdown bool) {
	t := newTable("system", "lines:", "templates found:", "true:", "grouping accuracy:", "template precision:", "recall:", "F1:")
	row := func(name string, p Parsing, counts bool) {
		lines, found, truth := "", "", ""
		if counts {
			lines, found, truth = fmt.Sprint(p.Lines), fmt.Sprint(p.Found), fmt.Sprint(p.True)
		}
		t.add(name, lines, found, truth, fmt.Sprintf("%.3f", p.Accuracy), fmt.Sprintf("%.3f", p.Precision), fmt.Sprintf("%.3f", p.Recall), fmt.Sprintf("%.3f", p.F1))
	}
	var mean Parsing
	for _, p := range list {
		row(p.System, p, true)
		n := float64(len(list))
		mean.Accuracy += p.Accuracy / n
		mean.Precision += p.Precision / n
		mean.Recall += p.Recall / n
		mean.F1 += p.F1 / n
	}
	row("mean", mean, false)
	t.write(w, markdown)
}
