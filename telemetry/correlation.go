package telemetry

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// correlation is the keys whose values name requests, best first, and what is known of each value.
//
// Where records carry no trace id of the window, another id often joins them: x-request-id, a correlation id, a message's
// key. A key that is not configured counts as such an id when the data shows three things of it:
//
//   - Its values determine the trace. Among spans and records whose trace is known, hardly any value occurs in two traces: an
//     approximate functional dependency with the g3 error of Kivinen and Mannila (Approximate inference of functional
//     dependencies from relations, 1995), as in TANE (Huhtala et al. 1999). Users, sessions and shops fail it, since they come again.
//   - Its values join: most of those that occur more than once do so in two services, or in a span and a record.
//   - It tells apart: several values lead to several traces.
//
// Where no span and no record with a trace carries the key, the first is replaced by: the records of one value are close together
// in time, which those of a user are not. Such a value belongs to the trace in which most of its records fall into an open span of their service,
// if there is exactly one.
type correlation struct {
	keys []*correlationKey
	slot map[string]int // of a key as it is spelt, -1 where it is none
}

type correlationKey struct {
	name       string // plain, see plainKey
	configured bool
	values     map[string]*correlated
	reach      int // untied records that it could tie
}

// correlated is what is known of one value.
type correlated struct {
	trace       int32 // noTrace, or manyTraces
	seen, wrong int32 // occurrences with a known trace, and those outside of the first such trace
	count       int32 // occurrences in all
	record      int32 // the last record it was seen in, since one may say it twice
	joins       bool  // in two services, or in spans and records
	span        bool  // the first occurrence is a span
	service     string
	first, last int64
}

const (
	noTrace    int32 = -1
	manyTraces int32 = -2
)

const (
	correlationSample = 2000 // untied records looked at for keys
	correlationKeys   = 16   // keys looked at in all records
	// correlationError is the g3 error up to which values determine the trace.
	correlationError = 0.05
	// correlationShare is how many of the values must join.
	correlationShare = 0.5
	// correlationSpread is how much of the window the records of one value may take, in the middle of all values.
	correlationSpread = 0.1
)

// findCorrelation finds the keys by which untied records can be tied.
func findCorrelation(logs []Log, traces []Trace, f *traceFinder, untied []bool, configured []string) *correlation {
	c := &correlation{slot: map[string]int{}}
	for _, k := range configured {
		if name := plainKey(k); name != "" && c.key(name) == nil {
			c.keys = append(c.keys, &correlationKey{name: name, configured: true, values: map[string]*correlated{}})
		}
	}
	c.candidates(logs, untied)
	if len(c.keys) == 0 {
		return c
	}
	for i := range logs {
		l := &logs[i]
		trace := noTrace
		if !untied[i] {
			if t, ok := f.find(l.Trace); ok {
				trace = t
			}
		}
		c.fields(l, func(k *correlationKey, value string) {
			if k.see(value, l.Resource.Service, trace, l.Time, int32(i)+1) && untied[i] { // bounded by Limits.Logs
				k.reach++
			}
		})
	}
	for t := range traces {
		for _, s := range traces[t].Spans {
			for _, a := range s.Attrs {
				if k := c.slotOf(a.Key); k != nil {
					if v, ok := correlationValue(a.Value); ok {
						k.see(v, s.Resource.Service, int32(t), s.Start, 0) // bounded
					}
				}
			}
		}
	}
	c.keys = slices.DeleteFunc(c.keys, func(k *correlationKey) bool { return k.reach == 0 || !k.configured && !k.correlates() })
	slices.SortFunc(c.keys, func(a, b *correlationKey) int {
		if a.configured != b.configured {
			if a.configured {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.reach, a.reach), strings.Compare(a.name, b.name))
	})
	clear(c.slot)
	return c
}

// candidates adds the keys of untied records whose values are many, by how often they occur.
func (c *correlation) candidates(logs []Log, untied []bool) {
	n := 0
	for _, u := range untied {
		if u {
			n++
		}
	}
	stride := max(1, n/correlationSample)
	type tally struct {
		count  int
		values map[string]bool
	}
	found := map[string]*tally{}
	at := 0
	for i := range logs {
		if !untied[i] {
			continue
		}
		if at++; (at-1)%stride != 0 {
			continue
		}
		everyField(&logs[i], func(key, raw string) {
			name := plainKey(key)
			if name == "" || name == "traceid" || name == "spanid" {
				return
			}
			value, ok := correlationValue(raw)
			if !ok {
				return
			}
			t := found[name]
			if t == nil {
				if len(found) >= 1000 {
					return
				}
				t = &tally{values: map[string]bool{}}
				found[name] = t
			}
			t.count++
			t.values[value] = true
		})
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(found)), func(name string) bool {
		t := found[name]
		return len(t.values) < 2 || t.count > 64*len(t.values) || c.key(name) != nil
	})
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(found[b].count, found[a].count), strings.Compare(a, b))
	})
	for _, name := range names[:min(len(names), correlationKeys)] {
		c.keys = append(c.keys, &correlationKey{name: name, values: map[string]*correlated{}})
	}
}

func (c *correlation) key(name string) *correlationKey {
	for _, k := range c.keys {
		if k.name == name {
			return k
		}
	}
	return nil
}

// slotOf finds the key by one of its spellings.
func (c *correlation) slotOf(spelt string) *correlationKey {
	i, known := c.slot[spelt]
	if !known {
		i = slices.IndexFunc(c.keys, func(k *correlationKey) bool { return k.name == plainKey(spelt) })
		if len(c.slot) < internSize {
			c.slot[strings.Clone(spelt)] = i
		}
	}
	if i < 0 {
		return nil
	}
	return c.keys[i]
}

