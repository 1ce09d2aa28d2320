package main

import (
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestArrivals(t *testing.T) {
	l := usual()
	l.Guests, l.SlowCards = 0.25, 0.4
	c := newCustomers("127.0.0.1:1", newScoreboard(), l)
	c.placed = []string{"ord-1"}

	var took time.Duration
	routes := make(map[string]int)
	guests, slow, orders := 0, 0, 0
	const n = 20_000
	for range n {
		pause, r := c.next(took)
		took += pause
		routes[r.route]++
		order, ok := r.body.(map[string]any)
		if !ok || len(order["items"].([]any)) == 0 {
			continue
		}
		orders++
		if order["customer"].(map[string]any)["tier"] == nil {
			guests++
		}
		if strings.HasPrefix(order["card"].(string), "5100-") {
			slow++
		}
	}
	rate := n / took.Seconds()
	if want := sum(l.rates()); math.Abs(rate-want) > 0.05*want {
		t.Errorf("%.1f requests per second, want %.1f", rate, want)
	}
	for route, want := range map[string]float64{"POST /orders": l.Orders + l.Mistakes, "GET /products/{sku}": l.Products, "GET /orders/{id}": l.Lookups, "GET /reports/stock": l.Reports} {
		if got := float64(routes[route]) / took.Seconds(); math.Abs(got-want) > 0.15*want {
			t.Errorf("%s: %.2f per second, want %.2f", route, got, want)
		}
	}
	if got := float64(guests) / float64(orders); math.Abs(got-l.Guests) > 0.03 {
		t.Errorf("%.2f of the orders are guests', want %.2f", got, l.Guests)
	}
	if got := float64(slow) / float64(orders); math.Abs(got-l.SlowCards) > 0.03 {
		t.Errorf("%.2f of the cards are slow, want %.2f", got, l.SlowCards)
	}
}

func TestLoadSwings(t *testing.T) {
	l := usual()
	l.Swing, l.Cycle = 0.6, 12*time.Second
	c := newCustomers("127.0.0.1:1", newScoreboard(), l)
	mean := func(since time.Duration) float64 {
		var total time.Duration
		for range 5000 {
			pause, _ := c.next(since)
			total += pause
		}
		return 5000 / total.Seconds()
	}
	high, low := mean(3*time.Second), mean(9*time.Second)
	if high < 3*low {
		t.Errorf("%.1f requests per second at the height, %.1f at the depth; want four times as many", high, low)
	}
}

func TestScoreboard(t *testing.T) {
	s := newScoreboard()
	s.count("POST /orders", 201, 40*time.Millisecond)
	s.count("POST /orders", 502, 700*time.Millisecond)
	s.count("POST /orders", 0, 20*time.Second)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`shop_requests_total{route="POST /orders",code="201"} 1`,
		`shop_requests_total{route="POST /orders",code="599"} 1`,
		`shop_request_duration_seconds_bucket{route="POST /orders",le="0.05"} 1`,
		`shop_request_duration_seconds_bucket{route="POST /orders",le="0.8"} 2`,
		`shop_request_duration_seconds_bucket{route="POST /orders",le="+Inf"} 3`,
		`shop_request_duration_seconds_count{route="POST /orders"} 3`,
	} {
		if !strings.Contains(rec.Body.String(), want+"\n") {
			t.Errorf("the page lacks %s:\n%s", want, rec.Body)
		}
	}
	_, counted := s.take(nil)
	s.count("GET /products/{sku}", 200, time.Millisecond)
	report, _ := s.take(counted)
	if text := strings.Join(report, "\n"); strings.Contains(text, "201") || !strings.Contains(text, "GET /products/{sku}  200      1") {
		t.Errorf("report of the second window:\n%s", text)
	}
}
