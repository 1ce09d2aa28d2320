package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// outages makes one call every gap for the length; a call fails inside the given intervals.
func outages(gap, length time.Duration, intervals ...[2]time.Duration) []RecordedCall {
	var out []RecordedCall
	for at := time.Duration(0); at < length; at += gap {
		c := RecordedCall{Offset: at, Method: "POST", Route: "/b", Status: 200, Latency: 4 * time.Millisecond}
		for _, i := range intervals {
			if at >= i[0] && at < i[1] {
				c.Status, c.Latency = 503, time.Millisecond
			}
		}
		out = append(out, c)
	}
	return out
}

func TestErrorIntervals(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name      string
		intervals [][2]time.Duration
		fails     []time.Duration
		passes    []time.Duration
	}{
		{"none", nil, nil, []time.Duration{0, s, 5 * s, 9 * s}},
		{"one", [][2]time.Duration{{2 * s, 3 * s}}, []time.Duration{2 * s, 2500 * time.Millisecond, 2900 * time.Millisecond}, []time.Duration{0, 1900 * time.Millisecond, 3 * s, 9 * s}},
		{"two", [][2]time.Duration{{s, 2 * s}, {6 * s, 7 * s}}, []time.Duration{1500 * time.Millisecond, 6500 * time.Millisecond}, []time.Duration{500 * time.Millisecond, 3 * s, 5 * s, 8 * s}},
		{"three short ones", [][2]time.Duration{{s, 1400 * time.Millisecond}, {4 * s, 4400 * time.Millisecond}, {7 * s, 7400 * time.Millisecond}}, []time.Duration{1200 * time.Millisecond, 4200 * time.Millisecond, 7200 * time.Millisecond}, []time.Duration{2 * s, 3 * s, 5 * s, 8 * s}},
		{"from the start", [][2]time.Duration{{0, 2 * s}}, []time.Duration{0, s, -100 * time.Millisecond}, []time.Duration{3 * s, 9 * s, -s}},
		{"to the end", [][2]time.Duration{{8 * s, 10 * s}}, []time.Duration{9 * s, 9900 * time.Millisecond}, []time.Duration{0, 7 * s, 11 * s, time.Hour}},
		{"all of it", [][2]time.Duration{{0, 10 * s}}, []time.Duration{0, 5 * s, 9900 * time.Millisecond}, []time.Duration{-s, 11 * s}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := inferModel(outages(50*time.Millisecond, 10*s, tt.intervals...))
			if m.rate.max != 0 || m.busy != 0 {
				t.Fatalf("taken for a limit: %+v, %d", m.rate, m.busy)
			}
			for _, at := range tt.fails {
				if !ask(m, at) {
					t.Errorf("passes at %v", at)
				}
			}
			for _, at := range tt.passes {
				if ask(m, at) {
					t.Errorf("fails at %v", at)
				}
			}
		})
	}
}

// Wherever an outage lies, the model fails inside it and passes outside, up to what lies between two calls.
func TestAnyOutageIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := time.Duration(rapid.IntRange(5, 80).Draw(t, "gap")) * time.Millisecond
		from := time.Duration(rapid.IntRange(20, 60).Draw(t, "from")) * gap
		to := from + time.Duration(rapid.IntRange(8, 60).Draw(t, "calls"))*gap
		length := to + time.Duration(rapid.IntRange(20, 60).Draw(t, "after"))*gap
		m := inferModel(outages(gap, length, [2]time.Duration{from, to}))
		at := time.Duration(rapid.Int64Range(0, int64(length)).Draw(t, "at"))
		switch got := ask(m, at); {
		case at >= from && at < to-gap && !got:
			t.Fatalf("passes at %v, which is between %v and %v: %+v", at, from, to, m.stretches)
		case (at < from-gap || at >= to+gap) && got:
			t.Fatalf("fails at %v, which is not between %v and %v: %+v", at, from, to, m.stretches)
		}
	})
}

func TestASingleFailureIsNoStretch(t *testing.T) {
	const gap = 20 * time.Millisecond
	for _, letters := range []string{"xooooooooooooooooooo", "oooooooooooooooooooox", "ooooooooooxooooooooooo", "oooooxooooooooooooxooo"} {
		m := inferModel(history(gap, letters))
		for _, s := range m.stretches {
			if s.calls == 1 {
				t.Errorf("%s: %+v", letters, m.stretches)
			}
		}
		// Where one call of twenty failed, one of twenty fails, not every call of that moment.
		failures, at := 0, time.Duration(strings.IndexByte(letters, 'x'))*gap
		for range 10 {
			if ask(m, at) {
				failures++
			}
		}
		if failures > 2 {
			t.Errorf("%s: %d of 10 calls at the moment of the one failure fail", letters, failures)
		}
	}
	if m := inferModel(history(gap, "x")); len(m.stretches) != 1 || !ask(m, 0) {
		t.Error("of one call that failed nothing else is known")
	}
}

