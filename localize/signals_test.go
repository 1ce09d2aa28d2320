package localize

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// row is a signal as docs/signals.md shows it.
func (s Signal) row(weight float64) string {
	source := s.Source
	if source == "" {
		source = "none; its contribution is measured"
	}
	return fmt.Sprintf("| `%s` | %s | %s | `%s` = %.4g |", s.Name, s.Asks, source, s.Weight, weight)
}

// The table of the documentation is the code's own.
func TestTheDocumentationListsEverySignal(t *testing.T) {
	text, err := os.ReadFile("../docs/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string]float64{}
	for _, c := range Constants() {
		weights[c.Name] = c.Value
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			rows++
		}
	}
	for _, s := range Signals() {
		if row := s.row(weights[s.Weight]); !strings.Contains(string(text), row+"\n") {
			t.Errorf("docs/signals.md lacks\n%s", row)
		}
	}
	if n := len(Signals()); rows != n {
		t.Errorf("docs/signals.md has %d rows for %d signals", rows, n)
	}
}
