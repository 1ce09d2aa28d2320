package localize

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"path"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// cpuTime is what this process has computed so far.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var sink float64

//go:noinline
func stepA(n int) (s float64) {
	for i := range n {
		s += math.Sqrt(float64(i))
	}
	return s
}

//go:noinline
func stepB(n int) (s float64) {
	for i := range n {
		s += math.Log(float64(i + 1))
	}
	return s
}

//go:noinline
func stepC(n int) (s float64) {
	for i := range n {
		s += math.Sin(float64(i))
	}
	return s
}

//go:noinline
func stepD(n int) (s float64) {
	for i := range n {
		s += math.Exp(-float64(i))
	}
	return s
}

//go:noinline
func stepE(n int) (s float64) {
	for i := range n {
		s += math.Atan(float64(i))
	}
	return s
}

//go:noinline
func comparesAllWithAll(values []float64) (pairs float64) {
	for i := range values {
		for j := range values {
			if values[i] == values[j] { // the line that grew
				pairs++
			}
		}
	}
	return pairs
}

// record profiles a workload with Go's own profiler until it has computed long enough.
func record(t *testing.T, work func()) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Skipf("SKIPPED: the process is being profiled already (%v)", err)
	}
	for start := cpuTime(t); cpuTime(t)-start < 700*time.Millisecond; {
		work()
	}
	pprof.StopCPUProfile()
	return b.Bytes()
}

// profiled reads recorded profiles as a bundle would.
func profiled(t *testing.T, byService map[string][]byte) []telemetry.Profile {
	t.Helper()
	r := telemetry.NewReader(telemetry.Options{})
	for _, s := range slices.Sorted(maps.Keys(byService)) {
		if err := r.AddProfile(byService[s], s); err != nil {
			t.Fatal(err)
		}
	}
	return r.Dataset().Profiles
}

// Two services get slow together, since one waits for the other and nothing in the traces says so. The profiles of the two,
// recorded by Go's profiler while real work is done, tell whose code it was, and which line.
func TestRecordedProfilesLeadToTheLine(t *testing.T) {
	values := make([]float64, 3000)
	for i := range values {
		values[i] = float64(i % 100)
	}
	usual := func() { sink += stepA(150_000) + stepB(40_000) + stepC(40_000) + stepD(60_000) + stepE(40_000) }
	healthy := record(t, usual)
	broken := record(t, func() { usual(); sink += comparesAllWithAll(values) })
	chain := func(slow time.Duration) func(*world, int) node {
		return func(*world, int) node {
			return server("edge", "GET /report", time.Millisecond, server("reports", "build", 5*time.Millisecond+slow), server("labels", "print", 5*time.Millisecond+slow))
		}
	}
	cur, old := windows(200, chain(0), chain(200*time.Millisecond))
	old.Profiles = profiled(t, map[string][]byte{"reports": healthy, "labels": healthy})
	cur.Profiles = profiled(t, map[string][]byte{"reports": broken, "labels": healthy})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "reports" {
		t.Fatalf("%s", says(r))
	}
	reason := ""
	for _, x := range r.Suspects[0].Reasons {
		if x.Signal == "profile" && reason == "" {
			reason = x.Text
			if x.Value < 0.2 || x.Baseline > 0.01 || x.Weight <= 0 {
				t.Errorf("%+v", x)
			}
		}
	}
	if !strings.Contains(reason, "comparesAllWithAll (profile_test.go:") {
		t.Errorf("reason %q\n%s", reason, says(r))
	}
	var lead Hint
	for _, h := range r.Suspects[0].Hints {
		if h.Kind == HintFrame && h.Weight > lead.Weight {
			lead = h
		}
	}
	if path.Base(lead.File) != "profile_test.go" || !strings.HasSuffix(lead.Function, ".comparesAllWithAll") || lead.Line == 0 {
		t.Errorf("lead %+v", lead)
	}
	for _, s := range r.Suspects {
		for _, x := range s.Reasons {
			if x.Signal == "profile" && s.Service != "reports" {
				t.Errorf("%s is blamed for a profile that did not change: %s", s.Service, x.Text)
			}
		}
	}
	without := Rank(incident.Incident{}, evidence(cur, old), Options{Without: []string{"profile"}})
	for _, s := range without.Suspects {
		for _, x := range s.Reasons {
			if x.Signal == "profile" {
				t.Error("the signal cannot be left out")
			}
		}
	}
}

// madeProfile makes a profile of functions with one line each; values are in observations of 10 ms.
func madeProfile(service string, length time.Duration, values map[string]float64) telemetry.Profile {
	p := telemetry.Profile{Resource: &telemetry.Resource{Service: service}, Type: "cpu", Unit: "nanoseconds", Duration: length}
	for n, f := range sortedWords(values) {
		v := int64(values[f] * 1e7)
		p.Total += v
		p.Samples += int64(values[f])
		p.Frames = append(p.Frames, telemetry.ProfileFrame{Function: f, File: "/app/" + f + ".go", Line: 7, Flat: v, Cum: v})
		p.Stacks = append(p.Stacks, telemetry.ProfileStack{Frames: []int32{int32(n)}, Value: v})
	}
	return p
}

