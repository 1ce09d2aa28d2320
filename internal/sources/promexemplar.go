package sources

import (
	"context"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// exemplars collects traces that samples of histograms point to, those of the largest values first.
func (f *promFetch) exemplars(ctx context.Context) {
	var names []string
	for name := range f.done {
		if strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_total") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return
	}
	type pointer struct {
		id    string
		value float64
	}
	var all []pointer
	for chunk := range slices.Chunk(names, batchNames) {
		found, err := f.p.api.QueryExemplars(ctx, f.p.named(chunk), f.q.Window.From, f.q.Window.To)
		if err != nil {
			f.partial("exemplars: %v", f.p.said(err))
			break
		}
		for _, series := range found {
			for _, e := range series.Exemplars {
				for _, label := range []model.LabelName{"trace_id", "traceID", "traceId", "TraceID"} {
					if id := string(e.Labels[label]); traceID(id) {
						all = append(all, pointer{strings.ToLower(id), float64(e.Value)})
						break
					}
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b pointer) int {
		switch {
		case a.value > b.value:
			return -1
		case a.value < b.value:
			return 1
		}
		return strings.Compare(a.id, b.id)
	})
	for _, e := range all {
		if len(f.report.TraceIDs) >= f.p.o.TraceIDs {
			break
		}
		if !slices.Contains(f.report.TraceIDs, e.id) {
			f.report.TraceIDs = append(f.report.TraceIDs, e.id)
		}
	}
}

// traceID says whether text is an id of a trace in hex, 64 or 128 bits.
func traceID(s string) bool {
	if len(s) != 32 && len(s) != 16 {
		return false
	}
	zero := true
	for i := range len(s) {
		c := s[i] | 0x20
		if !(s[i] >= '0' && s[i] <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
		zero = zero && c == '0'|0x20
	}
	return !zero
}
