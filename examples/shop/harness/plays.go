package main

import (
	"net/http"
	"time"
)

// conditions are the circumstances of a window that lie outside the shop.
type conditions struct {
	Bank  bankMode
	Fault fault
	Load  load
}

// play is how a scenario is acted out: the circumstances before the turn and after it, and
// what breaks.
type play struct {
	Before, After conditions
	Objective     objective
	// Deploy says that the head of the history is deployed at the turn.
	Deploy bool
	// Flag is the flag that the deployment turns on, with the service that reads it.
	Flag, FlagService, FlagActor string
	// Midway lists services that are restarted in the middle of the incident window; with
	// MidwayHead the head of the history is deployed to them.
	Midway     []string
	MidwayHead bool
	// Truth is what is to be found.
	Truth truth
}

// truth is written to truth.json, for scoring.
type truth struct {
	Kind      string   `json:"kind"`
	Service   string   `json:"service,omitempty"`
	File      string   `json:"file,omitempty"`
	Files     []string `json:"files,omitempty"`
	Function  string   `json:"function,omitempty"`
	Commit    string   `json:"commit"`
	Rung      string   `json:"rung,omitempty"` // the rung expected to mend it; "" where none may
	Notes     string   `json:"notes"`
	Operation string   `json:"operation,omitempty"`
}

// The bank refuses everything for about a third of a second every now and then; it always has.
var shedding = bankMode{Period: 1200 * time.Millisecond, ShedMin: 220 * time.Millisecond, ShedMax: 380 * time.Millisecond}

var calm = bankMode{}

func ordersAvailability() objective {
	return objective{Alert: "OrdersAvailabilityBurn", SLO: "orders-availability", Route: "POST /orders", Severity: "critical", Ratio: 14.4 * 0.005,
		Summary: "Orders fail more often than was promised to customers"}
}

func ordersLatency(seconds float64) objective {
	return objective{Alert: "OrdersLatencyBurn", SLO: "orders-latency", Route: "POST /orders", Severity: "critical", Latency: seconds,
		Summary: "Orders take longer than was promised to customers"}
}

func productsLatency(seconds float64) objective {
	return objective{Alert: "ProductsLatencyBurn", SLO: "products-latency", Route: "GET /products/{sku}", Severity: "major", Latency: seconds,
		Summary: "Product pages take longer than was promised to customers"}
}

// mistuned is an objective that ordinary operation breaks.
func mistuned() objective {
	o := ordersLatency(0.002)
	o.Severity = "warning"
	return o
}

