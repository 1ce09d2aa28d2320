package replay

import (
	"net/http"
	"sort"
	"strconv"
)

// downstream compares the outgoing calls: which were made how often, and with what content. Order between
// different calls means nothing (they may be concurrent); the calls of one method and route
// are paired so that as many as possible are the same.
func (cmp *comparison) downstream() {
	recorded, replayed := callsByPlace(cmp.c.Downstream), callsByPlace(cmp.o.Downstream)
	places := map[string]bool{}
	for p := range recorded {
		places[p] = true
	}
	for p := range replayed {
		places[p] = true
	}
	for _, p := range sortedKeys(places) {
		rec, rep := recorded[p], replayed[p]
		switch at := p; {
		case len(rep) == 0:
			cmp.add(Difference{Target: "downstream", Pointer: at, Kind: "missing", Recorded: strconv.Itoa(len(rec)) + "×"})
			continue
		case len(rec) == 0:
			d := Difference{Target: "downstream", Pointer: at, Kind: "unexpected", Replayed: strconv.Itoa(len(rep)) + "×, first " + clip(rep[0].Request.Method+" "+target(rep[0].Request), 120)}
			if rep[0].Response.Status == http.StatusNotImplemented {
				d.Likely = "a call that was never recorded; the stand-in answered 501"
			}
			cmp.add(d)
			continue
		case len(rec) != len(rep):
			cmp.add(Difference{Target: "downstream", Pointer: at, Kind: "count", Recorded: strconv.Itoa(len(rec)) + "×", Replayed: strconv.Itoa(len(rep)) + "×"})
		}
		cmp.pair(rec, rep)
	}
}

func callsByPlace(calls []Downstream) map[string][]*Downstream {
	out := map[string][]*Downstream{}
	for i := range calls {
		p := callPlace(&calls[i]).String()
		out[p] = append(out[p], &calls[i])
	}
	for _, list := range out {
		sort.SliceStable(list, func(i, j int) bool { return list[i].Offset < list[j].Offset })
	}
	return out
}

// pair matches calls of one place: the same content first, the rest in order of time.
func (cmp *comparison) pair(rec, rep []*Downstream) {
	taken := make([]bool, len(rep))
	var rest []*Downstream
	for _, want := range rec {
		at := callPlace(want)
		found := false
		for j, got := range rep {
			if !taken[j] && cmp.same("request.downstream", at, requestValue(&want.Request), requestValue(&got.Request)) {
				taken[j], found = true, true
				break
			}
		}
		if !found {
			rest = append(rest, want)
		}
	}
	next := 0
	for _, want := range rest {
		for next < len(rep) && taken[next] {
			next++
		}
		if next == len(rep) {
			return // fewer calls than recorded, which the count says
		}
		taken[next] = true
		cmp.documents("request.downstream", "downstream", callPlace(want), requestValue(&want.Request), requestValue(&rep[next].Request))
	}
}
