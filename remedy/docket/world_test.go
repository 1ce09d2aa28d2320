package docket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

const repo = "acme/shop"

// world is everything outside a desk.
type world struct {
	t        testing.TB
	clock    *dockettest.Clock
	mem      *dockettest.Memory
	forge    *dockettest.Forge
	runner   *dockettest.Runner
	notifier *dockettest.Notifier
	settings docket.Settings
	desks    int
}

func newWorld(t testing.TB) *world {
	clock := dockettest.NewClock()
	return &world{t: t, clock: clock, mem: dockettest.NewMemory(clock), forge: dockettest.NewForge(),
		runner: &dockettest.Runner{Dir: t.TempDir}, notifier: &dockettest.Notifier{}}
}

// process is one process with its desk.
type process struct {
	*docket.Desk
	w    *world
	p    *dockettest.Process
	view *dockettest.View
	ctx  context.Context
}

func (w *world) process() *process {
	p := dockettest.NewProcess()
	ctx, cancel := context.WithCancel(w.t.Context())
	p.OnDeath = cancel
	view := w.mem.As(p)
	w.desks++
	d := &docket.Desk{Store: view, Claims: view, Blobs: view, Queue: view, Runner: w.runner, Forge: w.forge.As(p), Notifier: w.notifier,
		Parse: parse, Now: w.clock.Now, Owner: fmt.Sprintf("process-%d", w.desks), Log: slog.New(slog.DiscardHandler), Settings: w.settings,
		PageURL: func(fp string) string { return "https://remediator.example.com/cases/" + fp },
		Redact:  func(s string) string { return strings.ReplaceAll(s, "hunter2", "[redacted]") }}
	return &process{Desk: d, w: w, p: p, view: view, ctx: ctx}
}

// parse reads bodies that are a list of incidents.
func parse(a docket.Alert) ([]incident.Incident, error) {
	var out []incident.Incident
	err := json.Unmarshal(a.Body, &out)
	return out, err
}

// fp makes a fingerprint out of a small number.
func fp(n int) string { return fmt.Sprintf("%08x%024x", n+1, n+1) }

func (w *world) firing(n int) incident.Incident {
	return incident.Incident{Fingerprint: fp(n), Name: "BudgetBurn", Service: "payments", Severity: incident.Major, Status: incident.Firing, StartsAt: w.clock.Now().Add(-time.Minute), Digest: "d"}
}

func (w *world) resolved(n int) incident.Incident {
	in := w.firing(n)
	in.Status, in.EndsAt = incident.Resolved, w.clock.Now()
	return in
}

// alert brings incidents in, a nanosecond after whatever came before.
func (p *process) alert(incidents ...incident.Incident) {
	p.w.t.Helper()
	body, err := json.Marshal(incidents)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.w.clock.Advance(1)
	if err := p.Receive(p.ctx, docket.Alert{Source: "test", Format: "test", Body: body}); err != nil && !p.p.Dead() {
		p.w.t.Fatal(err)
	}
}

func (p *process) event(e docket.ForgeEvent) {
	p.w.t.Helper()
	if e.Repository == "" {
		e.Repository = repo
	}
	if err := p.ReceiveEvent(p.ctx, e); err != nil {
		p.w.t.Fatal(err)
	}
}

// drain does what is due.
func (p *process) drain() { p.view.Drain(p.ctx, p.Handle) }

// settle does everything, however long it takes by the clock.
func (p *process) settle() {
	for range 200 {
		p.drain()
		if p.p.Dead() {
			return
		}
		wait, ok := p.w.mem.NextDue()
		if !ok {
			return
		}
		p.w.clock.Advance(wait)
	}
	p.w.t.Fatal("work never ends")
}

func (p *process) sweep() {
	p.w.t.Helper()
	if err := p.Sweep(p.ctx); err != nil {
		p.w.t.Fatal(err)
	}
}

func (p *process) act(name string, n int) (string, error) {
	return p.Act(p.ctx, docket.Action{Case: fp(n), Name: name, By: "alice", Via: "page", Reason: "because"})
}

func (p *process) mustAct(name string, n int) string {
	p.w.t.Helper()
	said, err := p.act(name, n)
	if err != nil {
		p.w.t.Fatalf("%s: %v", name, err)
	}
	return said
}

func (w *world) record(n int) *docket.Record {
	w.t.Helper()
	r, err := w.mem.As(dockettest.NewProcess()).Get(context.Background(), fp(n))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// stage checks where a record is, "held overlap" included.
func (w *world) stage(n int, want string) *docket.Record {
	w.t.Helper()
	r := w.record(n)
	got := string(r.Stage)
	if r.Hold != nil {
		got += " " + r.Hold.Code
	}
	if got != want {
		w.t.Fatalf("case %d is %q, want %q (%s)\n%s", n, got, want, r.Failure, history(r))
	}
	return r
}

func history(r *docket.Record) string {
	var b strings.Builder
	for _, e := range r.History {
		fmt.Fprintf(&b, "  %s %s %s\n", e.Kind, e.Text, e.By)
	}
	return b.String()
}

// once checks that nothing was made twice, and that what was made is what is wanted, by the beginnings of its names.
func (w *world) once(want ...string) {
	w.t.Helper()
	for what, n := range w.forge.Made {
		if n > 1 && what != "evidence" {
			w.t.Errorf("%s was made %d times", what, n)
		}
	}
	names := slices.Sorted(maps.Keys(w.forge.Made))
	for _, p := range want {
		if !slices.ContainsFunc(names, func(s string) bool { return strings.HasPrefix(s, p) }) {
			w.t.Errorf("no %q was made, only %q", p, names)
		}
	}
}

// count is how many things with such a name were made.
func (w *world) count(prefix string) int {
	n := 0
	for what, k := range w.forge.Made {
		if strings.HasPrefix(what, prefix) {
			n += k
		}
	}
	return n
}

type dockettestOutcome = dockettest.Outcome