func TestSinglesAreJoined(t *testing.T) {
	tests := []struct {
		letters string
		bounds  []int
		want    []int
	}{
		{"ooooo", []int{0}, []int{0}},
		{"ooxoo", []int{0, 2, 3}, []int{0}},
		{"xoooo", []int{0, 1}, []int{0}},
		{"oooox", []int{0, 4}, []int{0}},
		{"ooxxo", []int{0, 2, 4}, []int{0, 2, 4}},
		{"oxoox", []int{0, 1, 2, 4}, []int{0}},
		{"xxoxo", []int{0, 2, 3, 4}, []int{0, 2}},
		{"o", []int{0}, []int{0}},
		{"x", []int{0}, []int{0}},
	}
	for _, tt := range tests {
		if got := withoutSingles(history(time.Millisecond, tt.letters), tt.bounds); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s %v: %v, want %v", tt.letters, tt.bounds, got, tt.want)
		}
	}
}

func TestPartitionIsExactAndDeterministic(t *testing.T) {
	for letters, want := range map[string]string{
		"oooooooooo":                     "[0]",
		"oooooooooooxxxxxxxxxx":          "[0 11]",
		"ooooooooooxxxxxxxxxxoooooooooo": "[0 10 20]",
		"xxxxxxxxxx":                     "[0]",
		"oxoxoxoxoxoxoxoxoxox":           "[0]", // half of the calls fail, evenly
		"o":                              "[0]",
	} {
		for range 3 {
			if got := fmt.Sprint(partition(history(time.Millisecond, letters))); got != want {
				t.Errorf("%s: %s, want %s", letters, got, want)
			}
		}
	}
}

// More calls than one block: the moment is found in whichever block it lies.
func TestLongRecordingsAreCutInBlocks(t *testing.T) {
	const gap = time.Millisecond
	m := inferModel(outages(gap, 9*time.Second, [2]time.Duration{1900 * time.Millisecond, 2100 * time.Millisecond}, [2]time.Duration{7 * time.Second, 7200 * time.Millisecond}))
	for at, want := range map[time.Duration]bool{
		1800 * time.Millisecond: false, 1950 * time.Millisecond: true, 2050 * time.Millisecond: true, 2200 * time.Millisecond: false, 4 * time.Second: false, 7100 * time.Millisecond: true, 8 * time.Second: false,
	} {
		if got := ask(m, at); got != want {
			t.Errorf("at %v: %v", at, got)
		}
	}
}

func TestWhatCountsAsAFailedCall(t *testing.T) {
	for _, tt := range []struct {
		call RecordedCall
		want bool
	}{
		{RecordedCall{Status: 200}, false}, {RecordedCall{Status: 302}, false}, {RecordedCall{Status: 404}, false}, {RecordedCall{Status: 409}, false}, {RecordedCall{Status: 429}, true},
		{RecordedCall{Status: 500}, true}, {RecordedCall{Status: 503}, true}, {RecordedCall{}, true}, {RecordedCall{Status: 200, Error: "reset"}, true}, {RecordedCall{Status: 200, TimedOut: true}, true},
	} {
		if got := tt.call.failed(); got != tt.want {
			t.Errorf("%+v: %v", tt.call, got)
		}
	}
}

func TestLimitsAreBelievedOnGoodEvidenceOnly(t *testing.T) {
	// bursts of n calls a second apart from one another by 5 s; the ones beyond the limit get the status.
	bursts := func(limit, status int, fault string, sizes ...int) []RecordedCall {
		var out []RecordedCall
		for b, n := range sizes {
			for i := range n {
				c := RecordedCall{Offset: time.Duration(b)*10*time.Second + time.Duration(i)*5*time.Millisecond, Method: "GET", Route: "/q", Status: 200, Latency: time.Millisecond}
				if i >= limit {
					c.Status, c.Error = status, fault
				}
				out = append(out, c)
			}
		}
		return out
	}
	tests := []struct {
		name  string
		calls []RecordedCall
		limit bool
	}{
		{"a limiter", bursts(10, 429, "", 4, 12, 8, 20, 10, 15), true},
		{"one that answers 503", bursts(10, 503, "", 4, 12, 8, 20, 10, 15), true},
		{"too few refusals", bursts(10, 429, "", 4, 12, 8, 12), false},
		{"never refused", bursts(100, 429, "", 4, 12, 8, 20), false},
		{"always refused", bursts(0, 429, "", 4, 12, 8, 20), false},
		{"connections that break are no limiter's answer", bursts(10, 0, "reset", 4, 12, 8, 20, 10, 15), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := inferModel(tt.calls)
			if got := m.rate.max > 0 || m.busy > 0; got != tt.limit {
				t.Fatalf("rate %+v, busy %d", m.rate, m.busy)
			}
			if !tt.limit {
				return
			}
			if m.rate.max != 10 {
				t.Errorf("limit %+v", m.rate)
			}
			// It holds at any time, also long after the recording.
			passed := 0
			for i := range 30 {
				if !ask(m, time.Hour+time.Duration(i)*time.Millisecond) {
					passed++
				}
			}
			if passed != 10 {
				t.Errorf("%d of 30 calls at once pass", passed)
			}
			if ask(m, 2*time.Hour) {
				t.Error("a single call later is refused")
			}
		})
	}
}

