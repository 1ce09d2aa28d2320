package shop

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Every fault has to be seen in what was recorded, and not be seen in the baseline.
func TestSymptoms(t *testing.T) {
	const orders, products = "POST /orders", "GET /products/{sku}"
	for name, shows := range map[string]func(t *testing.T, before, after recording){
		"retry-storm": func(t *testing.T, before, after recording) {
			fails(t, before, after)
			if was, is := shortestPause(before), shortestPause(after); was < 40*time.Millisecond || is > 20*time.Millisecond {
				t.Errorf("the shortest pause between attempts was %s and is %s", was, is)
			}
		},
		"wrong-config": func(t *testing.T, before, after recording) {
			fails(t, before, after)
			if was, is := longest(before, "payments", "bank:8090"), longest(after, "payments", "bank:8090"); was < 120*time.Millisecond || is > was || is > 200*time.Millisecond {
				t.Errorf("the longest call of the bank took %s and takes %s; the time-out should cut it", was, is)
			}
		},
		"missing-deadline": func(t *testing.T, before, after recording) {
			slows(t, before, after, orders, 2*time.Second)
			if was, is := longest(before, "orders", "pricing:8084"), longest(after, "orders", "pricing:8084"); was > time.Second || is < 2*time.Second {
				t.Errorf("the longest call of pricing took %s and takes %s", was, is)
			}
		},
		"pool-of-one": func(t *testing.T, before, after recording) {
			slows(t, before, after, products, 100*time.Millisecond)
			if was, is := meanWait(before), meanWait(after); is < 3*was || is < 20*time.Millisecond {
				t.Errorf("the mean wait for a connection was %s and is %s", was, is)
			}
		},
		"n-plus-one": func(t *testing.T, before, after recording) {
			slows(t, before, after, orders, 0)
			if was, is := queries(before), queries(after); was != 1 || is < 8 {
				t.Errorf("one question about availability led to %d queries and leads to %d", was, is)
			}
		},
		"none-deref": func(t *testing.T, before, after recording) {
			fails(t, before, after)
			if was, is := exceptions(before, "AttributeError"), exceptions(after, "AttributeError"); was != 0 || is == 0 {
				t.Errorf("there were %d exceptions and are %d", was, is)
			}
		},
		"flag-on": func(t *testing.T, before, after recording) {
			fails(t, before, after)
			if was, is := count(before, "bank.Risk"), count(after, "bank.Risk"); was != 0 || is == 0 {
				t.Errorf("the bank was asked about risk %d times and is %d times", was, is)
			}
		},
		"bank-down": func(t *testing.T, before, after recording) {
			if is := after.failing(orders); is < 0.8 {
				t.Errorf("%.0f %% of the orders fail, want nearly all", 100*is)
			}
			if before.failing(orders) > 0.02 {
				t.Error("the baseline is not healthy")
			}
			if is := shortestPause(after); is < 40*time.Millisecond {
				t.Errorf("the shortest pause between attempts is %s; the retries are not to blame here", is)
			}
		},
		"healthy-steady":  healthy,
		"healthy-varying": healthy,
		"healthy-deploy":  healthy,
		"healthy-restart": healthy,
	} {
		t.Run(name, func(t *testing.T) { shows(t, load(t, name+"/baseline"), load(t, name+"/incident")) })
	}
}

func fails(t *testing.T, before, after recording) {
	t.Helper()
	if was, is := before.failing("POST /orders"), after.failing("POST /orders"); was > 0.02 || is < 0.08 {
		t.Errorf("%.1f %% of the orders failed and %.1f %% fail", 100*was, 100*is)
	}
}

func slows(t *testing.T, before, after recording, route string, least time.Duration) {
	t.Helper()
	if was, is := before.p95(route), after.p95(route); is < 2*was || is < least {
		t.Errorf("%s: the 95th percentile was %s and is %s", route, was, is)
	}
}

func healthy(t *testing.T, before, after recording) {
	t.Helper()
	for name, window := range map[string]recording{"baseline": before, "incident": after} {
		if failing := window.failing("POST /orders"); failing > 0.01 {
			t.Errorf("%s: %.1f %% of the orders fail", name, 100*failing)
		}
		if p95 := window.p95("POST /orders"); p95 > 500*time.Millisecond {
			t.Errorf("%s: the 95th percentile is %s", name, p95)
		}
	}
}

// shortestPause is the shortest time between two attempts at the bank.
func shortestPause(r recording) time.Duration {
	shortest := time.Hour
	below := r.children()
	for _, s := range r.spans {
		if s.Name() != "bank.Authorize" {
			continue
		}
		attempts := below[s.SpanID()]
		for i := 1; i < len(attempts); i++ {
			pause := attempts[i].StartTimestamp().AsTime().Sub(attempts[i-1].EndTimestamp().AsTime())
			shortest = min(shortest, pause)
		}
	}
	return shortest
}

// longest is the longest call from a service to an address.
func longest(r recording, service, peer string) (d time.Duration) {
	for _, s := range r.spans {
		if s.service == service && s.Kind() == ptrace.SpanKindClient && strings.Contains(s.attr("url.full"), "//"+peer+"/") {
			d = max(d, s.duration())
		}
	}
	return d
}

// queries is the median number of statements that a question about availability leads to.
func queries(r recording) int {
	below := r.children()
	counts := make(map[int]int)
	for _, s := range r.spans {
		if s.service == "inventory" && s.Name() == "POST /availability" {
			counts[len(below[s.SpanID()])]++
		}
	}
	most := 0
	for n, times := range counts {
		if times > counts[most] || times == counts[most] && n < most {
			most = n
		}
	}
	return most
}

func exceptions(r recording, kind string) (n int) {
	for _, s := range r.spans {
		for _, e := range s.Events().All() {
			if v, ok := e.Attributes().Get("exception.type"); ok && v.AsString() == kind {
				n++
			}
		}
	}
	return n
}

func count(r recording, name string) (n int) {
	for _, s := range r.spans {
		if s.Name() == name {
			n++
		}
	}
	return n
}

// meanWait is the mean time a query waited for a connection in the window, from cumulative points.
func meanWait(r recording) time.Duration {
	var first, last *pmetric.HistogramDataPoint
	for _, export := range r.metrics {
		for _, rm := range export.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() == "db.client.connection.wait_time" && m.Type() == pmetric.MetricTypeHistogram {
						p := m.Histogram().DataPoints().At(0)
						if first == nil {
							first = &p
						}
						last = &p
					}
				}
			}
		}
	}
	if first == nil || last.Count() == first.Count() {
		return 0
	}
	return time.Duration((last.Sum() - first.Sum()) / float64(last.Count()-first.Count()) * float64(time.Second))
}
