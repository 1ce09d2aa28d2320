package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remediator/remediator/replay"
)

// goldenSet is one golden trace set and where it is recorded.
type goldenSet struct {
	Path     string // below testdata/golden-traces, and below golden/ in the shop
	Service  string
	Scenario string // whose history it belongs to
	Commit   string // the last patch that is in the commit it is recorded from
	Cases    []replay.Case
}

// dependencies are what each service calls: the variable that carries the address, and the name.
var dependencies = map[string]map[string]string{
	"gateway":  {"ORDERS_URL": "orders", "INVENTORY_URL": "inventory"},
	"orders":   {"INVENTORY_URL": "inventory", "PRICING_URL": "pricing", "PAYMENTS_URL": "payments"},
	"payments": {"BANK_URL": "bank"},
}

// recordGolden records every set, in the order of the history: later sets need the commits that
// hold the earlier ones.
func recordGolden(ctx context.Context, log *slog.Logger, python, out string) error {
	for _, set := range goldenSets() {
		if err := recordSet(ctx, log, python, out, set); err != nil {
			return fmt.Errorf("%s: %w", set.Path, err)
		}
	}
	return nil
}

func recordSet(ctx context.Context, log *slog.Logger, python, out string, g goldenSet) (err error) {
	work, err := os.MkdirTemp("", "shop")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	s, err := setUp(ctx, log, work, python, g.Scenario, os.DirFS(out), g.Commit, conditions{Bank: calm, Load: usual()})
	if err != nil {
		return err
	}
	commit := s.history.Commits[len(s.history.Commits)-1]
	log.Info("recording golden traces", "set", g.Path, "commit", commit.SHA[:7])
	b, err := s.builder.build(ctx, commit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.fleet.stop()) }()
	if err := s.fleet.deploy(ctx, b); err != nil {
		return err
	}
	recorded, err := s.goldenOf(ctx, b, g)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := replay.WriteSet(&text, recorded); err != nil {
		return err
	}
	path := filepath.Join(out, filepath.FromSlash(g.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	log.Info("wrote", "file", g.Path, "cases", len(recorded.Cases), "bytes", text.Len())
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// goldenOf starts one more instance of the service, with the recorder in front of it and before
// everything it calls.
func (s *stage) goldenOf(ctx context.Context, b build, g goldenSet) (*replay.Set, error) {
	var svc service
	for _, candidate := range services {
		if candidate.name == g.Service {
			svc = candidate
		}
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	targets := make(map[string]string)
	for _, name := range dependencies[svc.name] {
		targets[name] = "http://" + s.mesh.address(name)
	}
	recorder, err := replay.NewRecorder(replay.RecorderOptions{
		ID: strings.TrimSuffix(strings.ReplaceAll(g.Path, "/", "-"), ".json"), Service: svc.name,
		Target: "http://" + addr, Dependencies: targets,
		Commit: b.sha, Env: "shop", ToolVersion: "harness",
	})
	if err != nil {
		return nil, err
	}
	otlp, err := serve(ctx, recorder.OTLP())
	if err != nil {
		return nil, err
	}
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + otlp}
	for _, variable := range slices.Sorted(maps.Keys(dependencies[svc.name])) {
		tap, err := serve(ctx, recorder.Outbound(dependencies[svc.name][variable]))
		if err != nil {
			return nil, err
		}
		env = append(env, variable+"=http://"+tap)
	}
	instance, err := s.fleet.start(ctx, b, svc, addr, env...)
	if err != nil {
		return nil, err
	}
	err = recorder.Record(ctx, g.Cases)
	// Its telemetry is complete once it has ended.
	if err = errors.Join(err, instance.stop()); err != nil {
		return nil, err
	}
	set, notes, err := recorder.Set(ctx)
	for _, note := range notes {
		s.log.Warn("recorder", "note", note)
	}
	if err != nil {
		return nil, err
	}
	if len(set.Cases) != len(g.Cases) {
		return nil, fmt.Errorf("%d of %d cases were recorded", len(set.Cases), len(g.Cases))
	}
	return set, nil
}

func get(id, path string) replay.Case {
	return replay.Case{ID: id, Request: replay.Request{Method: http.MethodGet, Path: path}}
}

func post(id, path, body string) replay.Case {
	return replay.Case{ID: id, Request: replay.Request{
		Method: http.MethodPost, Path: path, Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(body),
	}}
}

// then makes reading depend on placing: the id that placing answers with goes into reading's path.
func then(placing, reading replay.Case) []replay.Case {
	placing.Vars.Extract = map[string]string{"order": "/id"}
	reading.DependsOn = []string{placing.ID}
	reading.Vars.Inject = map[string]string{"/path/1": "order"}
	return []replay.Case{placing, reading}
}

const (
	oneLamp    = `{"customer":{"id":"cust-0001","tier":"basic"},"currency":"EUR","card":"4000-1001","items":[{"sku":"sku-001","quantity":1}]}`
	threeItems = `{"customer":{"id":"cust-0002","tier":"gold"},"currency":"USD","card":"4000-1002","items":[{"sku":"sku-004","quantity":2},{"sku":"sku-017","quantity":12},{"sku":"sku-040","quantity":1}]}`
	noItems    = `{"customer":{"id":"cust-0003","tier":"basic"},"currency":"EUR","card":"4000-1003","items":[]}`
	noSuch     = `{"customer":{"id":"cust-0004","tier":"basic"},"currency":"EUR","card":"4000-1004","items":[{"sku":"sku-999","quantity":1}]}`
	tooMany    = `{"customer":{"id":"cust-0005","tier":"silver"},"currency":"EUR","card":"4000-1005","items":[{"sku":"sku-002","quantity":500}]}`
	noTier     = `{"customer":{"id":"cust-0006","tier":null},"currency":"EUR","card":"4000-1006","items":[{"sku":"sku-003","quantity":1}]}`
)

func goldenSets() []goldenSet {
	const common = "common/0009"
	return []goldenSet{
		{"gateway/shop.json", "gateway", "retry-storm", common, slices.Concat(
			then(post("order-one-lamp", "/orders", oneLamp), get("order-shown", "/orders/ord-0")),
			[]replay.Case{
				post("order-three-items", "/orders", threeItems),
				post("order-nothing", "/orders", noItems),
				post("order-unknown-product", "/orders", noSuch),
				get("order-unknown", "/orders/ord-none"),
				get("product", "/products/sku-007"),
				get("product-unknown", "/products/sku-999"),
				get("report", "/reports/stock"),
			})},
		{"orders/shop.json", "orders", "retry-storm", common, slices.Concat(
			then(post("one-lamp", "/orders", oneLamp), get("shown", "/orders/ord-0")),
			[]replay.Case{
				post("three-items", "/orders", threeItems),
				post("without-tier", "/orders", noTier),
				post("nothing", "/orders", noItems),
				post("unknown-product", "/orders", noSuch),
				post("out-of-stock", "/orders", tooMany),
				get("unknown", "/orders/ord-none"),
			})},
		{"payments/shop.json", "payments", "retry-storm", common, []replay.Case{
			post("charge-euros", "/charges", `{"order":"ord-golden-1","amount":1250,"currency":"EUR","card":"4000-1001"}`),
			post("charge-dollars", "/charges", `{"order":"ord-golden-2","amount":99900,"currency":"USD","card":"4000-1002"}`),
			post("charge-zloty", "/charges", `{"order":"ord-golden-3","amount":4200,"currency":"PLN","card":"4000-1003"}`),
			post("no-card", "/charges", `{"order":"ord-golden-4","amount":1250,"currency":"EUR"}`),
			post("nothing-to-pay", "/charges", `{"order":"ord-golden-5","amount":0,"currency":"EUR","card":"4000-1001"}`),
			post("unsupported-currency", "/charges", `{"order":"ord-golden-6","amount":1250,"currency":"XTS","card":"4000-1001"}`),
			post("not-a-charge", "/charges", `{"sum":1}`),
		}},
		{"inventory/shop.json", "inventory", "retry-storm", common, []replay.Case{
			post("one-product", "/availability", `{"skus":["sku-001"]}`),
			post("three-products", "/availability", `{"skus":["sku-017","sku-004","sku-040"]}`),
			post("unknown-product", "/availability", `{"skus":["sku-001","sku-999"]}`),
			post("nothing-asked", "/availability", `{"skus":[]}`),
			get("product", "/products/sku-007"),
			get("product-unknown", "/products/sku-999"),
			get("report", "/reports/stock"),
		}},
		{"pricing/shop.json", "pricing", "retry-storm", common, []replay.Case{
			post("list-price", "/quotes", `{"customer":{"id":"cust-0001","tier":"basic"},"lines":[{"sku":"sku-001","quantity":1,"list_price":637}]}`),
			post("gold", "/quotes", `{"customer":{"id":"cust-0002","tier":"gold"},"lines":[{"sku":"sku-040","quantity":5,"list_price":5980}]}`),
			post("bulk", "/quotes", `{"customer":{"id":"cust-0003","tier":"silver"},"lines":[{"sku":"sku-001","quantity":12,"list_price":637}]}`),
			post("small-without-tier", "/quotes", `{"customer":{"id":"cust-0004","tier":null},"lines":[{"sku":"sku-002","quantity":1,"list_price":774}]}`),
			post("no-lines", "/quotes", `{"customer":{"id":"cust-0005","tier":"basic"},"lines":[]}`),
			post("price-list", "/quotes", `{"lines":[{"sku":"sku-002","quantity":40,"list_price":774}]}`),
			post("no-price", "/quotes", `{"customer":{"id":"cust-0006","tier":"basic"},"lines":[{"sku":"sku-002","quantity":1}]}`),
		}},
		{"payments/declined.json", "payments", "retry-storm", "retry-storm/0006", []replay.Case{
			post("card-declined", "/charges", `{"order":"ord-golden-7","amount":1250,"currency":"EUR","card":"4000-0002"}`),
		}},
		{"payments/francs.json", "payments", "wrong-config", "wrong-config/0002", []replay.Case{
			post("charge-francs", "/charges", `{"order":"ord-golden-8","amount":7700,"currency":"CHF","card":"4000-1008"}`),
		}},
	}
}