func TestConcurrencyIsGivenBack(t *testing.T) {
	m := &routeModel{calls: history(time.Millisecond, "oooooxxxxx"), used: make([]bool, 10), busy: 2, owed: map[int]float64{}}
	for i, want := range []bool{false, false, true} {
		if m.arrive(0).fail != want {
			t.Fatalf("two at a time pass, the third does not, but call %d is the other way", i)
		}
	}
	m.leave() // the refused one
	if !m.arrive(0).fail {
		t.Error("a refused call freed a place that it never had")
	}
	m.leave()
	m.leave()
	if m.arrive(0).fail {
		t.Error("a place that became free is not given to the next")
	}
}

func TestLikenessIsTheNearestOfItsKind(t *testing.T) {
	at := func(offset time.Duration, status int, latency time.Duration) RecordedCall {
		return RecordedCall{Offset: offset, Method: "GET", Route: "/", Status: status, Latency: latency}
	}
	const s = time.Second
	m := &routeModel{calls: []RecordedCall{at(0, 200, 1), at(5*s, 503, 2), at(10*s, 503, 3), at(10400*time.Millisecond, 503, 4), at(10800*time.Millisecond, 200, 5), at(30*s, 200, 6)}}
	for _, tt := range []struct {
		at     time.Duration
		failed bool
		want   time.Duration
	}{
		{0, false, 1}, {0, true, 2}, {4 * s, false, 1}, {9 * s, true, 3}, {9 * s, false, 5}, {11 * s, false, 5}, {11 * s, true, 4}, {20 * s, false, 5}, {22 * s, false, 6}, {time.Hour, true, 4}, {-time.Hour, false, 1},
	} {
		m.used = make([]bool, len(m.calls))
		if got := m.nearest(tt.at, tt.failed); got == nil || got.Latency != tt.want {
			t.Errorf("at %v, failed %v: %+v, want %v", tt.at, tt.failed, got, tt.want)
		}
	}
	m = &routeModel{calls: m.calls[:1], used: make([]bool, 1)}
	if got := m.nearest(0, true); got != nil {
		t.Errorf("no call failed, but one is like %+v", got)
	}
}

// The nearest call by a plain search, over any recording.
func TestNearestIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 25).Draw(t, "calls")
		calls := make([]RecordedCall, n)
		var offset time.Duration
		for i := range calls {
			offset += time.Duration(rapid.IntRange(0, 900).Draw(t, "gap")) * time.Millisecond
			calls[i] = RecordedCall{Offset: offset, Status: rapid.SampledFrom([]int{200, 503}).Draw(t, "status")}
		}
		m := &routeModel{calls: calls, used: make([]bool, n)}
		at := time.Duration(rapid.IntRange(-500, 25_000).Draw(t, "at")) * time.Millisecond
		failed := rapid.Bool().Draw(t, "failed")
		got := m.nearest(at, failed)
		least := time.Duration(-1)
		for i := range calls {
			if d := (calls[i].Offset - at).Abs(); calls[i].failed() == failed && (least < 0 || d < least) {
				least = d
			}
		}
		switch {
		case (got == nil) != (least < 0):
			t.Fatalf("%v of %+v", got, calls)
		case got != nil && (got.Offset-at).Abs() != least:
			t.Fatalf("%v away, the nearest is %v away", (got.Offset - at).Abs(), least)
		}
	})
}

func TestModelsAreByMethodAndRoute(t *testing.T) {
	var calls []RecordedCall
	for _, c := range []struct{ method, route string }{{"POST", "/b"}, {"GET", "/b"}, {"GET", "/a/{id}"}, {"POST", "/b"}} {
		calls = append(calls, RecordedCall{Method: c.method, Route: c.route, Status: 200, Offset: time.Duration(10-len(calls)) * time.Second})
	}
	var got []string
	for _, m := range inferModels(Behaviour{Calls: calls}) {
		got = append(got, fmt.Sprintf("%s %s %d", m.method, m.route, len(m.calls)))
		if m.from > m.to {
			t.Errorf("%s: from %v to %v", m.route, m.from, m.to)
		}
	}
	if want := []string{"GET /a/{id} 1", "GET /b 1", "POST /b 2"}; strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("%q", got)
	}
	if inferModels(Behaviour{}) != nil {
		t.Error("models of nothing")
	}
}
