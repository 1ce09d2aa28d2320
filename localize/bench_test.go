package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

func benchmarkRank(b *testing.B, requests int) {
	cur, old := windows(requests, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		if i > requests/2 {
			l.self, l.fail = 50*ms, i%3 == 0
			l.logs = []string{"ERROR boom"}
		}
		n := chain(l)
		n.logs = []string{"INFO checkout done"}
		return n
	})
	spans := len(cur.Spans) + len(old.Spans)
	b.ReportAllocs()
	for b.Loop() {
		if r := Rank(incident.Incident{}, evidence(cur, old), Options{}); r.Decision != Act {
			b.Fatal(says(r))
		}
	}
	b.ReportMetric(float64(spans)*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}

func BenchmarkRank10k(b *testing.B)  { benchmarkRank(b, 1000) }
func BenchmarkRank100k(b *testing.B) { benchmarkRank(b, 10_000) }

func BenchmarkMiner(b *testing.B) {
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = "request " + time.Duration(i*7919).String() + " from 10.0.0." + string(rune('0'+i%10)) + " to user-" + string(rune('a'+i%26)) + "42 took 17 ms"
	}
	b.ReportAllocs()
	for b.Loop() {
		m := newMiner()
		for _, l := range lines {
			m.add("s", l)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