func growthOf(cur, base telemetry.Profile) []growth {
	k := newConstants(nil).profile
	key := usageKey{"s", "cpu"}
	list, _ := grown(&k, usages([]telemetry.Profile{cur})[key], usages([]telemetry.Profile{base})[key])
	return list
}

func TestLoadAndRecordingTimeAreNoGrowth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, cur := map[string]float64{}, map[string]float64{}
		factor := rapid.Float64Range(0.2, 20).Draw(t, "factor")
		for i := range rapid.IntRange(1, 30).Draw(t, "functions") {
			f := fmt.Sprintf("f%d", i)
			base[f] = float64(rapid.IntRange(50, 5000).Draw(t, f))
			cur[f] = math.Round(base[f] * factor)
		}
		// Of few functions the recording time is all that tells, so it grows with the load.
		length := 10 * time.Second
		if list := growthOf(madeProfile("s", time.Duration(float64(length)*factor), cur), madeProfile("s", length, base)); len(list) != 0 {
			t.Fatalf("%+v", list)
		}
	})
}

func TestOneFunctionThatRunsWildIsFoundWhateverTheLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, cur := map[string]float64{}, map[string]float64{}
		factor := rapid.Float64Range(0.5, 10).Draw(t, "factor")
		for i := range rapid.IntRange(8, 30).Draw(t, "functions") {
			f := fmt.Sprintf("f%d", i)
			base[f] = float64(rapid.IntRange(50, 500).Draw(t, f))
			cur[f] = math.Round(base[f] * factor)
		}
		cur["wild"] = 20000 * factor
		base["wild"] = float64(rapid.IntRange(0, 200).Draw(t, "wild"))
		list := growthOf(madeProfile("s", 10*time.Second, cur), madeProfile("s", 10*time.Second, base))
		if len(list) != 1 || list[0].name != "wild" || list[0].line != 7 {
			t.Fatalf("%+v", list)
		}
	})
}

// A function that is gone makes every other share grow, and is no growth of any.
func TestSharesThatGrowSinceOthersShrankAreNoGrowth(t *testing.T) {
	base := map[string]float64{"gone": 5000}
	cur := map[string]float64{}
	for i := range 10 {
		f := fmt.Sprintf("f%d", i)
		base[f], cur[f] = 100, 100
	}
	if list := growthOf(madeProfile("s", time.Second, cur), madeProfile("s", time.Second, base)); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestAFewObservationsProveNothing(t *testing.T) {
	base := map[string]float64{"a": 3, "b": 2}
	cur := map[string]float64{"a": 3, "b": 4}
	if list := growthOf(madeProfile("s", time.Second, cur), madeProfile("s", time.Second, base)); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestLibrariesCountForWhoCallsThem(t *testing.T) {
	p := telemetry.Profile{Resource: &telemetry.Resource{Service: "s"}, Type: "cpu", Total: 30,
		Frames: []telemetry.ProfileFrame{
			{Function: "runtime.mallocgc", File: "/opt/go/src/runtime/malloc.go", Line: 1},
			{Function: "encoding/json.Unmarshal", File: "/opt/go/src/encoding/json/decode.go", Line: 2},
			{Function: "example.com/shop.Load", File: "/app/load.go", Line: 3},
			{Function: "main.main", File: "/app/main.go", Line: 4},
			{Function: "0x1234", File: "", Line: 0},
		},
		Stacks: []telemetry.ProfileStack{{Frames: []int32{0, 1, 2, 3}, Value: 20}, {Frames: []int32{0}, Value: 7}, {Frames: []int32{4}, Value: 3}}}
	u := usages([]telemetry.Profile{p})[usageKey{"s", "cpu"}]
	if by := u.by[function{"example.com/shop.Load", "/app/load.go"}]; by == nil || by.value != 20 || by.lines[3] != 20 {
		t.Errorf("%+v", u.by)
	}
	if by := u.by[function{"runtime.mallocgc", "/opt/go/src/runtime/malloc.go"}]; by == nil || by.value != 7 {
		t.Errorf("what nobody asked for is not kept: %+v", u.by)
	}
}

// Without a healthy profile the heaviest functions are leads for a suspect that something else names, and blame nobody.
func TestAProfileAloneGivesLeadsOnly(t *testing.T) {
	a := &analysis{ev: &Evidence{}, k: newConstants(nil), board: newBoard(nil, newConstants(nil))}
	a.ev.Incident.Profiles = []telemetry.Profile{madeProfile("s", time.Second, map[string]float64{"heavy": 90, "light": 3})}
	a.findProfiles()
	c := a.board.of("s")
	if len(c.reasons) != 0 || len(c.hints) != 1 || c.hints[0].Function != "heavy" || c.hints[0].Weight > 0.3 {
		t.Errorf("%+v %+v", c.reasons, c.hints)
	}
}
