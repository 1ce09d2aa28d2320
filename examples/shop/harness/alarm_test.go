package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestObjectives(t *testing.T) {
	if got := ordersAvailability().Expr(); !strings.Contains(got, `code=~"5.."`) || !strings.HasSuffix(got, "> 0.072") {
		t.Errorf("availability = %s", got)
	}
	if got := ordersLatency(0.8).Expr(); !strings.Contains(got, "histogram_quantile(0.95") || !strings.HasSuffix(got, "> 0.8") {
		t.Errorf("latency = %s", got)
	}
	var text bytes.Buffer
	if err := rules.Execute(&text, productsLatency(0.1)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), `is {{ $value | humanizeDuration }}`) || !strings.Contains(text.String(), `operation: 'GET /products/{sku}'`) {
		t.Errorf("rules:\n%s", text.String())
	}
}

func TestAlarmIsRaisedByTheRealPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a burn rate")
	}
	if _, _, err := programs(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := newScoreboard()
	metrics, err := serve(ctx, seen)
	if err != nil {
		t.Fatal(err)
	}
	alarm, err := startAlarm(ctx, t.TempDir(), metrics, ordersAvailability())
	if err != nil {
		t.Fatal(err)
	}
	defer alarm.stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			seen.count("POST /orders", 502, time.Millisecond)
		case <-ctx.Done():
			t.Fatal("no alert")
		case raised := <-alarm.raised:
			var got struct {
				Version, Status string
				CommonLabels    map[string]string
			}
			if err := json.Unmarshal(raised, &got); err != nil {
				t.Fatal(err)
			}
			if got.Version != "4" || got.Status != "firing" || got.CommonLabels["slo"] != "orders-availability" {
				t.Errorf("alert = %s", raised)
			}
			return
		}
	}
}
