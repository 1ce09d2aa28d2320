package replay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// quick waits briefly for silence and long for everything whose coming is certain.
func quick() Options {
	return Options{Quiet: 60 * time.Millisecond, TraceTimeout: 20 * time.Second, CaseTimeout: 20 * time.Second, StopTimeout: 20 * time.Second}
}

func TestGoldenOfTheRecordedBuildIsGreen(t *testing.T) {
	set := recordDesk(t)
	v, run, err := Golden(t.Context(), launcher(func() *desk { return &desk{} }), []*Set{set}, quick())
	if err != nil {
		t.Fatal(err)
	}
	if v.Outcome != Green || v.Cases != 3 || v.Failed != 0 {
		t.Errorf("%s: %s\n%v", v.Outcome, v.Why, v.Differences)
	}
	if run.Spans == 0 || run.Calls != 1 || len(run.Notes) != 0 {
		t.Errorf("spans %d, calls %d, notes %q", run.Spans, run.Calls, run.Notes)
	}
}

func TestGoldenFindsWhatABuildChanged(t *testing.T) {
	set := recordDesk(t)
	tests := []struct {
		name  string
		build desk
		want  []string // "case target kind pointer", in part
	}{
		{"another value", desk{wrong: true}, []string{"book body changed /state"}},
		{"one call more", desk{extra: true}, []string{"book downstream count /ledger/POST ~1bookings", "book span count "}},
		{"no telemetry for some spans", desk{flood: 1}, []string{"book span unexpected "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, _, err := Golden(t.Context(), launcher(func() *desk { d := tt.build; return &d }), []*Set{set}, quick())
			if err != nil {
				t.Fatal(err)
			}
			if v.Outcome != Red {
				t.Fatalf("%s: %s", v.Outcome, v.Why)
			}
			for _, want := range tt.want {
				if !slices.ContainsFunc(v.Differences, func(d Difference) bool {
					return strings.HasPrefix(strings.Join([]string{d.Case, d.Target, d.Kind, d.Pointer}, " "), want)
				}) {
					t.Errorf("no difference %q in %v", want, v.Differences)
				}
			}
		})
	}
}

func TestGoldenIsBrokenWhenTheBuildIs(t *testing.T) {
	set := recordDesk(t)
	tests := []struct {
		name     string
		launcher *deskLauncher
		opts     func(*Options)
		why      string
	}{
		{"never healthy", &deskLauncher{fail: errors.New("health check: connection refused; output: panic: no such table")}, nil, "did not become healthy: health check"},
		{"crashes midway", launcher(func() *desk { return &desk{crashAt: 1} }), nil, "stopped answering"},
		{"hangs", launcher(func() *desk { return &desk{hang: true, mute: true} }), func(o *Options) { o.CaseTimeout = 200 * time.Millisecond }, "stopped answering"},
		{"sends nothing", launcher(func() *desk { return &desk{mute: true} }), func(o *Options) { o.TraceTimeout = 300 * time.Millisecond }, "no spans arrived"},
		{"floods", launcher(func() *desk { return &desk{flood: 3000} }), func(o *Options) { o.MaxSpans, o.TraceTimeout = 2000, time.Second }, "more than 2000 spans"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := quick()
			if tt.opts != nil {
				tt.opts(&opts)
			}
			v, _, err := Golden(t.Context(), tt.launcher, []*Set{set}, opts)
			if err != nil {
				t.Fatal(err)
			}
			if v.Outcome != Broken || !strings.Contains(v.Why, tt.why) {
				t.Errorf("%s: %s", v.Outcome, v.Why)
			}
		})
	}
}

func TestGoldenStopsWhenCancelled(t *testing.T) {
	set := recordDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	build := func() *desk { cancel(); return &desk{} }
	if _, _, err := Golden(ctx, launcher(build), []*Set{set}, quick()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
