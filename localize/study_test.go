package localize

import (
	"bytes"
	"encoding/json"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// everyOption is what is measured: each constant halved and doubled, two at once, each signal left out and alone, each
// formula, other thresholds.
func everyOption() []Options {
	out := []Options{{}, {Threshold: 1e-12}, {Suspects: 2}, {Calibration: &Calibration{Slope: 0.5}},
		{Scale: map[string]float64{"weight.errors": 2, "change.near": 0.5}}, {Scale: map[string]float64{"logs.z": 2}, Without: []string{"ochiai", "log_template"}},
		{Scale: map[string]float64{"no.such": 2}}, {Without: []string{"nothing"}}, {Spectrum: "none"}}
	for _, c := range Constants() {
		for _, factor := range []float64{0.5, 2} {
			out = append(out, Options{Scale: map[string]float64{c.Name: factor}})
		}
	}
	for _, s := range Signals() {
		out = append(out, Options{Without: []string{s.Name}})
		var others []string
		for _, o := range Signals() {
			if o.Name != s.Name {
				others = append(others, o.Name)
			}
		}
		out = append(out, Options{Without: others})
	}
	for _, s := range Spectra() {
		out = append(out, Options{Spectrum: s.Name})
	}
	return out
}

// manyFaults is a small incident in which most signals have something to say.
func manyFaults() Evidence {
	world := func(start time.Time, seed uint64, bad bool) *world {
		w := newWorld(start, seed)
		w.run(30, 100*ms, func(i int) node {
			wrong := bad && i > 8 && i%2 == 0
			q := node{service: "ledger", name: "SELECT entries", kind: 3, self: 3 * ms, attrs: []string{"db.system.name", "mysql", "db.namespace", "books"}}
			l := server("ledger", "POST /entries", 5*ms, q)
			l.logs = []string{"INFO entry received", "INFO balance computed", "INFO entry stored"}
			if wrong {
				l.fail, l.message, l.self = true, "panic: nil pointer dereference in posting of account", 40*ms
				l.logs = []string{"INFO entry received", "ERROR panic: runtime error: nil pointer dereference, basket sent no account"}
				l.calls = []node{q, q, q, q, q, q, q, q}
			}
			n := chain(l)
			n.logs = []string{"INFO checkout done"}
			return n
		})
		for i := range 16 {
			at, level := time.Duration(i)*250*ms, 0.2+0.01*w.rng.Float64()
			if bad && i > 5 {
				level = 0.97
			}
			w.metric(at, "ledger", "process.cpu.utilization", level)
			w.metric(at, "ledger", "db.client.connection.max", 4)
			w.metric(at, "ledger", "db.client.connection.usage", 4*level)
			w.metric(at, "ledger", "db.client.connection.wait_time_seconds", level*level/3)
			w.metric(at, "basket", "http.server.errors", level)
		}
		return w
	}
	ev := evidence(world(base, 2, true).dataset(), world(base.Add(-time.Hour), 1, false).dataset())
	nil1 := nilScenario()
	ev.Changes, ev.Deploys = nil1.Changes, nil1.Deploys
	ev.Flags = []FlagChange{{Time: base.Add(-time.Minute), Flag: "posting-of-entries", Service: "ledger", Change: "on"}}
	return ev
}

func sameAsRank(t *testing.T, name string, ev Evidence, options []Options) {
	t.Helper()
	study := NewStudy(incident.Incident{}, ev)
	differ, said := 0, map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for part := range 2 { // as many goroutines may rank at once as like to
		wg.Go(func() {
			for i := part; i < len(options); i += 2 {
				o := options[i]
				want, err := json.Marshal(Rank(incident.Incident{}, ev, o))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := json.Marshal(study.Rank(o))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				said[string(want)] = true
				if !bytes.Equal(got, want) {
					if differ++; differ <= 3 {
						t.Errorf("%s: %+v: a study gives\n%s\nRank\n%s", name, o, got, want)
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(said) < len(options)/20 {
		t.Errorf("%s: %d options give only %d different results; the test sees too little", name, len(options), len(said))
	}
}

func TestAStudyGivesWhatRankGives(t *testing.T) {
	// All options on one incident take a minute with the race detector, and every third tells of each stage.
	nth := func(n int) (some []Options) {
		for i, o := range everyOption() {
			if i%n == 0 {
				some = append(some, o)
			}
		}
		return some
	}
	sameAsRank(t, "many faults", manyFaults(), nth(3))
	bare := manyFaults()
	bare.Baseline = telemetry.Dataset{}
	sameAsRank(t, "no healthy window", bare, nth(20))
}

// A field that a stage writes to must not be shared with the state that others begin at.
func TestAForkSharesNoMapAndNoRoomToGrow(t *testing.T) {
	study := NewStudy(incident.Incident{}, manyFaults())
	for i, a := range study.before {
		if a == nil {
			continue
		}
		x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(a.fork(i)).Elem()
		for n := range x.NumField() {
			name := x.Type().Field(n).Name
			switch f, g := x.Field(n), y.Field(n); f.Kind() {
			case reflect.Map:
				if !f.IsNil() && f.Pointer() == g.Pointer() {
					t.Errorf("before stage %s: %s is shared; clone it in fork", stages()[i].name, name)
				}
			case reflect.Slice:
				if g.Cap() > g.Len() {
					t.Errorf("before stage %s: %s has room that both would append to; clip it in fork", stages()[i].name, name)
				}
			}
		}
	}
}

func TestFormulasOfTheSpectrum(t *testing.T) {
	// Abnormal in 8 of 10 bad traces and in 4 of 90 good ones.
	want := map[string]float64{"ochiai": 0.7302967, "tarantula": 0.9473684, "dstar": 64.0 / (64 + 4 + 2), "jaccard": 8.0 / 14, "op2": (8 - 4.0/91) / 10}
	for _, s := range Spectra() {
		if got := s.of(spectrum{8, 4, 10, 90}); got < want[s.Name]-1e-6 || got > want[s.Name]+1e-6 {
			t.Errorf("%s is %v, want %v", s.Name, got, want[s.Name])
		}
		if got := s.of(spectrum{10, 0, 10, 90}); got < 0.999999 || got > 1 {
			t.Errorf("%s of exactly the bad traces is %v, want 1", s.Name, got)
		}
		if got := s.of(spectrum{0, 5, 10, 90}); got != 0 {
			t.Errorf("%s of an operation that was fine in all bad traces is %v", s.Name, got)
		}
		if got := s.of(spectrum{1, 0, 1, 0}); got != 1 {
			t.Errorf("%s where every trace is bad is %v, want 1", s.Name, got)
		}
	}
	if err := (Options{Spectrum: "average"}).Check(); err == nil {
		t.Error("a formula that nobody knows passes the check")
	}
}