// plays has one entry per scenario of the shop.
func plays() map[string]play {
	steady := conditions{Bank: calm, Load: usual()}
	varied := func(change func(*load)) load {
		l := usual()
		change(&l)
		return l
	}

	bigBaskets := varied(func(l *load) { l.MinItems, l.MaxItems, l.Orders, l.Reports = 14, 24, 5, 0.1 })
	francs := conditions{Bank: calm, Load: varied(func(l *load) { l.SlowCards = 0.35 })}
	swinging := conditions{Bank: calm, Load: varied(func(l *load) { l.Swing, l.Cycle = 0.6, 12*time.Second })}

	healthy := func(note string) truth { return truth{Kind: "none", Commit: "none", Notes: note} }
	return map[string]play{
		"retry-storm": {
			Before: conditions{Bank: shedding, Load: usual()}, After: conditions{Bank: shedding, Load: usual()},
			Objective: ordersAvailability(), Deploy: true,
			Truth: truth{Kind: "change", Service: "payments", File: "payments/bank/client.go", Function: "Client.Authorize", Rung: "code", Operation: "POST /charges",
				Notes: "The bank sheds load for moments in the baseline as well. The commit removed backoff and jitter from the retries; it also made declined cards answer 402, which orders relies on since, so that reverting it breaks a golden case."},
		},
		"missing-deadline": {
			Before: steady, After: conditions{Bank: calm, Load: usual(), Fault: hangs("pricing:8084", 0.15, 2500*time.Millisecond, 4500*time.Millisecond)},
			Objective: ordersLatency(0.8),
			Truth: truth{Kind: "code", Service: "orders", File: "orders/pricing.go", Function: "Pricing.Quote", Commit: "none", Rung: "code", Operation: "POST /orders",
				Notes: "Pricing hangs for some requests. Orders has never had a deadline on that call, although it has a list price to fall back to."},
		},
		"pool-of-one": {
			Before: steady, After: conditions{Bank: calm, Load: varied(func(l *load) { l.Reports, l.Products, l.Orders = 2.2, 10, 5 })},
			Objective: productsLatency(0.08),
			Truth: truth{Kind: "resource", Service: "inventory", File: "config/inventory.json", Commit: "none", Rung: "config", Operation: "GET /products/{sku}",
				Notes: "The pool has had one connection all along. Reports became popular, and everything else waits behind them."},
		},
		"n-plus-one": {
			Before: conditions{Bank: calm, Load: bigBaskets}, After: conditions{Bank: calm, Load: bigBaskets},
			Objective: ordersLatency(0.1), Deploy: true,
			Truth: truth{Kind: "change", Service: "inventory", File: "inventory/store.go", Function: "Store.Stock", Rung: "revert", Operation: "POST /availability",
				Notes: "The commit made one query per item; each reads the whole ledger."},
		},
		"none-deref": {
			Before: steady, After: conditions{Bank: calm, Load: varied(func(l *load) { l.Guests = 0.25 })},
			Objective: ordersAvailability(),
			Truth: truth{Kind: "code", Service: "pricing", File: "pricing/rules.py", Function: "loyalty_discount", Commit: "none", Rung: "code", Operation: "POST /quotes",
				Notes: "Guests, who have no tier, began to order for more than the subtotal from which loyalty pays. The code is old."},
		},
		"flag-on": {
			Before: steady, After: conditions{Bank: bankMode{SlowRisk: 500 * time.Millisecond}, Load: usual()},
			Objective: ordersAvailability(), Deploy: true, Flag: "risk-check", FlagService: "payments", FlagActor: "lena.novak",
			Truth: truth{Kind: "change", Service: "payments", File: "flags.json", Rung: "flag_off", Operation: "POST /charges",
				Notes: "The risk check was turned on; the bank cannot answer that many questions about risk."},
		},
		"wrong-config": {
			Before: francs, After: francs,
			Objective: ordersAvailability(), Deploy: true,
			Truth: truth{Kind: "change", Service: "payments", File: "config/payments.json", Rung: "config", Operation: "POST /charges",
				Notes: "The commit lowered bank_timeout from 800ms to 80ms, which some issuers cannot meet. It also added a currency, so that reverting it breaks a golden case."},
		},
		"bank-down": {
			Before: steady, After: conditions{Bank: bankMode{Down: true}, Load: usual()},
			Objective: ordersAvailability(),
			Truth: truth{Kind: "external", Service: "bank", Commit: "none",
				Notes: "The bank is down. No code of the shop is to blame."},
		},
		"healthy-steady":  {Before: steady, After: steady, Objective: mistuned(), Truth: healthy("Steady load, a threshold that ordinary operation exceeds.")},
		"healthy-varying": {Before: swinging, After: swinging, Objective: mistuned(), Truth: healthy("Load that rises and falls by more than half.")},
		"healthy-deploy": {Before: steady, After: steady, Objective: mistuned(), Midway: []string{"orders"}, MidwayHead: true,
			Truth: healthy("A harmless commit is deployed in the window.")},
		"healthy-restart": {Before: steady, After: steady, Objective: mistuned(), Midway: []string{"inventory", "payments"},
			Truth: healthy("Two services are restarted one after the other in the window.")},
	}
}

// hangs makes a share of the requests to a host wait before they get there.
func hangs(host string, share float64, least, most time.Duration) fault {
	return func(to string, r *http.Request) bool {
		id := r.Header.Get("Traceparent")
		if to != host || dice(id) >= share {
			return true
		}
		wait(r, least+time.Duration(dice("hang"+id)*float64(most-least)))
		return true
	}
}
