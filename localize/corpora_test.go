package localize

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// corpora is the directory of public data sets beside the repository. Tests that measure on it
// are skipped where it is absent.
const corpora = "../../shared/corpora"

// groupingAccuracy is the share of lines whose group holds exactly the lines of their true
// group (Zhu et al., Tools and Benchmarks for Automated Log Parsing, ICSE-SEIP 2019).
func groupingAccuracy(got []int32, want []string) float64 {
	byGot, byWant := map[int32][]int{}, map[string][]int{}
	for i := range got {
		byGot[got[i]] = append(byGot[got[i]], i)
		byWant[want[i]] = append(byWant[want[i]], i)
	}
	right := 0
	for i := range got {
		if slices.Equal(byGot[got[i]], byWant[want[i]]) {
			right++
		}
	}
	return float64(right) / float64(len(got))
}

func TestGroupingAccuracyOnPublicLogs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpora, "*", "*.log_structured.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("SKIPPED: no parsed logs under %s, grouping accuracy not measured", corpora)
	}
	sum := 0.0
	for _, f := range files {
		in, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(in).ReadAll()
		in.Close()
		if err != nil {
			t.Fatal(err)
		}
		content, event := slices.Index(rows[0], "Content"), slices.Index(rows[0], "EventId")
		m := newMiner()
		var got []int32
		var want []string
		for _, r := range rows[1:] {
			got = append(got, m.add("", r[content]))
			want = append(want, r[event])
		}
		ga := groupingAccuracy(got, want)
		t.Logf("%-32s %.3f  %d templates, %d true", filepath.Base(f), ga, len(m.list), distinct(want))
		sum += ga
	}
	if mean := sum / float64(len(files)); mean < 0.90 {
		t.Errorf("mean grouping accuracy %.3f, want at least 0.90", mean)
	} else {
		t.Logf("mean %.3f", mean)
	}
}

func distinct(s []string) int {
	s = slices.Clone(s)
	slices.Sort(s)
	return len(slices.Compact(s))
}
