package benchmark

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/remediator/remediator/localize"
)

// drain3Program is run by the interpreter that has Drain3.
//
//go:embed drain3_peer.py
var drain3Program []byte

// Peer is one miner of log templates on the lines of this run.
type Peer struct {
	Name      string  `json:"name"`
	Lines     int     `json:"lines"`
	Seconds   Figure  `json:"seconds"`
	Templates int     `json:"templates"`
	Accuracy  float64 `json:"grouping_accuracy"` // share of lines whose group is exactly their statement's
	Ratio     float64 `json:"ratio,omitempty"`   // how many times as fast this tool was
}

// PerSecond is lines a second of the median run.
func (p *Peer) PerSecond() float64 { return float64(p.Lines) / max(p.Seconds.Median, 1e-12) }

// lines measures the miner of templates, and Drain3 on the same lines.
func (b *bench) lines() error {
	lines, statement := Lines(b.opt.Lines)
	var groups []int
	var templates int
	m, err := b.measure("log lines to templates", "line", len(lines), func() {
		groups, templates = mine(lines)
	})
	if err := b.add(m, err); err != nil {
		return err
	}
	b.out.Peers = append(b.out.Peers, Peer{Name: "remediator", Lines: len(lines), Seconds: m.Seconds, Templates: templates, Accuracy: groupingAccuracy(groups, statement)})
	if b.opt.Drain3 == "" {
		return nil
	}
	peers, err := drain3(b.ctx, b.opt.Drain3, lines, func(format string, args ...any) { b.say(format, args...) })
	if err != nil {
		return err
	}
	for _, p := range peers {
		b.out.Peers = append(b.out.Peers, Peer{Name: p.Name, Lines: len(lines), Seconds: figure(p.Seconds), Templates: p.Templates,
			Accuracy: groupingAccuracy(p.Groups, statement), Ratio: figure(p.Seconds).Median / m.Seconds.Median})
	}
	return nil
}

func mine(lines []string) (groups []int, templates int) {
	t := localize.NewTemplates()
	groups = make([]int, len(lines))
	for i, l := range lines {
		groups[i] = int(t.Add(l))
		templates = max(templates, groups[i]+1)
	}
	return groups, templates
}

// peerRun is what drain3_peer.py prints.
type peerRun struct {
	Name      string    `json:"name"`
	Seconds   []float64 `json:"seconds"`
	Templates int       `json:"templates"`
	Groups    []int     `json:"groups"`
}

// drain3 runs Drain3 on the lines.
func drain3(ctx context.Context, python string, lines []string, say func(string, ...any)) ([]peerRun, error) {
	dir, err := os.MkdirTemp("", "remediator-bench-")
	if err != nil {
		return nil, fmt.Errorf("directory for log lines: %w", err)
	}
	defer os.RemoveAll(dir)
	program, input := filepath.Join(dir, "drain3_peer.py"), filepath.Join(dir, "lines.txt")
	if err := os.WriteFile(program, drain3Program, 0o600); err != nil {
		return nil, fmt.Errorf("write the program for Drain3: %w", err)
	}
	if err := os.WriteFile(input, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return nil, fmt.Errorf("write log lines: %w", err)
	}
	say("the same %d lines by Drain3", len(lines))
	cmd := exec.CommandContext(ctx, python, program, input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(stderr.String())
		return nil, fmt.Errorf("%s could not run Drain3: %w: %s; internal/benchmark/install-drain3 makes an environment that can", python, err, text[max(0, len(text)-400):])
	}
	var out []peerRun
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		return nil, fmt.Errorf("read what Drain3 found: %w", err)
	}
	for _, p := range out {
		if len(p.Groups) != len(lines) || len(p.Seconds) == 0 {
			return nil, fmt.Errorf("%s grouped %d of %d lines; see drain3_peer.py", p.Name, len(p.Groups), len(lines))
		}
	}
	return out, nil
}

// groupingAccuracy is the share of lines whose group holds exactly the lines of their true
// group (Zhu et al., Tools and Benchmarks for Automated Log Parsing, ICSE-SEIP 2019).
func groupingAccuracy(got, want []int) float64 {
	type pair struct{ got, want int }
	both, byGot, byWant := map[pair]int{}, map[int]int{}, map[int]int{}
	for i := range got {
		both[pair{got[i], want[i]}]++
		byGot[got[i]]++
		byWant[want[i]]++
	}
	right := 0
	for p, n := range both {
		if n == byGot[p.got] && n == byWant[p.want] {
			right += n
		}
	}
	return float64(right) / float64(max(len(got), 1))
}