// fields calls visit for the fields of a record that are among the keys.
func (c *correlation) fields(l *Log, visit func(k *correlationKey, value string)) {
	everyField(l, func(key, raw string) {
		if k := c.slotOf(key); k != nil {
			if value, ok := correlationValue(raw); ok {
				visit(k, value)
			}
		}
	})
}

func everyField(l *Log, visit func(key, value string)) {
	for _, a := range l.Attrs {
		visit(a.Key, a.Value)
	}
	eachBodyField(l.Body, visit)
}

// correlationValue is a value without what a list of one header puts around it, if it can name a request: no words, no times, no measurements.
func correlationValue(v string) (string, bool) {
	v = strings.TrimSuffix(strings.TrimPrefix(v, `["`), `"]`)
	if len(v) < 6 || len(v) > 128 {
		return "", false
	}
	digits, letters, colon, dot := 0, 0, false, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c <= ' ' || c == '"' || c == '{':
			return "", false
		case c == ':':
			colon = true
		case c == '.':
			dot = true
		case c != '-' && c != '+' && c != 'T' && c != 'Z':
			letters++
		}
	}
	if digits == 0 || letters == 0 && (colon || dot) {
		return "", false
	}
	return v, true
}

// see counts one occurrence of a value, in the record of that number or, for 0, in a span. It says whether it was not counted yet.
func (k *correlationKey) see(value, service string, trace int32, at int64, record int32) bool {
	v, span := k.values[value], record == 0
	if v == nil {
		v = &correlated{trace: noTrace, service: service, span: span, first: at, last: at}
		k.values[strings.Clone(value)] = v
	}
	if !span && v.record == record {
		return false
	}
	v.record = record
	v.count++
	v.joins = v.joins || v.service != service || v.span != span
	v.first, v.last = min(v.first, at), max(v.last, at)
	if trace == noTrace {
		return true
	}
	v.seen++
	switch v.trace {
	case noTrace:
		v.trace = trace
	case trace:
	default:
		v.trace = manyTraces
		v.wrong++
	}
	return true
}

// correlates judges a key that nobody configured.
func (k *correlationKey) correlates() bool {
	shared, joins, seen, wrong := 0, 0, 0, 0
	traces := map[int32]bool{}
	var spreads []int64
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range k.values {
		first, last = min(first, v.first), max(last, v.last)
		seen += int(v.seen)
		wrong += int(v.wrong)
		if v.trace >= 0 {
			traces[v.trace] = true
		}
		if v.count < 2 {
			continue
		}
		shared++
		spreads = append(spreads, v.last-v.first)
		if v.joins {
			joins++
		}
	}
	if shared < 2 || float64(joins) < correlationShare*float64(shared) {
		return false
	}
	if seen > 0 {
		return len(traces) >= 2 && float64(wrong) <= correlationError*float64(seen)
	}
	slices.Sort(spreads)
	return float64(spreads[len(spreads)/2]) <= correlationSpread*float64(last-first)
}

// tie ties the records that the keys reach.
func (c *correlation) tie(logs []Log, f *traceFinder, untied []bool, out []LogLink, times *openSpans) {
	if len(c.keys) == 0 {
		return
	}
	groups := map[*correlated][]int32{}
	var order []*correlated
	for i := range logs {
		if !untied[i] {
			continue
		}
		var best *correlated
		rank := len(c.keys)
		c.fields(&logs[i], func(k *correlationKey, value string) {
			v := k.values[value]
			if v == nil || v.trace == manyTraces {
				return
			}
			if at := slices.Index(c.keys, k); best == nil || v.trace >= 0 && best.trace < 0 || at < rank && (v.trace >= 0) == (best.trace >= 0) {
				best, rank = v, at
			}
		})
		switch {
		case best == nil:
		case best.trace >= 0:
			out[i], untied[i] = f.inTrace(&logs[i], best.trace, ByKey), false
		default:
			if groups[best] == nil {
				order = append(order, best)
			}
			groups[best] = append(groups[best], int32(i)) // bounded by Limits.Logs
		}
	}
	if times == nil {
		return
	}
	for _, v := range order {
		if t, ok := vote(logs, groups[v], times); ok {
			for _, i := range groups[v] {
				out[i], untied[i] = f.inTrace(&logs[i], t, ByKey), false
			}
		}
	}
}

// vote finds the trace that has an open span of the service for most of the records.
func vote(logs []Log, group []int32, times *openSpans) (int32, bool) {
	if len(group) < 2 {
		return 0, false
	}
	votes := map[int32]int{}
	services := map[string]bool{}
	for _, i := range group {
		l := &logs[i]
		services[l.Resource.Service] = true
		once := map[int32]bool{}
		times.open(l.Resource.Service, l.Time, func(trace int32) { once[trace] = true })
		for t := range once {
			votes[t]++
		}
	}
	best, second, trace := 0, 0, int32(0)
	for t, n := range votes {
		if n > best {
			best, second, trace = n, best, t
		} else if n > second {
			second = n
		}
	}
	return trace, len(services) > 1 && best > second && 2*best > len(group)
}

// open calls visit with the traces that had a span of the service open at a time.
func (o *openSpans) open(service string, t int64, visit func(trace int32)) {
	refs := o.byService[service]
	i, _ := slices.BinarySearchFunc(refs, t, func(r spanRef, t int64) int {
		if r.start > t {
			return 1
		}
		return -1
	})
	for n := 0; i > 0 && n < lookBack; n++ {
		i--
		if refs[i].end >= t {
			visit(refs[i].trace)
		}
	}
}
