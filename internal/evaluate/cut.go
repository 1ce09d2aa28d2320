package evaluate

import (
	"math"

	"github.com/remediator/remediator/telemetry"
)

// Cut divides a healthy recording into windows to compare with each other.
type Cut struct {
	Name  string
	Parts int
	// Pairs are the parts that play the incident and the baseline; a baseline of -1 is all other parts.
	Pairs [][2]int
}

// Cuts are the ways in which recordings are divided: every ordered pair of halves and thirds, and each quarter
// against the rest. Finer ones would leave too little in a window to be called one.
func Cuts() []Cut {
	return []Cut{
		{"half against half", 2, [][2]int{{0, 1}, {1, 0}}},
		{"third against third", 3, [][2]int{{0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}}},
		{"third against the rest", 3, [][2]int{{0, -1}, {1, -1}, {2, -1}}},
		{"quarter against the rest", 4, [][2]int{{0, -1}, {1, -1}, {2, -1}, {3, -1}}},
	}
}

// fewSpans is how many spans a window needs for its length to be read from them.
const fewSpans = 100

// parts cuts a window into n of equal length. Spans and log records of one trace stay together, at the time
// the trace began. Series are cut by their own length, since metrics are often kept for longer.
func parts(ds *telemetry.Dataset, n int) []telemetry.Dataset {
	out := make([]telemetry.Dataset, n)
	part := func(at, from, to int64) int {
		if to <= from {
			return 0
		}
		return min(max(int(float64(at-from)/float64(to-from)*float64(n)), 0), n-1)
	}
	starts := map[telemetry.TraceID]int64{}
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range ds.Spans {
		s := &ds.Spans[i]
		if at, ok := starts[s.Trace]; !ok || s.Start < at {
			starts[s.Trace] = s.Start
		}
	}
	for _, at := range starts {
		from, to = min(from, at), max(to, at)
	}
	logFrom, logTo := from, to
	if len(ds.Spans) < fewSpans {
		logFrom, logTo = math.MaxInt64, math.MinInt64
		for i := range ds.Logs {
			logFrom, logTo = min(logFrom, ds.Logs[i].Time), max(logTo, ds.Logs[i].Time)
		}
		if len(ds.Logs) > 0 {
			from, to = logFrom, logTo
		}
	}
	for i := range ds.Spans {
		p := &out[part(starts[ds.Spans[i].Trace], from, to)]
		p.Spans = append(p.Spans, ds.Spans[i])
	}
	for i := range ds.Logs {
		at := ds.Logs[i].Time
		if s, ok := starts[ds.Logs[i].Trace]; ok {
			at = s
		}
		p := &out[part(at, logFrom, logTo)]
		p.Logs = append(p.Logs, ds.Logs[i])
	}
	from, to = math.MaxInt64, math.MinInt64
	for i := range ds.Metrics {
		for _, x := range ds.Metrics[i].Points {
			from, to = min(from, x.Time), max(to, x.Time)
		}
	}
	for i := range ds.Metrics {
		pieces := make([][]telemetry.Point, n)
		for _, x := range ds.Metrics[i].Points {
			k := part(x.Time, from, to)
			pieces[k] = append(pieces[k], x)
		}
		for k, points := range pieces {
			if len(points) > 0 {
				series := ds.Metrics[i]
				series.Points = points
				out[k].Metrics = append(out[k].Metrics, series)
			}
		}
	}
	return out
}

// others joins all parts but one, in their order.
func others(all []telemetry.Dataset, but int) telemetry.Dataset {
	var out telemetry.Dataset
	for k := range all {
		if k != but {
			out.Spans = append(out.Spans, all[k].Spans...)
			out.Logs = append(out.Logs, all[k].Logs...)
		}
	}
	type key struct {
		resource    *telemetry.Resource
		name, attrs string
	}
	index := map[key]int{}
	for k := range all {
		if k == but {
			continue
		}
		for _, s := range all[k].Metrics {
			id := key{s.Resource, s.Name, attrText(s.Attrs)}
			if at, ok := index[id]; ok {
				joined := &out.Metrics[at]
				joined.Points = append(joined.Points[:len(joined.Points):len(joined.Points)], s.Points...)
				continue
			}
			index[id] = len(out.Metrics)
			out.Metrics = append(out.Metrics, s)
		}
	}
	return out
}

func attrText(attrs telemetry.Attrs) string {
	text := ""
	for _, a := range attrs {
		text += a.Key + "\x00" + a.Value + "\x00"
	}
	return text
}

// records is how much a window holds.
func records(ds *telemetry.Dataset) int {
	n := len(ds.Spans) + len(ds.Logs)
	for i := range ds.Metrics {
		n += len(ds.Metrics[i].Points)
	}
	return n
}
