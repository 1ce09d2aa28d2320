package gorecipe

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBackoffOutlastsTheOutage(t *testing.T) {
	tests := []struct {
		name            string
		retries         int
		outage, budget  time.Duration
		base            time.Duration
		covers          bool
		shortestAtLeast time.Duration
	}{
		{"three waits", 3, 800 * time.Millisecond, 10 * time.Second, 300 * time.Millisecond, true, time.Second},
		{"one wait", 1, 400 * time.Millisecond, 10 * time.Second, time.Second, true, 500 * time.Millisecond},
		{"no outage seen", 3, 0, 10 * time.Second, 100 * time.Millisecond, true, 0},
		{"the budget is too small", 2, 3 * time.Second, 400 * time.Millisecond, 120 * time.Millisecond, false, 0},
		{"many waits are capped", 15, 5 * time.Second, time.Minute, 40 * time.Millisecond, true, 6250 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &backoff{Retries: tt.retries, Outage: tt.outage, Budget: tt.budget}
			b.plan()
			if b.Base != tt.base || b.covers() != tt.covers {
				t.Errorf("base %s covers %t, want %s %t", b.Base, b.covers(), tt.base, tt.covers)
			}
			if b.shortest() < tt.shortestAtLeast {
				t.Errorf("the shortest waits last %s, want at least %s", b.shortest(), tt.shortestAtLeast)
			}
			if (b.risk() != "") != !tt.covers {
				t.Errorf("risk %q", b.risk())
			}
		})
	}
}

// TestBackoffProperties holds every plan against its promises: the shortest waits outlast the outage or the longest ones
// fill the budget, waits never shrink, and no smaller round base would do.
func TestBackoffProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &backoff{
			Retries: rapid.IntRange(1, 19).Draw(t, "retries"),
			Outage:  time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "outage")),
			Budget:  time.Duration(rapid.Int64Range(int64(50*time.Millisecond), int64(time.Minute)).Draw(t, "budget")),
		}
		b.plan()
		smallest := roundDurations()[0]
		if b.Base != smallest && b.longest() > b.Budget {
			t.Fatalf("waits of %s in a budget of %s", b.longest(), b.Budget)
		}
		for k := 2; k <= b.Retries; k++ {
			if b.wait(k) < b.wait(k-1) || b.wait(k) > b.Limit {
				t.Fatalf("wait %d is %s after %s, limit %s", k, b.wait(k), b.wait(k-1), b.Limit)
			}
		}
		if b.covers() && b.Outage > 0 && b.Base != smallest {
			c := *b
			for _, d := range roundDurations() {
				if d < b.Base {
					c.setBase(d)
				}
			}
			if c.covers() {
				t.Fatalf("%s would have done, %s was chosen", c.Base, b.Base)
			}
		}
		if !b.covers() && !strings.Contains(b.risk(), "would not fit") && b.Base < time.Minute {
			t.Fatalf("nothing is said of an outage that is not covered: %q", b.risk())
		}
	})
}

func TestLiteral(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "time.Second", 2 * time.Second: "2*time.Second", 1500 * time.Millisecond: "1500*time.Millisecond",
		3 * time.Microsecond: "3*time.Microsecond", 7: "7*time.Nanosecond", 2 * time.Minute: "2*time.Minute",
	} {
		if got := literal(d, "time"); got != want {
			t.Errorf("%s is written %s, want %s", d, got, want)
		}
	}
}
