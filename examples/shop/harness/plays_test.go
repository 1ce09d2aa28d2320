package main

import (
	"testing"

	"github.com/remediator/remediator/examples/shop"
)

func TestEveryScenarioHasAPlay(t *testing.T) {
	acted := plays()
	for _, s := range shop.Scenarios() {
		p, ok := acted[s.Name]
		if !ok {
			t.Errorf("%s cannot be acted out", s.Name)
			continue
		}
		delete(acted, s.Name)
		if p.Objective.Alert == "" || (p.Objective.Latency > 0) == (p.Objective.Ratio > 0) {
			t.Errorf("%s: objective %+v needs a name and exactly one threshold", s.Name, p.Objective)
		}
		if s.Healthy != (p.Truth.Kind == "none") {
			t.Errorf("%s: healthy is %v, the truth is %q", s.Name, s.Healthy, p.Truth.Kind)
		}
		if p.Deploy != (s.Baseline != "") && !p.MidwayHead {
			t.Errorf("%s: a deployment needs another commit for the baseline, and the other way round", s.Name)
		}
		if (s.Culprit != "") != (p.Truth.Kind == "change") {
			t.Errorf("%s: culprit %q, truth %q", s.Name, s.Culprit, p.Truth.Kind)
		}
		for _, window := range []conditions{p.Before, p.After} {
			if total := sum(window.Load.rates()); total < 10 || total > 30 {
				t.Errorf("%s: %.0f requests per second", s.Name, total)
			}
		}
	}
	for name := range acted {
		t.Errorf("no scenario is called %s", name)
	}
}

func TestServiceOf(t *testing.T) {
	for want, paths := range map[string][]string{
		"payments":  {"payments/bank/client.go", "config/payments.json"},
		"inventory": {"cmd/inventory/main.go", "README.md"},
		"":          {"orders/order.go", "pricing/rules.py"},
	} {
		var c shop.Commit
		for _, p := range paths {
			c.Files = append(c.Files, shop.File{Path: p})
		}
		if got := serviceOf(c); got != want {
			t.Errorf("serviceOf(%v) = %q, want %q", paths, got, want)
		}
	}
}

func TestGoldenSetsNameServices(t *testing.T) {
	known := make(map[string]bool)
	for _, s := range services {
		known[s.name] = true
	}
	for _, g := range goldenSets() {
		if !known[g.Service] || len(g.Cases) == 0 {
			t.Errorf("%s: service %q with %d cases", g.Path, g.Service, len(g.Cases))
		}
		delete(known, "")
	}
}
